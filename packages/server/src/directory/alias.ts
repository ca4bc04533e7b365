import type { Transaction } from '../store/write.ts'
import type { OpenPool } from './open-pool.ts'
import type { Pool } from './pool.ts'

export const ALIAS_TYPES = ['username', 'email', 'phone_number', 'preferred_username'] as const
/** A name under which a user is found; only one user of a pool has it. The username is one of them. */
export type AliasType = (typeof ALIAS_TYPES)[number]

export interface Alias {
  type: AliasType
  value: string
}

/** Which attributes name a user in this pool, beside the username. */
export function aliasTypesOf(pool: Pool): readonly Exclude<AliasType, 'username'>[] {
  return (pool.document.UsernameAttributes ?? pool.document.AliasAttributes ?? []) as Exclude<AliasType, 'username'>[]
}

/** As usernames and aliases are compared: exactly, or without regard to case where the pool says so. */
export function normalize(pool: Pool, type: AliasType, value: string): string {
  if (type === 'phone_number' || pool.document.UsernameConfiguration?.CaseSensitive !== false) return value
  return value.toLowerCase()
}

/** The keyed hash under which a value of an indexed attribute is found. */
export function indexOf({ pool, cipher }: OpenPool, field: string, value: string): string {
  return cipher.index(
    field,
    (ALIAS_TYPES as readonly string[]).includes(field) ? normalize(pool, field as AliasType, value) : value,
  )
}

/** The sub of the user who has this alias. */
export async function findAlias(
  db: Pick<Transaction, 'find'>,
  openPool: OpenPool,
  alias: Alias,
): Promise<string | undefined> {
  const row = await db.find('alias', addressOf(openPool, alias))
  return row?.fields.sub ?? undefined
}

/** The same, in order to change whose it is. */
export async function lockAlias(tx: Transaction, openPool: OpenPool, alias: Alias): Promise<string | undefined> {
  const row = await tx.lock('alias', addressOf(openPool, alias))
  return row?.fields.sub ?? undefined
}

/** Gives an alias that nobody has. Throws RowExistsError. */
export async function insertAlias(tx: Transaction, openPool: OpenPool, alias: Alias, sub: string): Promise<void> {
  await tx.insert('alias', { ...addressOf(openPool, alias), body: '{}', fields: { sub } })
}

/** Gives an alias, whoever has it. */
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
