import { SealBrokenError } from '../keys/pool-keys.ts'
import { ONLY } from '../store/kinds.ts'
import type { Row } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import { RowExistsError, type Transaction } from '../store/write.ts'
import { openDocument, parseDocument, sealDocument } from './document.ts'
import type { OpenPool } from './open-pool.ts'

/**
 * Groups of a pool, and who is in them.
 *
 *   sealed-group   key: keyed hash of the name            body: Group, sealed
 *   sealed-member  key: `<hash of the name>/<sub>`        body: sealed; index: group (the hash), sub
 *
 * The first release kept both in the clear, under the kinds `group` (key: the name) and `member` (key: `<name>/<sub>`, index:
 * group_name, sub). The `form` of the pool says where rows are: absent, in the old kinds; `sealing`, in either, and writes go to
 * the sealed ones; `sealed`, in the sealed ones alone (sealing.ts, docs/decisions/sealing.md).
 *
 * A membership counts only if its sealed body opens for its key: index columns are looked up by, never believed.
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

export interface Member {
  group: string
  sub: string
}

type Reading = Pick<Store, 'find' | 'list' | 'count'>

/** One page of a list. `next` is where the following page begins, if there is one. */
export interface Page<T> {
  entries: T[]
  next: string | undefined
}

export interface PageRequest {
  /** `next` of the page before. */
  after: string | undefined
  size: number
}

type Form = OpenPool['pool']['document']['form']
const formOf = ({ pool }: OpenPool): Form => pool.document.form
const hasPlain = (form: Form): boolean => form !== 'sealed'
const hasSealed = (form: Form): boolean => form !== undefined

/** The form as it is when the transaction ends: `sealed` is for good, before that the pool is locked. */
async function formIn(tx: Transaction, openPool: OpenPool): Promise<Form> {
  if (formOf(openPool) === 'sealed') return 'sealed'
  const row = await tx.lock('pool', { pool: openPool.pool.id, key: ONLY })
  return row && parseDocument('pool', row).form
}

export async function findGroup(db: Pick<Store, 'find'>, openPool: OpenPool, name: string): Promise<Group | undefined> {
  const form = formOf(openPool)
  const sealed = hasSealed(form) ? await db.find('sealed-group', sealedAddress(openPool, name)) : undefined
  if (sealed) return openGroup(openPool, sealed)
  const plain = hasPlain(form) ? await db.find('group', plainAddress(openPool, name)) : undefined
  return plain && toGroup(plain)
}

/** Reads a group that is to be written. */
export async function lockGroup(tx: Transaction, openPool: OpenPool, name: string): Promise<Group | undefined> {
  const form = await formIn(tx, openPool)
  const sealed = hasSealed(form) ? await tx.lock('sealed-group', sealedAddress(openPool, name)) : undefined
  if (sealed) return openGroup(openPool, sealed)
  const plain = hasPlain(form) ? await tx.lock('group', plainAddress(openPool, name)) : undefined
  return plain && toGroup(plain)
}

export async function countGroups(db: Pick<Reading, 'count'>, { pool }: OpenPool): Promise<number> {
  const { form } = pool.document
  const sealed = hasSealed(form) ? await db.count('sealed-group', { pool: pool.id }) : 0
  return sealed + (hasPlain(form) ? await db.count('group', { pool: pool.id }) : 0)
}

export function listGroups(db: Pick<Reading, 'list'>, openPool: OpenPool, wanted: PageRequest): Promise<Page<Group>> {
  const pool = openPool.pool.id
  return pageOver(formOf(openPool), wanted, {
    sealed: async (query) =>
      (await db.list('sealed-group', { pool, ...query })).map((row) => [row.key, openGroup(openPool, row)]),
    plain: async (query) => (await db.list('group', { pool, ...query })).map((row) => [row.key, toGroup(row)]),
  })
}

/** Writes a new group. Throws RowExistsError. */
export async function insertGroup(tx: Transaction, openPool: OpenPool, group: Group): Promise<void> {
  if (await lockGroup(tx, openPool, group.name)) throw new RowExistsError('sealed-group')
  await putGroup(tx, openPool, group)
}

export async function putGroup(tx: Transaction, openPool: OpenPool, group: Group): Promise<void> {
  const { name, ...document } = group
  if ((await formIn(tx, openPool)) === undefined) {
    await tx.put('group', { ...plainAddress(openPool, name), body: JSON.stringify(document satisfies GroupDocument) })
    return
  }
  const address = sealedAddress(openPool, name)
  await tx.put('sealed-group', { ...address, body: sealDocument(openPool, 'sealed-group', address.key, group) })
  await removePlain(tx, openPool, 'group', plainAddress(openPool, name))
}

export async function removeGroup(tx: Transaction, openPool: OpenPool, name: string): Promise<void> {
  await tx.remove('sealed-group', sealedAddress(openPool, name))
  await removePlain(tx, openPool, 'group', plainAddress(openPool, name))
}

/** Reads whether a user is in a group, in order to change it. */
export async function lockMember(tx: Transaction, openPool: OpenPool, member: Member): Promise<boolean> {
  const form = await formIn(tx, openPool)
  if (hasSealed(form) && (await tx.lock('sealed-member', sealedMember(openPool, member)))) return true
  return hasPlain(form) && (await tx.lock('member', plainMember(openPool, member))) !== undefined
}

