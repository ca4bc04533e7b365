import type { UserStatusType } from '@aws-sdk/client-cognito-identity-provider'
import { CognitoError, notAuthorized } from '../errors.ts'
import { noteSubject } from '../events/request-scope.ts'
import { newestOf } from '../replication/freshness.ts'
import { INDEXED_ATTRIBUTES, type IndexedAttribute } from '../store/kinds.ts'
import { removeOwned } from '../store/owned.ts'
import type { Row, Way } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import { RowExistsError, type Transaction } from '../store/write.ts'
import {
  type Alias,
  type AliasType,
  activeAliases,
  aliasTypesOf,
  findHolders,
  indexOf,
  insertAlias,
  lockAlias,
  normalize,
  waysOf,
  waysOrNext,
} from './alias.ts'
import { findDocument, sealDocument } from './document.ts'
import type { OpenPool } from './open-pool.ts'
import type { Pool } from './pool.ts'

/** Body of a `user` row, sealed. Times are ms since the epoch; attribute values are strings, as on the wire. */
export interface UserDocument {
  sub: string
  /** The username as given at creation; in pools with UsernameAttributes, the sub. */
  username: string
  attributes: Record<string, string>
  status: UserStatusType
  enabled: boolean
  created: number
  modified: number
  /** When the temporary password was set; TemporaryPasswordValidityDays counts from here. */
  temporarySince?: number
  mfa?: { preferred?: string; enabled?: string[] }
}

export interface User extends UserDocument {
  pool: string
}

type Reader =
  | Pick<Store, 'find' | 'findFirst' | 'list' | 'db'>
  | Pick<Transaction, 'find' | 'findFirst' | 'list' | 'connection'>

export async function findUserBySub(
  db: Pick<Reader, 'find'>,
  openPool: OpenPool,
  sub: string,
): Promise<User | undefined> {
  const row = await db.find('user', { pool: openPool.pool.id, key: sub })
  return row && openUser(openPool, row)
}

/**
 * Finds a user by a name as typed: the username, the sub, or an active alias (an e-mail address or a phone number becomes
 * active when it is verified; with UsernameAttributes, at once). Spellings that `normalize` makes equal are one name.
 */
export async function findUser(db: Reader, openPool: OpenPool, name: string): Promise<User | undefined> {
  const { pool } = openPool
  if (pool.isCopiedAgain) return findUserDuringCopy(db, openPool, name)
  const row = await db.findFirst('user', { pool: pool.id, ways: waysOf(openPool, name) })
  const namesake = row && openUser(openPool, row)
  // Index columns and aliases are not sealed: they find candidates, and the sealed document decides.
  if (namesake && hasName(pool, namesake, { type: 'username', value: name })) return namesake
  if (UUID.test(name)) {
    const bySub = await findUserBySub(db, openPool, name)
    if (bySub) return bySub
  }
  for (const type of aliasTypesFor(pool, name)) {
    for (const sub of await findHolders(db, openPool, { type, value: name })) {
      const user = await findUserBySub(db, openPool, sub)
      if (user && hasName(pool, user, { type, value: name })) return user
    }
  }
  return undefined
}

/**
 * Like findUser, with the same work whether or not a user has the name: all lookups are made, and one that misses reads another user's
 * row in the same statement, over the same pages of the index. `other`: that user, whose other rows the caller reads in place of the
 * missing user's; undefined in an empty pool, and while the pool is copied again.
 */
export async function findUserOrOther(
  db: Reader,
  openPool: OpenPool,
  name: string,
): Promise<{ user: User | undefined; other: User | undefined }> {
  const { pool } = openPool
  let user: User | undefined
  let other: User | undefined
  if (pool.isCopiedAgain) return { user: await findUserDuringCopy(db, openPool, name), other }
  const consider = async (way: Way<'user'>, isWanted: (user: User) => boolean): Promise<void> => {
    const row = await db.findFirst('user', { pool: pool.id, ways: [way] })
    const read = row && openUser(openPool, row)
    if (read && isWanted(read)) user ??= read
    else other = read
  }
  for (const type of ['username', ...aliasTypesFor(pool, name)] as const) {
    const alias = { type, value: name }
    for (const way of waysOrNext(openPool, alias)) await consider(way, (read) => hasName(pool, read, alias))
  }
  if (UUID.test(name)) await consider({ near: name }, ({ sub }) => sub === name)
  return { user, other }
}

