import { SealBrokenError } from '../keys/pool-keys.ts'
import { ONLY } from '../store/kinds.ts'
import type { Row } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import { RowExistsError, type Transaction } from '../store/write.ts'
import { openDocument, parseDocument, sealDocument } from './document.ts'
import type { OpenPool } from './open-pool.ts'

/*
 * Groups of a pool and their members.
 *
 *   sealed-group   key: keyed hash of the name            body: Group, sealed
 *   sealed-member  key: `<hash of the name>/<sub>`        body: sealed; index: group (the hash), sub
 *
 * The first release stored both in plain text, as kinds `group` (key: the name) and `member` (key: `<name>/<sub>`, index:
 * group_name, sub). The `form` of the pool says which kinds hold rows: absent, the plain kinds; `sealing`, both, and writes go to
 * the sealed kinds; `sealed`, the sealed kinds only (identity/pools/sealing.ts, docs/decisions/sealing.md).
 *
 * A membership counts only if its sealed body opens for its key: an index column finds candidates and proves nothing.
 */

/** Body of a `group` row. Times are ms since the epoch. */
export interface GroupDocument {
  Description?: string | undefined
  RoleArn?: string | undefined
  Precedence?: number | undefined
  created: number
  modified: number
}

export interface Group extends GroupDocument {
  name: string
}

export interface Member {
  group: string
  sub: string
}

type Reader = Pick<Store, 'find' | 'list' | 'count'>

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

type Form = OpenPool['pool']['document']['form']
const formOf = ({ pool }: OpenPool): Form => pool.document.form
const mayHavePlain = (form: Form): boolean => form !== 'sealed'

/** The form that holds until the transaction ends: `sealed` never changes; otherwise the pool is locked. */
async function lockForm(tx: Transaction, openPool: OpenPool): Promise<Form> {
  if (formOf(openPool) === 'sealed') return 'sealed'
  const row = await tx.lock('pool', { pool: openPool.pool.id, key: ONLY })
  return row && parseDocument('pool', row).form
}

export async function findGroup(db: Pick<Store, 'find'>, openPool: OpenPool, name: string): Promise<Group | undefined> {
  const form = formOf(openPool)
  // The plain kind first: a row that moves between the two reads is seen in both, not in neither.
  const plain = mayHavePlain(form) ? await db.find('group', plainAddress(openPool, name)) : undefined
  const sealed = await db.find('sealed-group', sealedAddress(openPool, name))
  return (sealed && openGroup(openPool, sealed)) ?? (plain && toGroup(plain))
}

export async function lockGroup(tx: Transaction, openPool: OpenPool, name: string): Promise<Group | undefined> {
  const form = await lockForm(tx, openPool)
  const sealed = await tx.lock('sealed-group', sealedAddress(openPool, name))
  const group = sealed && openGroup(openPool, sealed)
  if (group) return group
  const plain = mayHavePlain(form) ? await tx.lock('group', plainAddress(openPool, name)) : undefined
  return plain && toGroup(plain)
}

export async function countGroups(db: Pick<Reader, 'count'>, { pool }: OpenPool): Promise<number> {
  const { form } = pool.document
  const sealed = await db.count('sealed-group', { pool: pool.id })
  return sealed + (mayHavePlain(form) ? await db.count('group', { pool: pool.id }) : 0)
}

export async function listGroups(
  db: Pick<Reader, 'list'>,
  openPool: OpenPool,
  request: PageRequest,
): Promise<Page<Group>> {
  const pool = openPool.pool.id
  const { entries, next } = await pageOver<Group | undefined>(formOf(openPool), request, {
    sealed: async (query) =>
      (await db.list('sealed-group', { pool, ...query })).map((row) => [row.key, openGroup(openPool, row)]),
    plain: async (query) => (await db.list('group', { pool, ...query })).map((row) => [row.key, toGroup(row)]),
  })
  const groups = entries.filter((group) => group !== undefined)
  return { entries: [...new Map(groups.map((group) => [group.name, group])).values()], next }
}

/** Throws RowExistsError. */
export async function insertGroup(tx: Transaction, openPool: OpenPool, group: Group): Promise<void> {
  if (await lockGroup(tx, openPool, group.name)) throw new RowExistsError('sealed-group')
  await putGroup(tx, openPool, group)
}