export async function putMember(tx: Transaction, openPool: OpenPool, member: Member): Promise<void> {
  const { group, sub } = member
  if ((await formIn(tx, openPool)) === undefined) {
    await tx.put('member', { ...plainMember(openPool, member), body: '{}', fields: { group_name: group, sub } })
    return
  }
  const address = sealedMember(openPool, member)
  const body = sealDocument(openPool, 'sealed-member', address.key, { group })
  await tx.put('sealed-member', { ...address, body, fields: { group: hashOf(openPool, group), sub } })
  await removePlain(tx, openPool, 'member', plainMember(openPool, member))
}

export async function removeMember(tx: Transaction, openPool: OpenPool, member: Member): Promise<void> {
  await tx.remove('sealed-member', sealedMember(openPool, member))
  await removePlain(tx, openPool, 'member', plainMember(openPool, member))
}

/** Removes up to `limit` members of a group; returns how many there were. */
export async function removeMembers(
  tx: Transaction,
  openPool: OpenPool,
  { group, limit }: { group: string; limit: number },
): Promise<number> {
  const pool = openPool.pool.id
  const sealed = await tx.list('sealed-member', { pool, where: { group: hashOf(openPool, group) }, limit })
  for (const { key } of sealed) await tx.remove('sealed-member', { pool, key })
  if (!hasPlain(formOf(openPool)) || sealed.length === limit) return sealed.length
  const plain = await tx.list('member', { pool, where: { group_name: group }, limit: limit - sealed.length })
  for (const { key } of plain) await tx.remove('member', { pool, key })
  return sealed.length + plain.length
}

/** In how many groups a user is. */
export async function countGroupsOf(db: Pick<Reading, 'count'>, { pool }: OpenPool, sub: string): Promise<number> {
  const { form } = pool.document
  const sealed = hasSealed(form) ? await db.count('sealed-member', { pool: pool.id, where: { sub } }) : 0
  return sealed + (hasPlain(form) ? await db.count('member', { pool: pool.id, where: { sub } }) : 0)
}

/** The groups that a user is in. */
export async function listGroupsOf(
  db: Pick<Reading, 'find' | 'list'>,
  openPool: OpenPool,
  sub: string,
  wanted: PageRequest,
): Promise<Page<Group>> {
  const pool = openPool.pool.id
  const { entries, next } = await pageOver<string | undefined>(formOf(openPool), wanted, {
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
  const names = entries.filter((name) => name !== undefined)
  const groups = await Promise.all(names.map((name) => findGroup(db, openPool, name)))
  return { entries: groups.filter((group) => group !== undefined), next }
}

/** The subs of the users in a group. */
export async function listMembers(
  db: Pick<Reading, 'list'>,
  openPool: OpenPool,
  group: string,
  wanted: PageRequest,
): Promise<Page<string>> {
  const pool = openPool.pool.id
  const hash = hashOf(openPool, group)
  const { entries, next } = await pageOver<string | undefined>(formOf(openPool), wanted, {
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
  return { entries: entries.filter((sub) => sub !== undefined), next }
}

/** Moves up to `limit` rows of the old kinds to the sealed ones; returns how many there were. */
export async function sealBatch(tx: Transaction, openPool: OpenPool, limit: number): Promise<number> {
  const pool = openPool.pool.id
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

/** Rows of the old kinds are looked for only where there can be some. */
async function removePlain(
  tx: Transaction,
  openPool: OpenPool,
  kind: 'group' | 'member',
  address: { pool: string; key: string },
): Promise<void> {
  if (hasPlain(formOf(openPool))) await tx.remove(kind, address)
}

const SUB_CHARACTERS = 36

/** Undefined for a row that the pool's key did not seal for this key, or that is about another user or group than was asked for. */
function openMember(openPool: OpenPool, row: Row<'sealed-member'>, wanted: Partial<Member>): Member | undefined {
  try {
    const { group } = openDocument(openPool, 'sealed-member', row)
    const sub = row.key.slice(-SUB_CHARACTERS)
    const isWanted = (wanted.sub ?? sub) === sub && (wanted.group ?? group) === group
    return isWanted && row.key === memberKey(hashOf(openPool, group), sub) ? { group, sub } : undefined
  } catch (error) {
    if (error instanceof SealBrokenError) return undefined
    throw error
  }
}

const openGroup = (openPool: OpenPool, row: Row<'sealed-group'>): Group => openDocument(openPool, 'sealed-group', row)
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

type ReadRows<T> = (query: { after: string | undefined; limit: number }) => Promise<[key: string, entry: T][]>

/** Before a key of the old kinds, in the token of a page. */
const PLAIN = 'plain\n'

/** A page over the sealed rows and then, where there can be any, over those of the old kinds, in the order of the keys. */
async function pageOver<T>(
  form: Form,
  { after, size }: PageRequest,
  { sealed, plain }: { sealed: ReadRows<T>; plain: ReadRows<T> },
): Promise<Page<T>> {
  const inPlain = after?.startsWith(PLAIN) ?? false
  // One row more than the page has room for shows whether there is a next one.
  const limit = size + 1
  const rows = hasSealed(form) && !inPlain ? await sealed({ after, limit }) : []
  if (hasPlain(form) && rows.length < limit) {
    const from = inPlain ? after?.slice(PLAIN.length) : undefined
    const more = await plain({ after: from, limit: limit - rows.length })
    rows.push(...more.map(([key, entry]): [string, T] => [PLAIN + key, entry]))
  }
  const page = rows.slice(0, size)
  return { entries: page.map(([, entry]) => entry), next: rows.length > size ? page.at(-1)?.[0] : undefined }
}
