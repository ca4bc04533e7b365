import {
  type AliasType,
  activeAliases,
  aliasTypesOf,
  lockHolders,
  normalize,
  putAlias,
  removeAlias,
  spellingOf,
} from '../../directory/alias.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import type { Pool } from '../../directory/pool.ts'
import { lockUser, putUser, type UserDocument } from '../../directory/user.ts'
import { CognitoError, invalidParameter } from '../../errors.ts'
import type { Transaction } from '../../store/write.ts'
import { type Attributes, isEmail, isPhoneNumber, type Verifiable } from './attributes.ts'

/**
 * The names that find a user. A pool has one of two modes, fixed at its creation:
 *   AliasAttributes     users have a username; an address becomes an alias when it is verified, a preferred username when
 *                       the user is confirmed
 *   UsernameAttributes  users sign up with an address, which is an alias at once; the username is the sub
 * https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html#user-pool-settings-aliases
 */
type AttributeAlias = Exclude<AliasType, 'username'>

/**
 * Parses the name given at sign-up: returns the username to store, and the attributes with the address, if the name is one.
 * Throws InvalidParameterException when the pool does not accept such a name.
 */
export function parseUsername(
  pool: Pool,
  name: string,
  { sub, attributes }: { sub: string; attributes: Readonly<Attributes> },
): { username: string; attributes: Attributes } {
  const types = pool.document.UsernameAttributes ?? []
  if (types.length === 0) {
    for (const type of aliasTypesOf(pool)) checkIsNotAddress(type, name)
    return { username: name, attributes }
  }
  const type =
    types.includes('email') && isEmail(name)
      ? 'email'
      : types.includes('phone_number') && isPhoneNumber(name)
        ? 'phone_number'
        : undefined
  if (!type) throw invalidParameter(NOT_AN_ADDRESS[[...types].sort().join()] ?? 'Username should be an email.')
  const given = attributes[type]
  if (given !== undefined && normalize(pool, type, given) !== normalize(pool, type, name)) {
    throw invalidParameter(`Username should be the same as the ${type} attribute.`)
  }
  return { username: sub, attributes: { ...attributes, [type]: given ?? name } }
}

const NOT_AN_ADDRESS: Record<string, string> = {
  email: 'Username should be an email.',
  phone_number: 'Username should be a phone number.',
  'email,phone_number': 'Username should be either an email or a phone number.',
}

function checkIsNotAddress(type: AttributeAlias, name: string): void {
  if (type === 'email' && isEmail(name)) {
    throw invalidParameter('Username cannot be of email format, since user pool is configured for email alias.')
  }
  if (type === 'phone_number' && isPhoneNumber(name)) {
    throw invalidParameter(
      'Username cannot be of phone number format, since user pool is configured for phone number alias.',
    )
  }
}

/**
 * Updates the aliases of a user after a change: releases aliases that are no longer active, and claims new ones. Types in `force`
 * are taken over from another user. Throws AliasTakenError, InvalidParameterException.
 */
export async function moveAliases(
  tx: Transaction,
  openPool: OpenPool,
  {
    before,
    after,
    force = [],
  }: { before?: UserDocument | undefined; after: UserDocument; force?: readonly AliasType[] },
): Promise<void> {
  const { pool } = openPool
  if (after.attributes.preferred_username !== before?.attributes.preferred_username) checkPreferred(pool, after)
  const old = before ? activeAliases(pool, before) : {}
  const next = activeAliases(pool, after)
  for (const type of aliasTypesOf(pool)) {
    const [from, to] = [old[type], next[type]]
    const isSame = from !== undefined && to !== undefined && spellingOf(pool, type, from) === spellingOf(pool, type, to)
    if (isSame) continue
    if (from !== undefined) await removeAlias(tx, openPool, { type, value: from }, after.sub)
    if (to !== undefined) await claimAlias(tx, openPool, { type, value: to }, after.sub, force.includes(type))
  }
}

/**
 * Assigns an alias to a user. If another user has it, throws AliasTakenError, or with `force` takes it over and marks the attribute of
 * the previous holder as unverified. A preferred username that is another user's username is always refused.
 */
async function claimAlias(
  tx: Transaction,
  openPool: OpenPool,
  alias: { type: AttributeAlias; value: string },
  sub: string,
  force: boolean,
): Promise<void> {
  const { type, value } = alias
  const others = (await lockHolders(tx, openPool, alias)).filter((holder) => holder !== sub)
  if (type === 'preferred_username') {
    const namesakes = await lockHolders(tx, openPool, { type: 'username', value })
    if (namesakes.some((other) => other !== sub)) throw new AliasTakenError(type)
  }
  if (others.length > 0 && !force) throw new AliasTakenError(type)
  for (const other of others) {
    const previous = await lockUser(tx, openPool, other)
    // Its spelling may differ: all of the alias must go, or the name would still lead to this user.
    const lost = activeAliases(openPool.pool, previous)[type]
    if (lost !== undefined) await removeAlias(tx, openPool, { type, value: lost }, other)
    if (type !== 'preferred_username') previous.attributes[`${type}_verified`] = 'false'
    await putUser(tx, openPool, previous)
  }
  await putAlias(tx, openPool, alias, sub)
}

/** A preferred username in the format of an address could shadow that address of another user in findUser. */
function checkPreferred(pool: Pool, { attributes: { preferred_username: name } }: UserDocument): void {
  const types = aliasTypesOf(pool)
  if (name === undefined || !types.includes('preferred_username')) return
  if ((types.includes('email') && isEmail(name)) || (types.includes('phone_number') && isPhoneNumber(name))) {
    throw invalidParameter('preferred_username cannot have the format of an alias that is an email or a phone number.')
  }
}

/** Another user has this alias. Each operation converts it to its own API error. */
class AliasTakenError extends Error {
  readonly type: AttributeAlias

  constructor(type: AttributeAlias) {
    super(`another user has this ${type}`)
    this.name = 'AliasTakenError'
    this.type = type
  }
}

/** Runs the work, and converts an AliasTakenError to an API error. */
export async function withAliasError<T>(
  refusal: (type: AttributeAlias) => CognitoError,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof AliasTakenError ? refusal(error.type) : error
  }
}

export const accountExists = (type: Verifiable | AttributeAlias): CognitoError =>
  new CognitoError('UsernameExistsException', `An account with the given ${type} already exists.`)

export const aliasExists = (type: AttributeAlias): CognitoError =>
  new CognitoError('AliasExistsException', `An account with the given ${type} already exists.`)
