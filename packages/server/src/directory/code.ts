import type { PoolCipher } from '../keys/pool-keys.ts'
import type { Transaction } from '../store/write.ts'
import { findDocument, sealDocument } from './document.ts'
import type { OpenPool } from './open-pool.ts'

/** Body of a `code` row; times in ms since the epoch. */
export interface CodeDocument {
  attribute: 'email' | 'phone_number'
  /** The address that the code was sent to. */
  value: string
  /** HMAC-SHA256 of the code, keyed with the salt, base64: an opened row does not show the code itself. */
  hash: string
  salt: string
  expires: number
}

/** Identifies a code: a user has at most one per purpose. */
export interface CodeAddress {
  sub: string
  purpose: string
}

const addressOf = ({ pool }: OpenPool, { sub, purpose }: CodeAddress) => ({ pool: pool.id, key: `${sub}/${purpose}` })

export async function findCode(
  db: Pick<Transaction, 'find'>,
  openPool: OpenPool,
  code: CodeAddress,
): Promise<CodeDocument | undefined> {
  const row = await db.find('code', addressOf(openPool, code))
  return row && findDocument(openPool, 'code', row)
}

/** Like findCode. For a missing code, opens a decoy, which takes the same time. */
export async function findCodeOrDecoy(
  db: Pick<Transaction, 'find'>,
  openPool: OpenPool,
  code: CodeAddress,
): Promise<{ document: CodeDocument; isDecoy: boolean }> {
  const row = await db.find('code', addressOf(openPool, code))
  const found = row && findDocument(openPool, 'code', row)
  if (found) return { document: found, isDecoy: false }
  let decoy = decoys.get(openPool.cipher)
  if (!decoy) {
    const salt = Buffer.alloc(16).toString('base64')
    const hash = Buffer.alloc(32).toString('base64')
    const document = { attribute: 'email', value: 'nobody@example.com', salt, hash, expires: 0 } as const
    decoy = { key: 'nobody', body: sealDocument(openPool, 'code', 'nobody', document) }
    decoys.set(openPool.cipher, decoy)
  }
  return { document: findDocument(openPool, 'code', decoy) as CodeDocument, isDecoy: true }
}

const decoys = new WeakMap<PoolCipher, { key: string; body: string }>()

export async function lockCode(
  tx: Transaction,
  openPool: OpenPool,
  code: CodeAddress,
): Promise<CodeDocument | undefined> {
  const row = await tx.lock('code', addressOf(openPool, code))
  return row && findDocument(openPool, 'code', row)
}

export async function putCode(
  tx: Transaction,
  openPool: OpenPool,
  code: CodeAddress,
  document: CodeDocument,
): Promise<void> {
  const address = addressOf(openPool, code)
  const body = sealDocument(openPool, 'code', address.key, document)
  await tx.put('code', { ...address, body, fields: { sub: code.sub } })
}

export async function removeCode(tx: Transaction, openPool: OpenPool, code: CodeAddress): Promise<void> {
  await tx.remove('code', addressOf(openPool, code))
}
