import { SealBrokenError } from '../keys/pool-keys.ts'
import type { StoreDocuments } from '../store/documents.ts'
import type { Row } from '../store/rows.ts'
import type { ClientDocument } from './client.ts'
import type { CodeDocument } from './code.ts'
import type { PasswordDocument } from './credential.ts'
import type { DomainDocument } from './domain.ts'
import type { Group, GroupDocument } from './group.ts'
import type { NameIndexDocument } from './name-index.ts'
import type { PoolSeal } from './open-pool.ts'
import type { PoolDocument, RegionalSettings } from './pool.ts'
import type { SigningKeyDocument } from './signing-key.ts'
import type { UserDocument } from './user.ts'

/** Kinds whose bodies are plain JSON, readable without the key. */
interface PlainDocuments extends StoreDocuments {
  pool: PoolDocument
  settings: RegionalSettings
  client: ClientDocument
  domain: DomainDocument
  'prefix-domain': DomainDocument
  'signing-key': SigningKeyDocument
  group: GroupDocument
  'name-index': NameIndexDocument
}

/** Kinds whose bodies, or parts of them, are sealed under the data key of their pool. */
interface SealedDocuments {
  /** The templates of a pool, within its document; key: `templates`. */
  pool: Partial<PoolDocument>
  user: UserDocument
  credential: PasswordDocument
  code: CodeDocument
  'sealed-group': Group
  'sealed-member': { group: string }
  'group-removal': { group: string }
}

type Body = Pick<Row, 'body'>

export const parseDocument = <K extends keyof PlainDocuments>(_kind: K, { body }: Body): PlainDocuments[K] =>
  JSON.parse(body) as PlainDocuments[K]

/** Seals a document for one row: pool, kind and key are authenticated, so the text opens in no other row. */
export function sealDocument<K extends keyof SealedDocuments>(
  { pool, cipher }: PoolSeal,
  kind: K,
  key: string,
  document: SealedDocuments[K],
): string {
  return cipher.seal('row', Buffer.from(JSON.stringify(document)), `${pool.id}\n${kind}\n${key}`).toString('base64')
}

/**
 * Opens a document of sealDocument. Returns undefined for a body that this build cannot open: it was altered, belongs to another
 * row, or has the version of a newer build. Such a row counts as absent.
 */
export function findDocument<K extends keyof SealedDocuments>(
  { pool, cipher }: PoolSeal,
  kind: K,
  { key, body }: Body & Pick<Row, 'key'>,
): SealedDocuments[K] | undefined {
  try {
    const plain = cipher.open('row', Buffer.from(body, 'base64'), `${pool.id}\n${kind}\n${key}`)
    return JSON.parse(plain.toString('utf8')) as SealedDocuments[K]
  } catch (error) {
    if (error instanceof SealBrokenError) return undefined
    throw error
  }
}
