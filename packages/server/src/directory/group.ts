import { CognitoError } from '../errors.ts'
import type { Row } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { findDocument, parseDocument, sealDocument } from './document.ts'
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

type Reader = Pick<Store, 'list' | 'count'>

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

/** Counts the groups of a pool; exact below the quota. */
export async function countGroups(db: Reader, openPool: OpenPool, quota: number): Promise<number> {
  const pool = openPool.pool.id
  const form = formOf(openPool)
  const sealed = await db.count('sealed-group', { pool })
  const rows = sealed + (mayHavePlain(form) ? await db.count('group', { pool }) : 0)
  return rows < quota ? rows : countEntries(quota, (request) => listGroups(db, openPool, request))
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

export const groupNotFound = (): CognitoError => new CognitoError('ResourceNotFoundException', 'Group not found.')

const openGroup = (openPool: OpenPool, row: Row<'sealed-group'>): Group | undefined =>
  findDocument(openPool, 'sealed-group', row)

export const toGroup = (row: Row<'group'>): Group => ({ name: row.key, ...parseDocument('group', row) })

const plainAddress = ({ pool }: OpenPool, name: string) => ({ pool: pool.id, key: name })
const sealedAddress = (openPool: OpenPool, name: string) => ({ pool: openPool.pool.id, key: hashOf(openPool, name) })
