import type { UserPoolClientType } from '@aws-sdk/client-cognito-identity-provider'
import { randomText } from '../clock.ts'
import type { Context } from '../context.ts'
import { CognitoError } from '../errors.ts'
import type { PoolCipher } from '../keys/pool-keys.ts'
import type { Transaction } from '../store/write.ts'
import { type Client, type ClientDocument, lockPool, type Pool } from './pool.ts'
import type { UserPlace } from './user.ts'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'
const ID_LENGTH = 26
const SECRET_LENGTH = 51
/** https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html */
const LIMIT = 1_000

export const newClientId = (clock: Context['clock']): string => randomText(clock, ALPHABET, ID_LENGTH)
export const newClientSecret = (clock: Context['clock']): string => randomText(clock, ALPHABET, SECRET_LENGTH)

/** A secret as its client's row keeps it. */
export function sealSecret(
  { clock }: Pick<Context, 'clock'>,
  cipher: PoolCipher,
  { clientId, secret }: { clientId: string; secret: string },
): ClientDocument['secrets'][number] {
  return {
    id: clock.uuid(),
    sealed: cipher.seal('row', Buffer.from(secret), `client/${clientId}`).toString('base64'),
    created: clock.now(),
  }
}

/** Finds an app client of this pool. Throws ResourceNotFoundException, also for a client of another pool. */
export async function getPoolClient({ pools }: Pick<Context, 'pools'>, pool: Pool, id: string): Promise<Client> {
  const client = await pools.findClient(id)
  if (client?.pool !== pool.id) throw noClient(id)
  return client
}

/** Reads a client that is to be written. Throws ResourceNotFoundException. */
export async function lockClient(tx: Transaction, pool: Pool, id: string): Promise<ClientDocument> {
  const row = await tx.lock('client', { pool: pool.id, key: id })
  if (!row) throw noClient(id)
  return JSON.parse(row.body) as ClientDocument
}

/** Writes a new client. Throws LimitExceededException, ResourceNotFoundException when the pool is gone meanwhile. */
export async function insertClient(tx: Transaction, pool: Pool, { id, document }: Omit<Client, 'pool'>): Promise<void> {
  await lockPool(tx, pool.id)
  if ((await tx.count('client', { pool: pool.id })) >= LIMIT) {
    throw new CognitoError('LimitExceededException', `Number of user pool clients exceeds the limit of ${LIMIT}.`)
  }
  await tx.insert('client', draftOf(pool, { id, document }))
}

export async function putClient(tx: Transaction, pool: Pool, client: Omit<Client, 'pool'>): Promise<void> {
  await tx.put('client', draftOf(pool, client))
}

/** The client as the API describes it, its newest secret in the clear. */
export function clientType({ pool, cipher }: UserPlace, { id, document }: Omit<Client, 'pool'>): UserPoolClientType {
  const { created, modified, secrets, ...settings } = document
  const newest = secrets.at(-1)
  return {
    ...settings,
    UserPoolId: pool.id,
    ClientId: id,
    ClientSecret: newest && cipher.open('row', Buffer.from(newest.sealed, 'base64'), `client/${id}`).toString('utf8'),
    CreationDate: new Date(created),
    LastModifiedDate: new Date(modified),
  }
}

const draftOf = (pool: Pool, { id, document }: Omit<Client, 'pool'>) => ({
  pool: pool.id,
  key: id,
  body: JSON.stringify(document),
  fields: { name: document.ClientName ?? null },
})

const noClient = (id: string): CognitoError =>
  new CognitoError('ResourceNotFoundException', `User pool client ${id} does not exist.`)
