import type { Store } from '../../store/store.ts'
import type { Transaction } from '../../store/write.ts'
import type { Alias, AliasRecord, KeyRecord, RemovedKey } from './key-record.ts'

/** Keys belong to the region, not to a pool. */
const POOL = ''
const PAGE = 500
/** The prefix of every alias that the API shows. */
export const ALIAS_PREFIX = 'alias/'

type Reader = Pick<Transaction, 'list'>
export interface Page {
  after?: string | undefined
  limit: number
}

const parseKey = (body: string): KeyRecord | RemovedKey => JSON.parse(body) as KeyRecord | RemovedKey

export async function findKey(store: Store, id: string): Promise<KeyRecord | RemovedKey | undefined> {
  const row = await store.find('kms-key', { pool: POOL, key: id })
  return row && parseKey(row.body)
}

export async function lockKey(tx: Transaction, id: string): Promise<KeyRecord | RemovedKey | undefined> {
  const row = await tx.lock('kms-key', { pool: POOL, key: id })
  return row && parseKey(row.body)
}

export const saveKey = (tx: Transaction, body: KeyRecord | RemovedKey): Promise<void> =>
  tx.set('kms-key', { pool: POOL, key: body.id, body: JSON.stringify(body) })

export const removeKey = (tx: Transaction, id: string): Promise<void> => tx.unset('kms-key', { pool: POOL, key: id })

export const countKeys = (tx: Transaction): Promise<number> => tx.count('kms-key', { pool: POOL })

/** All keys after an id, in the order of ids. */
export async function* listKeys(store: Store, after?: string): AsyncGenerator<KeyRecord | RemovedKey> {
  let last = after
  for (;;) {
    const rows = await store.list('kms-key', { pool: POOL, after: last, limit: PAGE })
    for (const { body } of rows) yield parseKey(body)
    if (rows.length < PAGE) return
    last = rows.at(-1)?.key
  }
}

const parseAlias = ({ key, body }: { key: string; body: string }): Alias => ({
  name: key,
  ...(JSON.parse(body) as AliasRecord),
})

export async function findAlias(store: Store, name: string): Promise<Alias | undefined> {
  const row = await store.find('kms-alias', { pool: POOL, key: name })
  return row && parseAlias(row)
}

export async function lockAlias(tx: Transaction, name: string): Promise<Alias | undefined> {
  const row = await tx.lock('kms-alias', { pool: POOL, key: name })
  return row && parseAlias(row)
}

export const saveAlias = (tx: Transaction, { name, ...record }: Alias): Promise<void> =>
  tx.set('kms-alias', { pool: POOL, key: name, body: JSON.stringify(record satisfies AliasRecord) })

export const removeAlias = (tx: Transaction, name: string): Promise<void> =>
  tx.unset('kms-alias', { pool: POOL, key: name })

/** The aliases that the API shows, in the order of names. */
export const listAliases = async (db: Reader, { after, limit }: Page): Promise<Alias[]> =>
  (await db.list('kms-alias', { pool: POOL, prefix: ALIAS_PREFIX, after, limit })).map(parseAlias)

/** All aliases of one key that the API shows, in the order of names. */
export async function aliasesOf(db: Reader, keyId: string): Promise<Alias[]> {
  const found: Alias[] = []
  let after: string | undefined
  for (;;) {
    const page = await listAliases(db, { after, limit: PAGE })
    found.push(...page.filter((alias) => alias.keyId === keyId))
    if (page.length < PAGE) return found
    after = page.at(-1)?.name
  }
}
