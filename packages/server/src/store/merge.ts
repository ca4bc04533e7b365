import type { KindOfScope } from './kinds.ts'

/** Body of a `replica` row. Whoever changes the status raises the version; a tie goes to the status that comes later here. */
export interface Replica {
  region: string
  status: ReplicaStatus
  version: number
  /** Tags that the region starts with, until it has settings of its own. */
  tags?: Record<string, string>
}
export const REPLICA_STATUSES = ['CREATING', 'INACTIVE', 'ACTIVE', 'DELETING', 'DELETED'] as const
export type ReplicaStatus = (typeof REPLICA_STATUSES)[number]

/** Body of a `revocation` row: it may be forgotten when the last token of its family has expired (ms since the epoch). */
export interface Revocation {
  expires: number
}

/**
 * Body of a `rotation` row: the newest generation of a family's refresh tokens that was used, and when it first was (ms
 * since the epoch). It may be forgotten when the family has expired.
 */
export interface Rotation {
  generation: number
  at: number
  expires: number
}

/** Body of a `sign-out` row: whatever was issued to the user up to this moment (ms since the epoch) is no longer good. */
export interface SignOut {
  before: number
}

/** The kinds of shared facts that end: their bodies say when. */
export const endingKinds = ['revocation', 'rotation'] as const

/** From when on a shared fact means nothing any more (ms since the epoch); infinite where it always may. */
export function endOf(kind: KindOfScope<'shared'>, body: string): number {
  if (!(endingKinds as readonly string[]).includes(kind)) return Number.POSITIVE_INFINITY
  return (JSON.parse(body) as Revocation | Rotation).expires
}

/**
 * How two regions' versions of a shared fact become one. Each rule is commutative, associative and idempotent, so that
 * regions agree whatever arrives first, and however often.
 */
export const rules: { [K in KindOfScope<'shared'>]: (a: never, b: never) => unknown } = {
  replica: (a: Replica, b: Replica) => (rank(a) >= rank(b) ? a : b),
  revocation: (a: Revocation, b: Revocation): Revocation => ({ expires: Math.max(a.expires, b.expires) }),
  rotation: (a: Rotation, b: Rotation): Rotation => ({
    generation: Math.max(a.generation, b.generation),
    at: a.generation === b.generation ? Math.min(a.at, b.at) : a.generation > b.generation ? a.at : b.at,
    expires: Math.max(a.expires, b.expires),
  }),
  'sign-out': (a: SignOut, b: SignOut): SignOut => ({ before: Math.max(a.before, b.before) }),
}

const rank = (replica: Replica): number =>
  replica.version * REPLICA_STATUSES.length + REPLICA_STATUSES.indexOf(replica.status)

/** Merges two bodies (JSON text); the result is `present` itself, to the letter, when nothing new came. */
export function merge(kind: KindOfScope<'shared'>, present: string | undefined, coming: string): string {
  if (present === undefined) return coming
  const merged = JSON.stringify(rules[kind](JSON.parse(present) as never, JSON.parse(coming) as never))
  return merged === JSON.stringify(JSON.parse(present)) ? present : merged
}
