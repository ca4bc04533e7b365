import { ONLY } from '../store/kinds.ts'
import type { Transaction } from '../store/write.ts'
import { parseDocument } from './document.ts'
import { type Form, formOf, type OpenPool } from './open-pool.ts'

/*
 * The rows of groups and memberships, which have two forms; group.ts and member.ts read and write both.
 *
 *   sealed-group   key: keyed hash of the name            body: Group, sealed
 *   sealed-member  key: `<hash of the name>/<sub>`        body: sealed; index: group (the hash), sub
 *
 * The first release stored both in plain text, as kinds `group` (key: the name) and `member` (key: `<name>/<sub>`, index:
 * group_name, sub). The form of the pool (formOf) says which kinds hold rows: absent, the plain kinds (a request may still hold this form while the
 * pool moves on, so reads search both); `sealing`, both, and writes go
 * to the sealed kinds; `sealed`, the sealed kinds only (identity/pools/sealing.ts, docs/decisions/sealing.md).
 *
 * A membership counts only if its sealed body opens for its key: an index column finds candidates and proves nothing.
 */

export const mayHavePlain = (form: Form): boolean => form !== 'sealed'

/** The form that holds until the transaction ends: `sealed` never changes; otherwise the pool is locked. */
export async function lockForm(tx: Transaction, openPool: OpenPool): Promise<Form> {
  if (formOf(openPool) === 'sealed') return 'sealed'
  const row = await tx.lock('pool', { pool: openPool.pool.id, key: ONLY })
  return row && parseDocument('pool', row).form
}

/** Skips the statement where no plain row can exist. */
export async function removePlain(
  tx: Transaction,
  openPool: OpenPool,
  kind: 'group' | 'member',
  address: { pool: string; key: string },
): Promise<void> {
  if (mayHavePlain(formOf(openPool))) await tx.remove(kind, address)
}

export const hashOf = ({ cipher }: OpenPool, name: string): string => cipher.index('group', name)

const COUNT_ROWS = 500

/** One page of a list. `next` is the `after` of the next page; undefined on the last page. */
export interface Page<T> {
  entries: T[]
  next: string | undefined
}

export interface PageRequest {
  /** `next` of the previous page. */
  after: string | undefined
  size: number
}

type ListRows<T> = (query: { after: string | undefined; limit: number }) => Promise<[key: string, entry: T][]>

/** Prefix of `next` when it is a key of a plain kind. */
const PLAIN = 'plain\n'

/**
 * One page over the plain rows if the form allows any, then over the sealed rows; each part in key order. Rows move from the plain kinds
 * to the sealed kinds, so in this order a row that moves during the listing may be listed twice, but is never missed.
 */
export async function pageOver<T>(
  form: Form,
  { after, size }: PageRequest,
  { sealed, plain }: { sealed: ListRows<T>; plain: ListRows<T> },
): Promise<Page<T>> {
  const inSealed = after !== undefined && !after.startsWith(PLAIN)
  // One extra row shows whether there is a next page.
  const limit = size + 1
  const rows: [key: string, entry: T][] = []
  if (mayHavePlain(form) && !inSealed) {
    const found = await plain({ after: after?.slice(PLAIN.length), limit })
    rows.push(...found.map(([key, entry]): [string, T] => [PLAIN + key, entry]))
  }
  if (rows.length < limit) {
    rows.push(...(await sealed({ after: inSealed ? after : undefined, limit: limit - rows.length })))
  }
  const page = rows.slice(0, size)
  return { entries: page.map(([, entry]) => entry), next: rows.length > size ? page.at(-1)?.[0] : undefined }
}

/** Counts the entries of a list up to a quota. A row that cannot be opened is no entry, so forged rows do not fill a quota. */
export async function countEntries<T>(
  quota: number,
  list: (request: PageRequest) => Promise<Page<T>>,
): Promise<number> {
  let count = 0
  let after: string | undefined
  do {
    const { entries, next } = await list({ after, size: COUNT_ROWS })
    count += entries.length
    after = next
  } while (after !== undefined && count < quota)
  return count
}
