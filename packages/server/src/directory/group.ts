import type { Row } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { parseDocument } from './document.ts'
import type { OpenPool } from './open-pool.ts'

/**
 * Groups of a pool, and who is in them.
 *
 *   group   key: the name                body: GroupDocument
 *   member  key: `<group name>/<sub>`    index: group_name, sub
 *
 * A group's name may contain a slash; a member's key still has one meaning, for a sub always has 36 characters. Members are
 * looked for by the index columns, never by a prefix of the key, which `a/` and `a/b/` would share.
 */
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

type Reading = Pick<Store, 'find' | 'list' | 'count'>

/** One page of rows in the order of their keys. `next` is the key after which the following page begins, if there is one. */
export interface PageOf<T> {
  entries: T[]
  next: string | undefined
}

interface PageWanted {
  after: string | undefined
  size: number
}

export async function findGroup(db: Pick<Store, 'find'>, { pool }: OpenPool, name: string): Promise<Group | undefined> {
  const row = await db.find('group', { pool: pool.id, key: name })
  return row && toGroup(row)
}

export async function lockGroup(tx: Transaction, { pool }: OpenPool, name: string): Promise<Group | undefined> {
  const row = await tx.lock('group', { pool: pool.id, key: name })
  return row && toGroup(row)
}

export const countGroups = (db: Pick<Reading, 'count'>, { pool }: OpenPool): Promise<number> =>
  db.count('group', { pool: pool.id })

export async function listGroups(
  db: Pick<Reading, 'list'>,
  { pool }: OpenPool,
  wanted: PageWanted,
): Promise<PageOf<Group>> {
  const rows = await db.list('group', { pool: pool.id, ...queryOf(wanted) })
  return pageOf(rows, wanted, toGroup)
}

/** Writes a new group. Throws RowExistsError. */
export async function insertGroup(tx: Transaction, openPool: OpenPool, group: Group): Promise<void> {
  await tx.insert('group', draftOf(openPool, group))
}

export async function putGroup(tx: Transaction, openPool: OpenPool, group: Group): Promise<void> {
  await tx.put('group', draftOf(openPool, group))
}

export async function removeGroup(tx: Transaction, { pool }: OpenPool, name: string): Promise<void> {
  await tx.remove('group', { pool: pool.id, key: name })
}

/** Reads whether a user is in a group, in order to change it. */
export const lockMember = async (tx: Transaction, openPool: OpenPool, member: Member): Promise<boolean> =>
  (await tx.lock('member', addressOf(openPool, member))) !== undefined

export interface Member {
  group: string
  sub: string
}

export async function putMember(tx: Transaction, openPool: OpenPool, member: Member): Promise<void> {
  const fields = { group_name: member.group, sub: member.sub }
  await tx.put('member', { ...addressOf(openPool, member), body: '{}', fields })
}

export async function removeMember(tx: Transaction, openPool: OpenPool, member: Member): Promise<void> {
  await tx.remove('member', addressOf(openPool, member))
}

/** Removes up to `limit` members of a group; returns how many there were. */
export async function removeMembers(
  tx: Transaction,
  { pool }: OpenPool,
  { group, limit }: { group: string; limit: number },
): Promise<number> {
  const rows = await tx.list('member', { pool: pool.id, where: { group_name: group }, limit })
  for (const { key } of rows) await tx.remove('member', { pool: pool.id, key })
  return rows.length
}

/** In how many groups a user is. */
export const countGroupsOf = (db: Pick<Reading, 'count'>, { pool }: OpenPool, sub: string): Promise<number> =>
  db.count('member', { pool: pool.id, where: { sub } })

/** The groups that a user is in. */
export async function listGroupsOf(
  db: Pick<Reading, 'find' | 'list'>,
  openPool: OpenPool,
  sub: string,
  wanted: PageWanted,
): Promise<PageOf<Group>> {
  const rows = await db.list('member', { pool: openPool.pool.id, where: { sub }, ...queryOf(wanted) })
  const { entries, next } = pageOf(rows, wanted, ({ fields }) => fields.group_name as string)
  const groups = await Promise.all(entries.map((name) => findGroup(db, openPool, name)))
  return { entries: groups.filter((group) => group !== undefined), next }
}

/** The subs of the users in a group. */
export async function listMembers(
  db: Pick<Reading, 'list'>,
  { pool }: OpenPool,
  group: string,
  wanted: PageWanted,
): Promise<PageOf<string>> {
  const rows = await db.list('member', { pool: pool.id, where: { group_name: group }, ...queryOf(wanted) })
  return pageOf(rows, wanted, ({ fields }) => fields.sub as string)
}

const toGroup = (row: Row<'group'>): Group => ({ name: row.key, ...parseDocument('group', row) })

const draftOf = ({ pool }: OpenPool, { name, ...document }: Group) => ({
  pool: pool.id,
  key: name,
  body: JSON.stringify(document satisfies GroupDocument),
})

const addressOf = ({ pool }: OpenPool, { group, sub }: Member) => ({ pool: pool.id, key: `${group}/${sub}` })

/** One row more than the page has room for shows whether there is a next one. */
const queryOf = ({ after, size }: PageWanted) => ({ after, limit: size + 1 })

function pageOf<R extends { key: string }, T>(rows: R[], { size }: PageWanted, read: (row: R) => T): PageOf<T> {
  const page = rows.slice(0, size)
  return { entries: page.map(read), next: rows.length > size ? page.at(-1)?.key : undefined }
}