export async function putGroup(tx: Transaction, openPool: OpenPool, group: Group): Promise<void> {
  const { name, ...document } = group
  if ((await lockForm(tx, openPool)) === undefined) {
    await tx.put('group', { ...plainAddress(openPool, name), body: JSON.stringify(document satisfies GroupDocument) })
    return
  }
  const address = sealedAddress(openPool, name)
  await tx.put('sealed-group', { ...address, body: sealDocument(openPool, 'sealed-group', address.key, group) })
  await removePlain(tx, openPool, 'group', plainAddress(openPool, name))
}

export async function removeGroup(tx: Transaction, openPool: OpenPool, name: string): Promise<void> {
  await lockForm(tx, openPool)
  await tx.remove('sealed-group', sealedAddress(openPool, name))
  await removePlain(tx, openPool, 'group', plainAddress(openPool, name))
}

/** Locks a membership; returns whether it exists. */
export async function lockMember(tx: Transaction, openPool: OpenPool, member: Member): Promise<boolean> {
  const form = await lockForm(tx, openPool)
  const sealed = await tx.lock('sealed-member', sealedMember(openPool, member))
  if (sealed && openMember(openPool, sealed, member)) return true
  return mayHavePlain(form) && (await tx.lock('member', plainMember(openPool, member))) !== undefined
}

export async function putMember(tx: Transaction, openPool: OpenPool, member: Member): Promise<void> {
  const { group, sub } = member
  if ((await lockForm(tx, openPool)) === undefined) {
    await tx.put('member', { ...plainMember(openPool, member), body: '{}', fields: { group_name: group, sub } })
    return
  }
  const address = sealedMember(openPool, member)
  const body = sealDocument(openPool, 'sealed-member', address.key, { group })
  await tx.put('sealed-member', { ...address, body, fields: { group: hashOf(openPool, group), sub } })
  await removePlain(tx, openPool, 'member', plainMember(openPool, member))
}

export async function removeMember(tx: Transaction, openPool: OpenPool, member: Member): Promise<void> {
  // Without the lock, the row could move to the sealed kind after it was removed from there.
  await lockForm(tx, openPool)
  await tx.remove('sealed-member', sealedMember(openPool, member))
  await removePlain(tx, openPool, 'member', plainMember(openPool, member))
}

/** Removes up to `limit` members of a group; returns how many it removed. */
export async function removeMembers(
  tx: Transaction,
  openPool: OpenPool,
  { group, limit }: { group: string; limit: number },
): Promise<number> {
  const pool = openPool.pool.id
  await lockForm(tx, openPool)
  const sealed = await tx.list('sealed-member', { pool, where: { group: hashOf(openPool, group) }, limit })
  for (const { key } of sealed) await tx.remove('sealed-member', { pool, key })
  if (!mayHavePlain(formOf(openPool)) || sealed.length === limit) return sealed.length
  const plain = await tx.list('member', { pool, where: { group_name: group }, limit: limit - sealed.length })
  for (const { key } of plain) await tx.remove('member', { pool, key })
  return sealed.length + plain.length
}

/** Counts the groups of a user. */
export async function countGroupsOf(db: Pick<Reader, 'count'>, { pool }: OpenPool, sub: string): Promise<number> {
  const { form } = pool.document
  const sealed = await db.count('sealed-member', { pool: pool.id, where: { sub } })
  return sealed + (mayHavePlain(form) ? await db.count('member', { pool: pool.id, where: { sub } }) : 0)
}

/** Lists the groups of a user. */
export async function listGroupsOf(
  db: Pick<Reader, 'find' | 'list'>,
  openPool: OpenPool,
  sub: string,
  request: PageRequest,
): Promise<Page<Group>> {
  const pool = openPool.pool.id
  const { entries, next } = await pageOver<string | undefined>(formOf(openPool), request, {
    sealed: async (query) =>
      (await db.list('sealed-member', { pool, where: { sub }, ...query })).map((row) => [
        row.key,
        openMember(openPool, row, { sub })?.group,
      ]),
    plain: async (query) =>
      (await db.list('member', { pool, where: { sub }, ...query })).map(({ key, fields }) => [
        key,
        fields.group_name ?? undefined,
      ]),
  })
  const names = [...new Set(entries)].filter((name) => name !== undefined)
  const groups = await Promise.all(names.map((name) => findGroup(db, openPool, name)))
  return { entries: groups.filter((group) => group !== undefined), next }
}

