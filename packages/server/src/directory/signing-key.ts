import type { PoolCipher } from '../keys/pool-keys.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { parseDocument } from './document.ts'
import type { PoolSeal } from './open-pool.ts'

/** A pool has two signing keys: one for ID tokens, one for access tokens. The uses are also the keys of the rows. */
export const SIGNING_USES = ['id', 'access'] as const
export type SigningUse = (typeof SIGNING_USES)[number]

/** Body of a `signing-key` row: public part in plain text, private part (PKCS #8) sealed. */
export interface SigningKeyDocument {
  kid: string
  n: string
  e: string
  sealed: string
}

/** Returns undefined when this region does not hold the pool. */
export async function findSigningKeys(
  store: Pick<Store, 'list'>,
  pool: string,
): Promise<Record<SigningUse, SigningKeyDocument> | undefined> {
  const rows = await store.list('signing-key', { pool, limit: SIGNING_USES.length })
  if (rows.length < SIGNING_USES.length) return undefined
  const documents = rows.map((row) => [row.key, parseDocument('signing-key', row)])
  return Object.fromEntries(documents) as Record<SigningUse, SigningKeyDocument>
}

export async function insertSigningKey(
  tx: Transaction,
  { pool }: PoolSeal,
  use: SigningUse,
  document: SigningKeyDocument,
): Promise<void> {
  await tx.insert('signing-key', { pool: pool.id, key: use, body: JSON.stringify(document) })
}

/** Seals the private parts again, after the pool itself was sealed: from then on they prove that it is. */
export async function resealSigningKeys(
  tx: Transaction,
  { pool, before, after }: { pool: PoolSeal['pool']; before: PoolCipher; after: PoolCipher },
): Promise<void> {
  for (const use of SIGNING_USES) {
    const row = await tx.lock('signing-key', { pool: pool.id, key: use })
    if (!row) continue
    const document = parseDocument('signing-key', row)
    const pkcs8 = openPrivateKey({ pool, cipher: before }, use, document.sealed)
    const sealed = sealPrivateKey({ pool, cipher: after }, use, pkcs8)
    await tx.put('signing-key', { ...row, body: JSON.stringify({ ...document, sealed } satisfies SigningKeyDocument) })
  }
}

export const sealPrivateKey = ({ pool, cipher }: PoolSeal, use: SigningUse, pkcs8: Buffer): string =>
  cipher.seal('row', pkcs8, bindingOf(pool.id, use)).toString('base64')

/** Throws SealBrokenError when the pool's key did not seal it. */
export const openPrivateKey = ({ pool, cipher }: PoolSeal, use: SigningUse, sealed: string): Buffer =>
  cipher.open('row', Buffer.from(sealed, 'base64'), bindingOf(pool.id, use))

const bindingOf = (pool: string, use: SigningUse): string => `${pool}\nsigning-key\n${use}`
