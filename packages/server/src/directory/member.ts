import type { Row } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { findDocument, sealDocument } from './document.ts'
import { findGroup, type Group } from './group.ts'
import {
  countEntries,
  hashOf,
  lockForm,
  mayHavePlain,
  type Page,
  type PageRequest,
  pageOver,
  removePlain,
} from './group-rows.ts'
import { formOf, type OpenPool } from './open-pool.ts'

/** The membership of a user in a group. */
export interface Member {
  group: string
  sub: string
}

type Reader = Pick<Store, 'find' | 'list' | 'count'>

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
  await tx.removeAll('sealed-member', { pool, keys: sealed.map(({ key }) => key) })
  if (!mayHavePlain(formOf(openPool)) || sealed.length === limit) return sealed.length
  const plain = await tx.list('member', { pool, where: { group_name: group }, limit: limit - sealed.length })
  await tx.removeAll('member', { pool, keys: plain.map(({ key }) => key) })
  return sealed.length + plain.length
}

/** Counts the groups of a user; exact below the quota. */
export async function countGroupsOf(db: Reader, openPool: OpenPool, sub: string, quota: number): Promise<number> {
  const pool = openPool.pool.id
  const form = formOf(openPool)
  const sealed = await db.count('sealed-member', { pool, where: { sub } })
  const rows = sealed + (mayHavePlain(form) ? await db.count('member', { pool, where: { sub } }) : 0)
  return rows < quota ? rows : countEntries(quota, (request) => listGroupsOf(db, openPool, sub, request))
}

/** Lists the groups of a user. */
export async function listGroupsOf(
  db: Pick<Reader, 'find' | 'list'>,
  openPool: OpenPool,
  sub: string,
  request: PageRequest,
): Promise<Page<Group>> {
  const { entries, next } = await listNamesOf(db, openPool, sub, request)
  const groups = await Promise.all(entries.map((name) => findGroup(db, openPool, name)))
  return { entries: groups.filter((group) => group !== undefined), next }
}

async function listNamesOf(
  db: Pick<Reader, 'list'>,
  openPool: OpenPool,
  sub: string,
  request: PageRequest,
): Promise<Page<string>> {
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
  return { entries: [...new Set(entries)].filter((name) => name !== undefined), next }
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

const SUB_CHARACTERS = 36

/** Returns undefined for a row that the pool's key did not seal for this key, or that belongs to another user or group than requested. */
function openMember(openPool: OpenPool, row: Row<'sealed-member'>, wanted: Partial<Member>): Member | undefined {
  const document = findDocument(openPool, 'sealed-member', row)
  if (!document) return undefined
  const { group } = document
  const sub = row.key.slice(-SUB_CHARACTERS)
  const isWanted = (wanted.sub ?? sub) === sub && (wanted.group ?? group) === group
  return isWanted && row.key === memberKey(hashOf(openPool, group), sub) ? { group, sub } : undefined
}

const memberKey = (hash: string, sub: string): string => `${hash}/${sub}`
const plainMember = ({ pool }: OpenPool, { group, sub }: Member) => ({ pool: pool.id, key: `${group}/${sub}` })
const sealedMember = (openPool: OpenPool, { group, sub }: Member) => ({
  pool: openPool.pool.id,
  key: memberKey(hashOf(openPool, group), sub),
})