/** Lists the subs of the users in a group. */
export async function listMembers(
  db: Pick<Reader, 'list'>,
  openPool: OpenPool,
  group: string,
  request: PageRequest,
): Promise<Page<string>> {
  const pool = openPool.pool.id
  const hash = hashOf(openPool, group)
  const { entries, next } = await pageOver<string | undefined>(formOf(openPool), request, {
    sealed: async (query) =>
      (await db.list('sealed-member', { pool, where: { group: hash }, ...query })).map((row) => [
        row.key,
        openMember(openPool, row, { group })?.sub,
      ]),
    plain: async (query) =>
      (await db.list('member', { pool, where: { group_name: group }, ...query })).map(({ key, fields }) => [
        key,
        fields.sub ?? undefined,
      ]),
  })
  return { entries: [...new Set(entries)].filter((sub) => sub !== undefined), next }
}

/** Moves up to `limit` rows from the plain kinds to the sealed kinds; returns how many it moved. */
export async function sealBatch(tx: Transaction, openPool: OpenPool, limit: number): Promise<number> {
  const pool = openPool.pool.id
  // Before any row, in the order of all other writers.
  if ((await lockForm(tx, openPool)) !== 'sealing') return 0
  const groups = await tx.list('group', { pool, limit })
  for (const { key } of groups) {
    const row = await tx.lock('group', { pool, key })
    if (row) await putGroup(tx, openPool, toGroup(row))
  }
  const members = await tx.list('member', { pool, limit: limit - groups.length })
  for (const { key } of members) {
    const row = await tx.lock('member', { pool, key })
    const { group_name: group, sub } = row?.fields ?? {}
    if (group && sub) await putMember(tx, openPool, { group, sub })
  }
  return groups.length + members.length
}

/** Skips the statement where no plain row can exist. */
async function removePlain(
  tx: Transaction,
  openPool: OpenPool,
  kind: 'group' | 'member',
  address: { pool: string; key: string },
): Promise<void> {
  if (mayHavePlain(formOf(openPool))) await tx.remove(kind, address)
}

const SUB_CHARACTERS = 36

/** Returns undefined for a row that the pool's key did not seal for this key, or that belongs to another user or group than requested. */
function openMember(openPool: OpenPool, row: Row<'sealed-member'>, wanted: Partial<Member>): Member | undefined {
  const document = openSealed(openPool, 'sealed-member', row)
  if (!document) return undefined
  const { group } = document
  const sub = row.key.slice(-SUB_CHARACTERS)
  const isWanted = (wanted.sub ?? sub) === sub && (wanted.group ?? group) === group
  return isWanted && row.key === memberKey(hashOf(openPool, group), sub) ? { group, sub } : undefined
}

/** Returns undefined for a row that the pool's key did not seal for this key. */
const openGroup = (openPool: OpenPool, row: Row<'sealed-group'>): Group | undefined =>
  openSealed(openPool, 'sealed-group', row)

function openSealed<K extends 'sealed-group' | 'sealed-member'>(openPool: OpenPool, kind: K, row: Row<K>) {
  try {
    return openDocument(openPool, kind, row)
  } catch (error) {
    if (error instanceof SealBrokenError) return undefined
    throw error
  }
}

const toGroup = (row: Row<'group'>): Group => ({ name: row.key, ...parseDocument('group', row) })

const hashOf = ({ cipher }: OpenPool, name: string): string => cipher.index('group', name)
const memberKey = (hash: string, sub: string): string => `${hash}/${sub}`
const plainAddress = ({ pool }: OpenPool, name: string) => ({ pool: pool.id, key: name })
const sealedAddress = (openPool: OpenPool, name: string) => ({ pool: openPool.pool.id, key: hashOf(openPool, name) })
const plainMember = ({ pool }: OpenPool, { group, sub }: Member) => ({ pool: pool.id, key: `${group}/${sub}` })
const sealedMember = (openPool: OpenPool, { group, sub }: Member) => ({
  pool: openPool.pool.id,
  key: memberKey(hashOf(openPool, group), sub),
})

type ListRows<T> = (query: { after: string | undefined; limit: number }) => Promise<[key: string, entry: T][]>

/** Prefix of `next` when it is a key of a plain kind. */
const PLAIN = 'plain\n'

/**
 * One page over the plain rows if the form allows any, then over the sealed rows; each part in key order. Rows move from the plain kinds
 * to the sealed kinds, so in this order a row that moves meanwhile may be listed twice, but is never missed.
 */
async function pageOver<T>(
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
