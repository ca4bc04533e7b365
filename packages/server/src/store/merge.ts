import { parseStored, type StoreDocuments } from './documents.ts'
import type { KindOfScope } from './kinds.ts'

/**
 * Body of a `replica` row. The higher version wins; at equal versions the later status of REPLICA_STATUSES. Each change of the
 * status raises the version by the rule of `versionAfter`.
 */
export interface Replica {
  region: string
  status: ReplicaStatus
  version: number
  /** Initial tags of the region, used until it has its own `settings` row. */
  tags?: Record<string, string>
}
export const REPLICA_STATUSES = ['CREATING', 'INACTIVE', 'ACTIVE', 'DELETING', 'DELETED'] as const
export type ReplicaStatus = (typeof REPLICA_STATUSES)[number]

/**
 * Body of a `revocation` row. It may be removed at `expires`, when the last token of its family has expired (ms since the epoch).
 */
export interface Revocation {
  expires: number
}

/**
 * Body of a `rotation` row: the newest used generation of a family's refresh tokens, and the time of its first use (ms
 * since the epoch). It may be removed at `expires`, when the family has expired.
 */
export interface Rotation {
  generation: number
  at: number
  expires: number
}

/** Body of a `sign-out` row: tokens issued to the user up to this moment (ms since the epoch) are invalid. */
export interface SignOut {
  before: number
}

/** Body of a `seal-count` row: how many values a region has sealed under a data key; only this region raises it. */
export interface SealCount {
  count: number
}

/** The kinds of shared facts that expire, at the time in their bodies. */
export const expiringKinds = ['revocation', 'rotation'] as const

const isExpiring = (kind: KindOfScope<'shared'>): kind is (typeof expiringKinds)[number] =>
  (expiringKinds as readonly string[]).includes(kind)

/** When a shared fact stops having an effect (ms since the epoch); infinite for kinds that never expire. */
export function expiryOf(kind: KindOfScope<'shared'>, body: string): number {
  return isExpiring(kind) ? parseStored(kind, body).expires : Number.POSITIVE_INFINITY
}

/**
 * Merge two regions' versions of a shared fact. Each rule is commutative, associative and idempotent, so regions agree
 * in any order and with any number of deliveries.
 */
export const rules: {
  [K in KindOfScope<'shared'>]: (a: StoreDocuments[K], b: StoreDocuments[K]) => StoreDocuments[K]
} = {
  replica: (a, b) => (rank(a) >= rank(b) ? a : b),
  revocation: (a, b) => ({ expires: Math.max(a.expires, b.expires) }),
  rotation: (a, b) => ({
    generation: Math.max(a.generation, b.generation),
    at: a.generation === b.generation ? Math.min(a.at, b.at) : a.generation > b.generation ? a.at : b.at,
    expires: Math.max(a.expires, b.expires),
  }),
  'sign-out': (a, b) => ({ before: Math.max(a.before, b.before) }),
  'seal-count': (a, b) => ({ count: Math.max(a.count, b.count) }),
}

/**
 * Each creation of a replica begins an incarnation, and each incarnation has this many versions. The last two of them stand for
 * DELETING and DELETED, so within an incarnation they win over any number of other changes, and the next incarnation wins over them.
 * Builds before this rule merge in the same way and raise versions by one, which leads from DELETING to DELETED to the next
 * incarnation.
 */
const INCARNATION_VERSIONS = 1_000_000_000

/** The number of times that the replica was created again after its deletion. */
export const incarnationOf = ({ version }: Pick<Replica, 'version'>): number =>
  Math.floor(version / INCARNATION_VERSIONS)

/** The version of a replica that takes a status; `present` is undefined for the first replica of the region. */
export function versionAfter(present: Pick<Replica, 'status' | 'version'> | undefined, status: ReplicaStatus): number {
  if (!present) return 1
  const next = (incarnationOf(present) + 1) * INCARNATION_VERSIONS
  if (status === 'DELETING') return next - 2
  if (status === 'DELETED') return next - 1
  return present.status === 'DELETED' ? next : present.version + 1
}

const rank = (replica: Replica): number =>
  replica.version * REPLICA_STATUSES.length + REPLICA_STATUSES.indexOf(replica.status)

/** The members that a rule or a reader needs. */
const members: Partial<Record<string, Readonly<Record<string, 'string' | 'number'>>>> = {
  replica: { region: 'string', status: 'string', version: 'number' },
  revocation: { expires: 'number' },
  rotation: { generation: 'number', at: 'number', expires: 'number' },
  'sign-out': { before: 'number' },
  'seal-count': { count: 'number' },
}

/**
 * Whether a body (JSON text) can be merged and read. Another region whose database was altered may send anything; one such body must
 * not stop the replication of all others.
 */
export function isFact(kind: KindOfScope<'shared'>, body: string): boolean {
  const document = parse(body)
  if (document === undefined) return false
  const wanted = Object.entries(members[kind] ?? {})
  if (wanted.length === 0) return true
  if (typeof document !== 'object' || document === null) return false
  const values = document as Record<string, unknown>
  if (wanted.some(([name, type]) => typeof values[name] !== type)) return false
  return kind !== 'replica' || (REPLICA_STATUSES as readonly unknown[]).includes(values.status)
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/**
 * Merges two bodies (JSON text). Returns `present` unchanged, byte for byte, when `incoming` adds nothing. A present body that is not
 * a fact is replaced.
 */
export function merge<K extends KindOfScope<'shared'>>(kind: K, present: string | undefined, incoming: string): string {
  if (present === undefined || !isFact(kind, present)) return incoming
  const stored = parseStored(kind, present)
  const merged = JSON.stringify(rules[kind](stored, parseStored(kind, incoming)))
  return merged === JSON.stringify(stored) ? present : merged
}
