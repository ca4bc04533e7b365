import type { Change } from '../store/apply.ts'
import type { Part } from '../store/cursors.ts'
import { isKind, type Kind, kinds } from '../store/kinds.ts'
import type { Row } from '../store/rows.ts'
import type { StampedRow } from '../store/upsert.ts'

/**
 * The wire format; it must be equal at both ends. The kinds are negotiated apart (known-kinds.ts). The first release derived
 * this value from its table of kinds; it must not change, or regions of that release refuse this one.
 */
export const FORMAT = '2.8fa2d5972a66'

/** A position in the log of a supplier. `mark` is a fingerprint of the transaction at `position` (see DESIGN.md). */
export interface LogPosition {
  log: string
  position: number
  mark: string
}

/** A place in the log of a supplier: after a position, or after a part of the transaction that follows it. */
export interface Place extends MarkedPosition {
  part?: Part | undefined
}

/**
 * Where a follower resumes. `epoch`: the newest epoch that it knows of any pool whose primary is the supplier. `witness`: the
 * newest position of the log that it has seen in the stream or in pages, which run ahead of the stream.
 */
export interface ResumePoint extends LogPosition, Place {
  epoch: number
  witness: MarkedPosition
}

/** A position in a given log. */
export interface MarkedPosition {
  position: number
  mark: string
}

/**
 * First line of the stream. `now` is the supplier's time, milliseconds since the epoch, here and below. Without `part`, a
 * transaction of which the follower has a part is sent again, from its start.
 */
export interface Hello extends LogPosition, Place {
  type: 'hello'
  format: string
  /** The kinds that the supplier knows (known-kinds.ts); the first release does not report them. */
  kinds?: string
  region: string
  now: number
  /** `continues`: the stream continues after the follower's own position. Otherwise `position` is the head of the log. */
  standing: 'continues' | RestartReason
}

/** Why a follower must restart, that is, copy its pools again. */
export type RestartReason = 'unknown-log' | 'trimmed' | 'went-back'

/** The changes of a transaction that the follower is to receive. The last batch may have none: it only moves the place. */
export interface FeedBatch {
  position: number
  mark: string
  at: number
  changes: WireChange[]
  /** The next message continues the transaction; `mark` is that of this part. Sent only to followers that report `parts`. */
  partial?: true
}

/** The place after batches that begin at a place. */
export function placeAfter<Mark extends string | undefined>(
  { position, mark, part }: Omit<Place, 'mark'> & { mark: Mark },
  batches: readonly FeedBatch[],
): Omit<Place, 'mark'> & { mark: Mark | string } {
  const last = batches.at(-1)
  if (!last) return { position, mark, part }
  const complete = batches.findLast(({ partial }) => !partial)
  return {
    ...(complete ? { position: complete.position, mark: complete.mark } : { position, mark }),
    part: last.partial ? { position: last.position, mark: last.mark } : undefined,
  }
}

/**
 * Every later line. `asOf` is set when the batches reach the end of the log: the time up to which the follower is complete. A
 * heartbeat has no batches.
 */
export interface Advance {
  type: 'advance'
  now: number
  asOf: number | null
  batches: FeedBatch[]
}

export type FeedMessage = Hello | Advance

/** kind, pool, key, body, epoch, seq, at, index columns in the order of the kind. */
export type WireChange = [string, string, string, string | null, number, number, number, (string | null)[]]

/** key, body, epoch, seq, index columns. */
export type WireRow = [string, string, number, number, (string | null)[]]

/** The pool and key of a row. */
export interface RowAddress {
  pool: string
  key: string
}

/** The `replica` rows that are sent to the follower; `next` is where the next page begins, null on the last page. */
export interface Inventory {
  rows: { pool: string; key: string; body: string }[]
  next: RowAddress | null
}

/** The topology and the row counts of a pool. */
export interface Outline {
  topology: WireRow | null
  counts: Record<string, number>
  /** The newest log position whose changes the outline includes. */
  head: MarkedPosition
}

export interface PageQuery {
  pool: string
  /** A kind, or `tombstones`. */
  stage: string
  after: string | undefined
  limit: number
  /** A position that the log must still contain: pages of a log that went back must not be mixed with earlier pages. */
  witness: LogPosition
}

export interface Page {
  rows: WireRow[]
  tombstones: WireChange[]
  more: boolean
  /** The newest log position after the page was read. */
  head: MarkedPosition
}

export const TOMBSTONES = 'tombstones'
/** The supplier has no such pool at all: it was put back to before the pool, or the pool was deleted while this region was away. */
export const UNKNOWN_POOL = 'unknown-pool'

/** The calls of a follower to a supplier, over the wire or within one process. */
export interface Source {
  inventory(after: RowAddress | undefined): Promise<Inventory>
  /** Undefined if the supplier does not share the pool with this region, or its log does not contain the witness. */
  outline(pool: string, witness: LogPosition): Promise<Outline | typeof UNKNOWN_POOL | undefined>
  /** Undefined if the pool is not shared or unknown, or the log does not contain the witness. */
  page(query: PageQuery): Promise<Page | undefined>
}

const columnsOf = (kind: Kind, fields: Partial<Record<string, string | null>>): (string | null)[] =>
  kinds[kind].index.map((name) => fields[name] ?? null)

const fieldsOf = (kind: Kind, columns: readonly (string | null)[]): Record<string, string | null> =>
  Object.fromEntries(
    kinds[kind].index.map((name, at) => {
      const value: unknown = columns[at]
      // A region whose log was altered may send values of other types, which a database refuses.
      return [name, typeof value === 'string' ? value : null]
    }),
  )

export const changeToWire = ({ kind, pool, key, body, stamp, at, fields }: Change): WireChange => [
  kind,
  pool,
  key,
  body,
  stamp.epoch,
  stamp.seq,
  at,
  body === null ? [] : columnsOf(kind, fields),
]

/** Undefined if this build does not know the kind. */
export function changeFromWire([kind, pool, key, body, epoch, seq, at, columns]: WireChange): Change | undefined {
  if (!isKind(kind)) return undefined
  return { kind, pool, key, body, stamp: { epoch, seq }, at, fields: body === null ? {} : fieldsOf(kind, columns) }
}

export const rowToWire = (kind: Kind, { key, body, stamp, fields }: Row): WireRow => [
  key,
  body,
  stamp.epoch,
  stamp.seq,
  columnsOf(kind, fields),
]

export const rowFromWire = (kind: Kind, pool: string, [key, body, epoch, seq, columns]: WireRow): StampedRow => ({
  pool,
  key,
  body,
  stamp: { epoch, seq },
  fields: fieldsOf(kind, columns),
})