/** The types of alias that the name may be. */
export const aliasTypesFor = (pool: Pool, name: string): readonly Exclude<AliasType, 'username'>[] =>
  aliasTypesOf(pool).filter((type) => looksLike(type, name))

async function findUserDuringCopy(db: Reader, openPool: OpenPool, name: string): Promise<User | undefined> {
  const namesake = await findHolder(db, openPool, { type: 'username', value: name })
  if (namesake) return namesake
  if (UUID.test(name)) {
    const bySub = await findUserBySub(db, openPool, name)
    if (bySub) return bySub
  }
  for (const type of aliasTypesFor(openPool.pool, name)) {
    const user = await findHolder(db, openPool, { type, value: name })
    if (user) return user
  }
  // A username in another form than the one that was typed.
  for (const sub of await findHolders(db, openPool, { type: 'username', value: name })) {
    const user = await findUserBySub(db, openPool, sub)
    if (user && hasName(openPool.pool, user, { type: 'username', value: name })) return user
  }
  return undefined
}

/** More users than this have one unconfirmed address only by intent; then the rows that an index finds first decide. */
const MAX_CLAIMS = 100

/**
 * The one user who has a name while the pool is copied again. A name may have moved from one user to another since: the old user's
 * row is still there when the new user's row arrives, and the alias row follows later. So the rows of all users with the name decide,
 * not the alias row.
 */
async function findHolder(db: Reader, openPool: OpenPool, name: Alias): Promise<User | undefined> {
  const { pool } = openPool
  const { type, value } = name
  // An older build has written the second form.
  const columns = new Set([columnOf(openPool, type, value), indexOf(openPool, type, value)])
  const claims = new Map<Row<'user'>, User>()
  for (const column of columns) {
    for (const row of await db.list('user', { pool: pool.id, where: { [type]: column }, limit: MAX_CLAIMS })) {
      const user = openUser(openPool, row)
      if (user && hasName(pool, user, name)) claims.set(row, user)
    }
  }
  const [first, ...others] = claims.keys()
  if (!first || others.length === 0) return first && claims.get(first)
  const { primary } = pool.topology
  const connection = 'db' in db ? db.db : db.connection
  return claims.get(await newestOf(connection, { kind: 'user', pool: pool.id, primary }, [first, ...others]))
}

/**
 * The user without the addresses that another user has, while the pool is copied again; undefined if another user has the username:
 * then this user was deleted at the primary.
 */
export async function withoutLostNames(db: Reader, openPool: OpenPool, user: User): Promise<User | undefined> {
  const { pool } = openPool
  const isLost = async (name: Alias): Promise<boolean> =>
    ((await findHolder(db, openPool, name)) ?? user).sub !== user.sub
  if (await isLost({ type: 'username', value: user.username })) return undefined
  const attributes = { ...user.attributes }
  for (const [type, value] of Object.entries(activeAliases(pool, user)) as [AliasType, string][]) {
    if (!(await isLost({ type, value }))) continue
    delete attributes[type]
    delete attributes[`${type}_verified`]
  }
  return { ...user, attributes }
}

/** Whether the username or an active alias of the user is this name. */
function hasName(pool: Pool, user: User, { type, value }: Alias): boolean {
  const present = type === 'username' ? user.username : activeAliases(pool, user)[type]
  return present !== undefined && isSame(pool, type, present, value)
}

const isSame = (pool: Pool, type: AliasType, one: string, other: string): boolean =>
  normalize(pool, type, one) === normalize(pool, type, other)

