import type { UserStatusType } from '@aws-sdk/client-cognito-identity-provider'
import { CognitoError } from '../errors.ts'
import type { PoolCipher } from '../keys/pool-keys.ts'
import type { Kind } from '../store/kinds.ts'
import { removeOwned } from '../store/owned.ts'
import type { Row } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import { RowExistsError, type Transaction } from '../store/write.ts'
import type { Pool } from './pool.ts'

/** Body of a `user` row, sealed. Times are ms since the epoch; attribute values are strings, as on the wire. */
export interface UserDocument {
  sub: string
  /** The real username, as it was given; with UsernameAttributes it is the sub. */
  username: string
  attributes: Record<string, string>
  status: UserStatusType
  enabled: boolean
  created: number
  modified: number
  /** When a temporary password was set, for TemporaryPasswordValidityDays. */
  temporarySince?: number
  mfa?: { preferred?: string; enabled?: string[] }
}

export interface User extends UserDocument {
  pool: string
}

export const ALIAS_TYPES = ['username', 'email', 'phone_number', 'preferred_username'] as const
export type AliasType = (typeof ALIAS_TYPES)[number]

/** The attributes that have an index column of their own; others cannot be searched. */
const INDEXED = ['email', 'phone_number', 'name', 'given_name', 'family_name', 'preferred_username'] as const

/** Where users are found and written: every row is sealed under the pool's key, every index column is a keyed hash. */
export interface UserPlace {
  pool: Pool
  cipher: PoolCipher
}

type Reading = Pick<Store, 'find' | 'list'> | Pick<Transaction, 'find' | 'list'>

/** As usernames and aliases are compared: exactly, or without regard to case where the pool says so. */
export function normalize(pool: Pool, type: AliasType, value: string): string {
  if (type === 'phone_number' || pool.document.UsernameConfiguration?.CaseSensitive !== false) return value
  return value.toLowerCase()
}

/** The keyed hash under which a value of an indexed attribute is found. */
export function indexOf({ pool, cipher }: UserPlace, field: string, value: string): string {
  return cipher.index(
    field,
    (ALIAS_TYPES as readonly string[]).includes(field) ? normalize(pool, field as AliasType, value) : value,
  )
}

/** Finds a user by sub. */
export async function findUserBySub(db: Reading, place: UserPlace, sub: string): Promise<User | undefined> {
  const row = await db.find('user', { pool: place.pool.id, key: sub })
  return row && openUser(place, row)
}

/**
 * Finds a user by what a person types: the username, the sub, or an active alias (an e-mail address or a phone number
 * counts as an alias once verified; with UsernameAttributes from the start).
 */
export async function findUser(db: Reading, place: UserPlace, name: string): Promise<User | undefined> {
  const { pool } = place
  const [row] = await db.list('user', {
    pool: pool.id,
    where: { username: indexOf(place, 'username', name) },
    limit: 1,
  })
  if (row) return openUser(place, row)
  if (UUID.test(name)) {
    const bySub = await findUserBySub(db, place, name)
    if (bySub) return bySub
  }
  for (const type of aliasTypesOf(pool)) {
    if (!looksLike(type, name)) continue
    const alias = await db.find('alias', { pool: pool.id, key: aliasKey(place, type, name) })
    if (alias) return findUserBySub(db, place, alias.fields.sub as string)
  }
  return undefined
}

/** Throws UserNotFoundException. */
export async function getUser(db: Reading, place: UserPlace, name: string): Promise<User> {
  const user = await findUser(db, place, name)
  if (!user) throw new CognitoError('UserNotFoundException', 'User does not exist.')
  return user
}

/** Reads a user who is to be written. Throws UserNotFoundException. */
export async function lockUser(tx: Transaction, place: UserPlace, sub: string): Promise<User> {
  const row = await tx.lock('user', { pool: place.pool.id, key: sub })
  if (!row) throw new CognitoError('UserNotFoundException', 'User does not exist.')
  return openUser(place, row)
}

/**
 * Writes a new user and takes the username: no other user's username, preferred username (where people sign in with it) or
 * sub, for a name must find one user only. Throws UsernameExistsException.
 */
export async function insertUser(tx: Transaction, place: UserPlace, user: UserDocument): Promise<void> {
  const { username, sub } = user
  const exists = new CognitoError('UsernameExistsException', 'User already exists')
  if (aliasTypesOf(place.pool).includes('preferred_username')) {
    const preferred = await tx.lock('alias', {
      pool: place.pool.id,
      key: aliasKey(place, 'preferred_username', username),
    })
    if (preferred) throw exists
  }
  if (
    UUID.test(username) &&
    username !== sub &&
    (await tx.find('user', { pool: place.pool.id, key: username.toLowerCase() }))
  ) {
    throw exists
  }
  try {
    await insertAlias(tx, place, { type: 'username', value: username, sub })
  } catch (error) {
    throw error instanceof RowExistsError ? exists : error
  }
  await tx.insert('user', draftOf(place, user))
}

