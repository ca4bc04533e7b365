import type { Change } from '../store/apply.ts'
import { isKind, type Kind, kinds } from '../store/kinds.ts'
import type { Row } from '../store/rows.ts'
import type { StampedRow } from '../store/upsert.ts'

/**
 * The language of the wire, which both ends must share; which kinds they know they tell each other (known-kinds.ts). The word is the one that the first
 * release made from its table of kinds: it must stay as it is for regions of that release to be understood.
 */
export const FORMAT = '2.8fa2d5972a66'

/** Where a follower stands in the log of a supplier. */
export interface LogPosition {
  log: string
  position: number
  mark: string
}

/**
 * What a follower says when it comes. `epoch`: the newest that it knows of any pool of which the supplier is the primary.
 * `witness`: the newest place of the log that it has seen anything of; pages run ahead of the stream.
 */
export interface ResumePoint extends LogPosition {
  epoch: number
  witness: MarkedPosition
}

/** A place in a log. */
export interface MarkedPosition {
  position: number
  mark: string
}

/** First line of the stream. `now` is the supplier's time, milliseconds since the epoch, here and below. */
export interface Hello extends LogPosition {
  type: 'hello'
  format: string
  /** What the supplier knows (known-kinds.ts); the first release does not say. */
  kinds?: string
  region: string
  now: number
  /** The stream goes on after `position`: the follower's own, or, when that is of no use, the head of the log. */
  standing: 'continues' | RestartReason
}

/** Why a follower must start anew. */
export type RestartReason = 'unknown-log' | 'trimmed' | 'went-back'

/** A transaction as far as it concerns the follower; a last one without changes only moves the position. */
export interface FeedBatch {
  position: number
  mark: string
  at: number
  changes: WireChange[]
}

/** Every other line: transactions, and, when they leave nothing behind, as of when that is so. A heartbeat has none. */
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

/** Address of a row among all pools. */
export interface RowAddress {
  pool: string
  key: string
}

/** Rows of kind `replica` that concern the follower; `next` is what to go on after. */
export interface Inventory {
  rows: { pool: string; key: string; body: string }[]
  next: RowAddress | null
}

/** What a pool consists of. */
export interface Outline {
  topology: WireRow | null
  counts: Record<string, number>
  /** The newest place of the log whose changes are in this. */
  head: MarkedPosition
}

export interface PageQuery {
  pool: string
  /** A kind, or `tombstones`. */
  stage: string
  after: string | undefined
  limit: number
  /** What the log must still have: a log that went back has no pages to add to those that it gave before. */
  witness: LogPosition
}

export interface Page {
  rows: WireRow[]
  tombstones: WireChange[]
  more: boolean
  /** The newest place of the log after the page was read. */
  head: MarkedPosition
}

export const TOMBSTONES = 'tombstones'

/** What a follower may ask of a supplier; over the wire, or in one process. */
export interface Source {
  inventory(after: RowAddress | undefined): Promise<Inventory>
  /** Undefined when the supplier does not share the pool with this region, or its log is not the one of the witness. */
  outline(pool: string, witness: LogPosition): Promise<Outline | undefined>
  /** Undefined as above. */
  page(query: PageQuery): Promise<Page | undefined>
}

const columnsOf = (kind: Kind, fields: Partial<Record<string, string | null>>): (string | null)[] =>
  kinds[kind].index.map((name) => fields[name] ?? null)

const fieldsOf = (kind: Kind, columns: readonly (string | null)[]): Record<string, string | null> =>
  Object.fromEntries(kinds[kind].index.map((name, at) => [name, columns[at] ?? null]))

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

/** Undefined for what is no change of a kind known here. */
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