/** Throws UserNotFoundException. */
export async function getUser(db: Reader, openPool: OpenPool, name: string): Promise<User> {
  const user = await findUser(db, openPool, name)
  if (!user) throw userNotFound()
  noteSubject(user.sub)
  return user
}

/** Like getUser, but returns only the sub. Throws UserNotFoundException. */
export const getSub = async (db: Reader, openPool: OpenPool, name: string): Promise<string> =>
  (await getUser(db, openPool, name)).sub

/** Throws UserNotFoundException. */
export async function lockUser(tx: Transaction, openPool: OpenPool, sub: string): Promise<User> {
  const row = await tx.lock('user', { pool: openPool.pool.id, key: sub })
  const user = row && openUser(openPool, row)
  if (!user) throw userNotFound()
  return user
}

/**
 * Writes a new user and claims the username. A name must find one user only, so the username must not be another user's
 * username, sub, or preferred username (in pools where that is an alias). Throws UsernameExistsException.
 */
export async function insertUser(tx: Transaction, openPool: OpenPool, user: UserDocument): Promise<void> {
  const { username, sub } = user
  const exists = new CognitoError('UsernameExistsException', 'User already exists')
  if (aliasTypesOf(openPool.pool).includes('preferred_username')) {
    const preferred = await lockAlias(tx, openPool, { type: 'preferred_username', value: username })
    if (preferred !== undefined) throw exists
  }
  if (
    UUID.test(username) &&
    username !== sub &&
    (await tx.find('user', { pool: openPool.pool.id, key: username.toLowerCase() }))
  ) {
    throw exists
  }
  try {
    await insertAlias(tx, openPool, { type: 'username', value: username }, sub)
  } catch (error) {
    throw error instanceof RowExistsError ? exists : error
  }
  await tx.insert('user', draftOf(openPool, user))
}

export async function putUser(tx: Transaction, openPool: OpenPool, user: UserDocument): Promise<void> {
  await tx.put('user', draftOf(openPool, user))
}

/** Removes a user with everything that the user owns (`owner` in store/kinds.ts). */
export async function removeUser(tx: Transaction, { pool }: OpenPool, sub: string): Promise<void> {
  await removeOwned(tx, 'user', { pool: pool.id, id: sub })
  await tx.remove('user', { pool: pool.id, key: sub })
}

/** Returns undefined for a row that the key of the pool did not seal for this user, or whose version this build does not know. */
export function openUser(openPool: OpenPool, row: Pick<Row<'user'>, 'key' | 'body'>): User | undefined {
  const document = findDocument(openPool, 'user', row)
  return document && { ...document, pool: openPool.pool.id }
}

export const userNotFound = (): CognitoError => new CognitoError('UserNotFoundException', 'User does not exist.')
export const userIsDisabled = (): CognitoError => notAuthorized('User is disabled.')

/**
 * The keyed hash in an index column of users. ListUsers compares attributes without regard to case, and the username as the pool
 * does.
 */
export const columnOf = (openPool: OpenPool, name: IndexedAttribute, value: string): string =>
  name === 'username' ? indexOf(openPool, name, value) : openPool.cipher.index(name, fold(value))

/** The form in which ListUsers compares attributes. */
export const fold = (value: string): string => value.toLowerCase()

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

const looksLike = (type: AliasType, name: string): boolean =>
  type === 'email' ? name.includes('@') : type === 'phone_number' ? /^\+\d+$/.test(name) : true

function draftOf(openPool: OpenPool, user: UserDocument | User) {
  const { pool: _, ...document } = user as User
  const fields: Record<string, string | null> = {
    user_status: openPool.cipher.index('user_status', user.status),
    enabled: openPool.cipher.index('enabled', String(user.enabled)),
  }
  const values: Readonly<Record<string, string | undefined>> = { ...user.attributes, username: user.username }
  for (const name of INDEXED_ATTRIBUTES) {
    const value = values[name]
    fields[name] = value === undefined ? null : columnOf(openPool, name, value)
  }
  return { pool: openPool.pool.id, key: user.sub, body: sealDocument(openPool, 'user', user.sub, document), fields }
}
