import type { Way } from '../store/rows.ts'
import type { Transaction } from '../store/write.ts'
import type { OpenPool } from './open-pool.ts'
import type { Pool } from './pool.ts'

const ALIAS_TYPES = ['username', 'email', 'phone_number', 'preferred_username'] as const
/** A type of name that finds a user. Within a pool, each name belongs to one user. The username is such a name. */
export type AliasType = (typeof ALIAS_TYPES)[number]

export interface Alias {
  type: AliasType
  value: string
}

/** The attributes that identify a user in this pool, besides the username. */
export function aliasTypesOf(pool: Pool): readonly Exclude<AliasType, 'username'>[] {
  return (pool.document.UsernameAttributes ?? pool.document.AliasAttributes ?? []) as Exclude<AliasType, 'username'>[]
}

/** The active aliases of a user, without the username. */
export function activeAliases(
  pool: Pool,
  user: { attributes: Readonly<Record<string, string>>; status: string },
): Partial<Record<Exclude<AliasType, 'username'>, string>> {
  const activeAtOnce = (pool.document.UsernameAttributes?.length ?? 0) > 0
  const active: ReturnType<typeof activeAliases> = {}
  for (const type of aliasTypesOf(pool)) {
    const value = user.attributes[type]
    if (value === undefined) continue
    const isActive =
      activeAtOnce ||
      (type === 'preferred_username' ? user.status !== 'UNCONFIRMED' : isTrue(user.attributes[`${type}_verified`]))
    if (isActive) active[type] = value
  }
  return active
}

/** The value of a Boolean attribute, which is stored as the caller wrote it: `true`, `True`, `TRUE`. */
export const isTrue = (value: string | undefined): boolean => value?.toLowerCase() === 'true'

/** Whether names that differ only in case are one name. */
export const ignoresCase = ({ document }: Pool): boolean => document.UsernameConfiguration?.CaseSensitive === false

/** A name as the first release compares it: exactly, or without regard to case. Index columns hold hashes of it. */
export const spellingOf = (pool: Pool, type: AliasType, value: string): string =>
  type === 'phone_number' || !ignoresCase(pool) ? value : value.toLowerCase()

/** https://www.unicode.org/charts/PDF/UFF00.pdf and the ideographic space; each has one counterpart of normal width. */
const OTHER_WIDTH = /[\u3000\uff01-\uffee]/g
const ASCII = /^[\0-\x7f]*$/

/**
 * The form in which names are compared: names that look alike are one name. The mapping of PRECIS usernames (RFC 8265 §3.3.2, §3.4.2):
 * characters of another width become normal, case is ignored if the pool is configured so, then NFC. ASCII is its own form.
 */
export function normalize(pool: Pool, type: AliasType, value: string): string {
  const isOwnForm = type === 'phone_number' || ASCII.test(value)
  const wide = isOwnForm ? value : value.replace(OTHER_WIDTH, (character) => character.normalize('NFKC'))
  const spelling = spellingOf(pool, type, wide)
  return isOwnForm ? spelling : spelling.normalize('NFC')
}

/** The keyed hash that an index column holds for a value. */
export function indexOf({ pool, cipher }: OpenPool, field: string, value: string): string {
  return cipher.index(
    field,
    (ALIAS_TYPES as readonly string[]).includes(field) ? spellingOf(pool, field as AliasType, value) : value,
  )
}

/** How a username is found: by its exact spelling, by its normal form, or by the alias that a name in another form has. */
export function waysOf(openPool: OpenPool, username: string): Way<'user'>[] {
  const [exact, normal] = hashesOf(openPool, { type: 'username', value: username })
  return [
    { column: 'username', value: exact },
    ...(normal === undefined ? [] : [{ column: 'username', value: normal } as const]),
    { through: 'alias', key: `username:${normal ?? exact}`, column: 'sub' },
  ]
}

