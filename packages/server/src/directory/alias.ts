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

/** The form in which usernames and aliases are compared: case-insensitive if the pool is configured so. */
export function normalize(pool: Pool, type: AliasType, value: string): string {
  if (type === 'phone_number' || pool.document.UsernameConfiguration?.CaseSensitive !== false) return value
  return value.toLowerCase()
}

/** The keyed hash that an index column holds for a value. */
export function indexOf({ pool, cipher }: OpenPool, field: string, value: string): string {
  return cipher.index(
    field,
    (ALIAS_TYPES as readonly string[]).includes(field) ? normalize(pool, field as AliasType, value) : value,
  )
}

/** Finds the sub of the user who has this alias. */
export async function findAlias(
  db: Pick<Transaction, 'find'>,
  openPool: OpenPool,
  alias: Alias,
): Promise<string | undefined> {
  const row = await db.find('alias', addressOf(openPool, alias))
  return row?.fields.sub ?? undefined
}

/** Like findAlias, and locks the alias so that the transaction can reassign it. */
export async function lockAlias(tx: Transaction, openPool: OpenPool, alias: Alias): Promise<string | undefined> {
  const row = await tx.lock('alias', addressOf(openPool, alias))
  return row?.fields.sub ?? undefined
}

/** Assigns an unused alias to a user. Throws RowExistsError. */
export async function insertAlias(tx: Transaction, openPool: OpenPool, alias: Alias, sub: string): Promise<void> {
  await tx.insert('alias', { ...addressOf(openPool, alias), body: '{}', fields: { sub } })
}

/** Assigns an alias to a user, even if another user has it. */
export async function putAlias(tx: Transaction, openPool: OpenPool, alias: Alias, sub: string): Promise<void> {
  await tx.put('alias', { ...addressOf(openPool, alias), body: '{}', fields: { sub } })
}

export async function removeAlias(tx: Transaction, openPool: OpenPool, alias: Alias): Promise<void> {
  await tx.remove('alias', addressOf(openPool, alias))
}

const addressOf = (openPool: OpenPool, { type, value }: Alias) => ({
  pool: openPool.pool.id,
  key: `${type}:${indexOf(openPool, type, value)}`,
})
