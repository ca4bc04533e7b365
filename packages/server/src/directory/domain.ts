import type { CustomDomainConfigType, RoutingType } from '@aws-sdk/client-cognito-identity-provider'
import { countRowsOfAllPools, findRowsByKey } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { parseDocument } from './document.ts'

/** A custom domain is the same in every region of its pool; a prefix belongs to one region. */
export type DomainKind = 'domain' | 'prefix-domain'
const KINDS = ['domain', 'prefix-domain'] as const

export interface DomainDocument {
  ManagedLoginVersion: number
  CustomDomainConfig?: CustomDomainConfigType
  Routing?: RoutingType
  /** Milliseconds since the epoch. */
  created: number
  modified: number
}

/** Finds a domain by its name (a prefix, or a full host name), whichever pool it belongs to. */
export async function findDomain(
  { db }: Pick<Store, 'db'>,
  name: string,
): Promise<{ pool: string; domain: DomainDocument } | undefined> {
  for (const kind of KINDS) {
    const [row] = await findRowsByKey(db, kind, name)
    if (row) return { pool: row.pool, domain: parseDocument(kind, row) }
  }
  return undefined
}

/** A pool has at most one domain of each kind; returns their names. */
export async function findDomainNames(
  db: Pick<Transaction, 'list'>,
  pool: string,
): Promise<Record<DomainKind, string | undefined>> {
  const [[custom], [prefix]] = await Promise.all([
    db.list('domain', { pool, limit: 1 }),
    db.list('prefix-domain', { pool, limit: 1 }),
  ])
  return { domain: custom?.key, 'prefix-domain': prefix?.key }
}

export async function lockDomain(
  tx: Transaction,
  pool: string,
  name: string,
): Promise<{ kind: DomainKind; present: DomainDocument } | undefined> {
  for (const kind of KINDS) {
    const row = await tx.lock(kind, { pool, key: name })
    if (row) return { kind, present: parseDocument(kind, row) }
  }
  return undefined
}

/** Locks a domain name across all pools; returns whether a pool has it already. */
export async function lockDomainName(tx: Transaction, kind: DomainKind, name: string): Promise<boolean> {
  await tx.lock(kind, { pool: '', key: name })
  return (await findRowsByKey(tx.connection, kind, name)).length > 0
}

export const countCustomDomains = (tx: Transaction): Promise<number> => countRowsOfAllPools(tx.connection, 'domain')

export function putDomain(
  tx: Transaction,
  kind: DomainKind,
  { pool, name, domain }: { pool: string; name: string; domain: DomainDocument },
): Promise<void> {
  const draft = { pool, key: name, body: JSON.stringify(domain) }
  return kind === 'domain' ? tx.put(kind, draft) : tx.set(kind, draft)
}

export function removeDomain(tx: Transaction, kind: DomainKind, address: { pool: string; key: string }): Promise<void> {
  return kind === 'domain' ? tx.remove(kind, address) : tx.unset(kind, address)
}
