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