/** Through the aliases of a name: each way finds the user, or if nobody has the alias, the user of the next alias in the index. */
export const waysOrNext = (openPool: OpenPool, alias: Alias): Way<'user'>[] =>
  addressesOf(openPool, alias).map(({ key }) => ({ through: 'alias', key, column: 'sub', orNext: true }))

/** Finds the subs of the users who may have this alias: candidates, which their documents confirm. */
export async function findHolders(
  db: Pick<Transaction, 'find'>,
  openPool: OpenPool,
  alias: Alias,
): Promise<readonly string[]> {
  const subs = new Set<string>()
  for (const address of addressesOf(openPool, alias)) {
    const sub = (await db.find('alias', address))?.fields.sub
    if (sub) subs.add(sub)
  }
  return [...subs]
}

/**
 * Locks the alias so that the transaction can reassign it, and returns the sub of the user who has it, in this spelling or in another one
 * of the same name.
 */
export async function lockAlias(tx: Transaction, openPool: OpenPool, alias: Alias): Promise<string | undefined> {
  const [first] = await lockHolders(tx, openPool, alias)
  return first
}

/** The users who have the alias: two if each has another spelling since a release that compared names exactly. */
export async function lockHolders(tx: Transaction, openPool: OpenPool, alias: Alias): Promise<string[]> {
  const holders = new Set<string>()
  for (const address of addressesOf(openPool, alias)) {
    const row = await tx.lock('alias', address)
    if (row?.fields.sub) holders.add(row.fields.sub)
  }
  return [...holders]
}

/** Assigns an unused alias to a user. Throws RowExistsError. */
export async function insertAlias(tx: Transaction, openPool: OpenPool, alias: Alias, sub: string): Promise<void> {
  for (const address of addressesOf(openPool, alias)) {
    await tx.insert('alias', { ...address, body: '{}', fields: { sub } })
  }
}

/** Assigns an alias to a user, even if another user has it. */
export async function putAlias(tx: Transaction, openPool: OpenPool, alias: Alias, sub: string): Promise<void> {
  for (const address of addressesOf(openPool, alias)) {
    await tx.put('alias', { ...address, body: '{}', fields: { sub } })
  }
}

/** Removes an alias where this user has it. */
export async function removeAlias(tx: Transaction, openPool: OpenPool, alias: Alias, sub: string): Promise<void> {
  for (const address of addressesOf(openPool, alias)) {
    if ((await tx.lock('alias', address))?.fields.sub === sub) await tx.remove('alias', address)
  }
}

/** Adds what an older build did not write: the normal form of an alias. Returns the sub of another user who has it. */
export async function completeAlias(
  tx: Transaction,
  openPool: OpenPool,
  alias: Alias,
  sub: string,
): Promise<string | undefined> {
  const [, normal] = addressesOf(openPool, alias)
  if (!normal) return undefined
  const holder = (await tx.lock('alias', normal))?.fields.sub ?? undefined
  if (holder === undefined) await tx.insert('alias', { ...normal, body: '{}', fields: { sub } })
  return holder === sub ? undefined : holder
}

/** Whether the value is its own normal form, so that an older build has written all of its alias. */
export const isNormal = (pool: Pool, { type, value }: Alias): boolean =>
  spellingOf(pool, type, value) === normalize(pool, type, value)

/** Hashes of the spelling and, if it differs, of the normal form. */
function hashesOf({ pool, cipher }: OpenPool, { type, value }: Alias): [string, string?] {
  const spelling = spellingOf(pool, type, value)
  const normal = normalize(pool, type, value)
  return spelling === normal
    ? [cipher.index(type, spelling)]
    : [cipher.index(type, spelling), cipher.index(type, normal)]
}

const addressesOf = (openPool: OpenPool, alias: Alias) =>
  hashesOf(openPool, alias).map((hash) => ({ pool: openPool.pool.id, key: `${alias.type}:${hash}` }))
