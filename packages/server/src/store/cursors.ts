import { sql } from 'kysely'
import { type Connection, PIPELINED } from './database.ts'

/** This region's progress in a peer's log: everything up to `position` has been applied or skipped. */
export interface Cursor {
  peer: string
  log: string
  position: number
  mark: string
  /** All writes that the peer acknowledged to its clients up to this moment are here (ms since the epoch on the peer's clock). */
  asOf: number
  /**
   * The kinds followed up to `position` (replication/known-kinds.ts); undefined when an older build has moved the cursor since.
   */
  kinds?: string | undefined
  /** Set while a transaction after `position` is applied in parts: everything up to this part is here too. */
  part?: Part | undefined
}

/** How far a reader is within a transaction: its position, and the mark of the last change that the reader has. */
export interface Part {
  position: number
  mark: string
}

/** A peer's reported progress in this region's log. */
export interface Follower {
  peer: string
  position: number
  /** Milliseconds since the epoch. */
  at: number
}

interface RawCursor extends Omit<Cursor, 'asOf' | 'kinds' | 'part'> {
  as_of: number
  kinds: string | null
  kinds_at: number | null
  part: string | null
}

const CURSOR = sql.raw('peer, log, position, mark, as_of, kinds, kinds_at, part')

export async function findCursor(db: Connection, peer: string): Promise<Cursor | undefined> {
  const { rows } = await sql<RawCursor>`select ${CURSOR} from cursors where peer = ${peer}`.execute(db)
  return rows[0] && toCursor(rows[0])
}

export async function listCursors(db: Connection): Promise<Cursor[]> {
  const { rows } = await sql<RawCursor>`select ${CURSOR} from cursors order by peer`.execute(db)
  return rows.map(toCursor)
}

export async function putCursor(
  connection: Connection,
  { peer, log, position, mark, asOf, kinds, part }: Cursor,
): Promise<void> {
  await sql`
    insert into cursors (peer, log, position, mark, as_of, kinds, kinds_at, part)
    values (${peer}, ${log}, ${position}, ${mark}, ${asOf}, ${kindsOf(log, kinds)}, ${position},
      ${partOf({ log, position, part })})
    on conflict (peer) do update set
      log = excluded.log, position = excluded.position, mark = excluded.mark, as_of = excluded.as_of,
      kinds = excluded.kinds, kinds_at = excluded.kinds_at, part = excluded.part`.execute(connection)
}

/**
 * The value of the column `kinds`. It includes the log: an older build that starts over in another log leaves the column
 * unchanged, and may reach the same position.
 */
export const kindsOf = (log: string, kinds: string | undefined): string | null =>
  kinds === undefined ? null : `${log}\n${kinds}`

/**
 * The beginning of the column `part`. It includes the place: an older build that moves the cursor leaves the column unchanged, and
 * applies the transaction again, from its start.
 */
export const partPrefix = ({ log, position }: Pick<Cursor, 'log' | 'position'>): string => `${log}\n${position}\n`

/** The value of the column `part`. */
export const partOf = (cursor: Pick<Cursor, 'log' | 'position' | 'part'>): string | null =>
  cursor.part ? `${partPrefix(cursor)}${cursor.part.position}\n${cursor.part.mark}` : null

/** Advances a cursor (without `mark`, only its `asOf` and `part`). `asOf` goes back when the peer's clock does. */
export async function moveCursor(
  connection: Connection,
  {
    peer,
    mark,
    asOf,
    ...to
  }: Pick<Cursor, 'peer' | 'log' | 'position' | 'part'> & { mark: string | undefined; asOf: number | undefined },
): Promise<void> {
  await sql`${PIPELINED}
    update cursors set position = ${to.position}, mark = coalesce(${mark ?? null}, mark), kinds_at = ${to.position},
      part = ${partOf(to)},
      as_of = coalesce(${asOf ?? null}, as_of)
    where peer = ${peer}`.execute(connection)
}

export async function listFollowers(db: Connection): Promise<Follower[]> {
  const { rows } = await sql<Follower>`select peer, position, at from followers order by peer`.execute(db)
  return rows
}

export async function putFollower(connection: Connection, { peer, position, at }: Follower): Promise<void> {
  await sql`
    insert into followers (peer, position, at) values (${peer}, ${position}, ${at})
    on conflict (peer) do update set position = excluded.position, at = excluded.at`.execute(connection)
}

/** For a new log: acknowledged positions of another log are meaningless. */
export async function forgetFollowers(connection: Connection): Promise<void> {
  await sql`delete from followers`.execute(connection)
}

function toCursor({ as_of, kinds, kinds_at, part, ...cursor }: RawCursor): Cursor {
  const [log, text] = kinds?.split('\n') ?? []
  const current = log === cursor.log && kinds_at === cursor.position
  return { ...cursor, asOf: as_of, kinds: current ? text : undefined, part: parsePart(cursor, part) }
}

/** Reads the column `part`; undefined if an older build has moved the cursor since. */
export function parsePart(cursor: Pick<Cursor, 'log' | 'position'>, text: string | null): Part | undefined {
  const prefix = partPrefix(cursor)
  if (!text?.startsWith(prefix)) return undefined
  const [position, mark = ''] = text.slice(prefix.length).split('\n')
  return { position: Number(position), mark }
}

/**
 * The kinds that a peer reported with its last request for the log (replication/known-kinds.ts); undefined before its first one.
 */
export const findPeerKinds = (db: Connection, peer: string): Promise<string | undefined> =>
  findFact(db, peerKinds(peer))

export const putPeerKinds = (connection: Connection, peer: string, kinds: string): Promise<void> =>
  putFact(connection, peerKinds(peer), kinds)

const peerKinds = (peer: string): string => `kinds-of/${peer}`

/** How far a peer's clock was ahead of this region's when it was measured last, in milliseconds (replication/peer-clocks.ts). */
export async function findClockAhead(db: Connection, peer: string): Promise<number | undefined> {
  const value = await findFact(db, clockOf(peer))
  return value === undefined ? undefined : Number(value)
}

export const putClockAhead = (connection: Connection, peer: string, milliseconds: number): Promise<void> =>
  putFact(connection, clockOf(peer), String(milliseconds))

const clockOf = (peer: string): string => `clock-of/${peer}`

async function findFact(db: Connection, name: string): Promise<string | undefined> {
  const { rows } = await sql<{ value: string }>`select value from facts where name = ${name}`.execute(db)
  return rows[0]?.value
}

async function putFact(connection: Connection, name: string, value: string): Promise<void> {
  await sql`
    insert into facts (name, value) values (${name}, ${value})
    on conflict (name) do update set value = excluded.value`.execute(connection)
}
