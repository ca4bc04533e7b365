import type { UserStatusType } from '@aws-sdk/client-cognito-identity-provider'
import { CognitoError, notAuthorized } from '../errors.ts'
import { INDEXED_ATTRIBUTES, type IndexedAttribute } from '../store/kinds.ts'
import { removeOwned } from '../store/owned.ts'
import type { Row } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import { RowExistsError, type Transaction } from '../store/write.ts'
import {
  type AliasType,
  activeAliases,
  aliasTypesOf,
  findAlias,
  indexOf,
  insertAlias,
  lockAlias,
  normalize,
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

type Reader = Pick<Store, 'find' | 'list'> | Pick<Transaction, 'find' | 'list'>

export async function findUserBySub(db: Reader, openPool: OpenPool, sub: string): Promise<User | undefined> {
  const row = await db.find('user', { pool: openPool.pool.id, key: sub })
  return row && openUser(openPool, row)
}

/**
 * Finds a user by a name as typed: the username, the sub, or an active alias (an e-mail address or a phone number becomes
 * active when it is verified; with UsernameAttributes, at once).
 */
export async function findUser(db: Reader, openPool: OpenPool, name: string): Promise<User | undefined> {
  const { pool } = openPool
  const [row] = await db.list('user', {
    pool: pool.id,
    where: { username: columnOf(openPool, 'username', name) },
    limit: 1,
  })
  const namesake = row && openUser(openPool, row)
  // Index columns and aliases are not sealed: they find candidates, and the sealed document decides.
  if (namesake && isSame(pool, 'username', namesake.username, name)) return namesake
  if (UUID.test(name)) {
    const bySub = await findUserBySub(db, openPool, name)
    if (bySub) return bySub
  }
  for (const type of aliasTypesOf(pool)) {
    const sub = looksLike(type, name) ? await findAlias(db, openPool, { type, value: name }) : undefined
    const user = sub === undefined ? undefined : await findUserBySub(db, openPool, sub)
    const value = user && activeAliases(pool, user)[type]
    if (value !== undefined && isSame(pool, type, value, name)) return user
  }
  return undefined
}

const isSame = (pool: Pool, type: AliasType, one: string, other: string): boolean =>
  normalize(pool, type, one) === normalize(pool, type, other)

/** Throws UserNotFoundException. */
export async function getUser(db: Reader, openPool: OpenPool, name: string): Promise<User> {
  const user = await findUser(db, openPool, name)
  if (!user) throw userNotFound()
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