export async function putUser(tx: Transaction, place: UserPlace, user: UserDocument): Promise<void> {
  await tx.put('user', draftOf(place, user))
}

/** Removes a user with everything that the user owns (`owner` in store/kinds.ts). */
export async function removeUser(tx: Transaction, { pool }: UserPlace, sub: string): Promise<void> {
  await removeOwned(tx, 'user', { pool: pool.id, id: sub })
  await tx.remove('user', { pool: pool.id, key: sub })
}

/** Which attributes name a user in this pool, beside the username. */
export function aliasTypesOf(pool: Pool): readonly Exclude<AliasType, 'username'>[] {
  return (pool.document.UsernameAttributes ?? pool.document.AliasAttributes ?? []) as Exclude<AliasType, 'username'>[]
}

/**
 * Gives an alias to a user. When another user has it: throws RowExistsError, or moves it (`force`); moving it marks the
 * attribute of the one who lost it as unverified. A preferred username that is another user's username is never given.
 */
export async function claimAlias(
  tx: Transaction,
  place: UserPlace,
  {
    type,
    value,
    sub,
    force = false,
  }: { type: Exclude<AliasType, 'username'>; value: string; sub: string; force?: boolean },
): Promise<void> {
  const address = { pool: place.pool.id, key: aliasKey(place, type, value) }
  const present = await tx.lock('alias', address)
  if (present?.fields.sub === sub) return
  if (type === 'preferred_username') {
    const username = await tx.lock('alias', { pool: place.pool.id, key: aliasKey(place, 'username', value) })
    if (username && username.fields.sub !== sub) throw new RowExistsError('alias')
  }
  if (!present) return insertAlias(tx, place, { type, value, sub })
  if (!force) throw new RowExistsError('alias')
  const loser = await lockUser(tx, place, present.fields.sub as string)
  if (type !== 'preferred_username') loser.attributes[`${type}_verified`] = 'false'
  await putUser(tx, place, loser)
  await tx.put('alias', { ...address, body: '{}', fields: { sub } })
}

/** Takes an alias from a user, if it is that user's. */
export async function releaseAlias(
  tx: Transaction,
  place: UserPlace,
  { type, value, sub }: { type: Exclude<AliasType, 'username'>; value: string; sub: string },
): Promise<void> {
  const address = { pool: place.pool.id, key: aliasKey(place, type, value) }
  const present = await tx.lock('alias', address)
  if (present?.fields.sub === sub) await tx.remove('alias', address)
}

/** Seals a document for a row of this pool; it opens only in the row that it was sealed for. */
export function sealDocument({ pool, cipher }: UserPlace, kind: Kind, key: string, document: unknown): string {
  return cipher.seal('row', Buffer.from(JSON.stringify(document)), `${pool.id}\n${kind}\n${key}`).toString('base64')
}

/** Opens what sealDocument sealed. Throws SealBrokenError. */
export function openDocument<T>({ pool, cipher }: UserPlace, kind: Kind, { key, body }: Pick<Row, 'key' | 'body'>): T {
  return JSON.parse(
    cipher.open('row', Buffer.from(body, 'base64'), `${pool.id}\n${kind}\n${key}`).toString('utf8'),
  ) as T
}

/** Opens a `user` row. */
export function openUser(place: UserPlace, row: Pick<Row<'user'>, 'key' | 'body'>): User {
  return { ...openDocument<UserDocument>(place, 'user', row), pool: place.pool.id }
}

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

const looksLike = (type: AliasType, name: string): boolean =>
  type === 'email' ? name.includes('@') : type === 'phone_number' ? /^\+\d+$/.test(name) : true

const aliasKey = (place: UserPlace, type: AliasType, value: string): string => `${type}:${indexOf(place, type, value)}`

function insertAlias(
  tx: Transaction,
  place: UserPlace,
  { type, value, sub }: { type: AliasType; value: string; sub: string },
): Promise<void> {
  return tx.insert('alias', { pool: place.pool.id, key: aliasKey(place, type, value), body: '{}', fields: { sub } })
}

function draftOf(place: UserPlace, user: UserDocument | User) {
  const { pool: _, ...document } = user as User
  const fields: Record<string, string | null> = {
    username: indexOf(place, 'username', user.username),
    user_status: place.cipher.index('user_status', user.status),
    enabled: place.cipher.index('enabled', String(user.enabled)),
  }
  for (const name of INDEXED) {
    const value = user.attributes[name]
    fields[name] = value === undefined ? null : indexOf(place, name, value)
  }
  return { pool: place.pool.id, key: user.sub, body: sealDocument(place, 'user', user.sub, document), fields }
}
