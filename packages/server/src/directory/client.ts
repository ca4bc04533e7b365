import type { UserPoolClientType } from '@aws-sdk/client-cognito-identity-provider'
import { CognitoError } from '../errors.ts'
import { SealBrokenError } from '../keys/pool-keys.ts'
import { removeOwned } from '../store/owned.ts'
import { findRowsByKey } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { parseDocument } from './document.ts'
import type { OpenPool } from './open-pool.ts'
import { lockPool, type Pool } from './pool.ts'

/** https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html */
const LIMIT = 1_000

/** Body of a `client` row. Each secret is sealed, then base64; the newest is last. Times are ms since the epoch. */
export interface ClientDocument
  extends Omit<UserPoolClientType, 'ClientSecret' | 'CreationDate' | 'LastModifiedDate' | 'UserPoolId' | 'ClientId'> {
  created: number
  modified: number
  secrets: { id: string; sealed: string; created: number }[]
}

export interface Client {
  id: string
  pool: string
  document: ClientDocument
}

/** Finds a client by id, whichever pool it belongs to. */
export async function findClient({ db }: Pick<Store, 'db'>, id: string): Promise<Client | undefined> {
  const [row] = await findRowsByKey(db, 'client', id)
  return row && { id, pool: row.pool, document: parseDocument('client', row) }
}

/** Lists the clients of a pool in the order of their ids. */
export async function listClients(
  db: Pick<Transaction, 'list'>,
  pool: Pick<Pool, 'id'>,
  { after, limit }: { after: string | undefined; limit: number },
): Promise<Client[]> {
  const rows = await db.list('client', { pool: pool.id, after, limit })
  return rows.map((row) => ({ id: row.key, pool: row.pool, document: parseDocument('client', row) }))
}

/** Throws ResourceNotFoundException. */
export async function lockClient(tx: Transaction, pool: Pick<Pool, 'id'>, id: string): Promise<ClientDocument> {
  const row = await tx.lock('client', { pool: pool.id, key: id })
  if (!row) throw clientNotFound(id)
  return parseDocument('client', row)
}

/** Writes a new client. Throws LimitExceededException; ResourceNotFoundException when the pool has been deleted. */
export async function insertClient(tx: Transaction, openPool: OpenPool, client: Omit<Client, 'pool'>): Promise<void> {
  const { pool } = openPool
  await lockPool(tx, openPool)
  if ((await tx.count('client', { pool: pool.id })) >= LIMIT) {
    throw new CognitoError('LimitExceededException', `Number of user pool clients exceeds the limit of ${LIMIT}.`)
  }
  await tx.insert('client', draftOf(pool, client))
}

export async function putClient(tx: Transaction, pool: Pool, client: Omit<Client, 'pool'>): Promise<void> {
  await tx.put('client', draftOf(pool, client))
}

/** Removes a client with everything that the client owns (`owner` in store/kinds.ts). */
export async function removeClient(tx: Transaction, pool: Pool, id: string): Promise<void> {
  await removeOwned(tx, 'client', { pool: pool.id, id })
  await tx.remove('client', { pool: pool.id, key: id })
}

const draftOf = (pool: Pool, { id, document }: Omit<Client, 'pool'>) => ({
  pool: pool.id,
  key: id,
  body: JSON.stringify(document),
  fields: { name: document.ClientName ?? null },
})

export const sealClientSecret = ({ cipher }: Pick<OpenPool, 'cipher'>, clientId: string, secret: string): string =>
  cipher.seal('row', Buffer.from(secret), `client/${clientId}`).toString('base64')

/** The secrets of a client in the clear, newest last, without those that the key of the pool did not seal: these match no secret. */
export const openClientSecrets = (
  { cipher }: Pick<OpenPool, 'cipher'>,
  { id, document }: Pick<Client, 'id' | 'document'>,
): Buffer[] =>
  document.secrets.flatMap(({ sealed }) => {
    try {
      return [cipher.open('row', Buffer.from(sealed, 'base64'), `client/${id}`)]
    } catch (error) {
      if (error instanceof SealBrokenError) return []
      throw error
    }
  })

export const clientNotFound = (id: string): CognitoError =>
  new CognitoError('ResourceNotFoundException', `User pool client ${id} does not exist.`)
