import { sql } from 'kysely'
import type { Change } from './apply.ts'
import { type Connection, PIPELINED } from './database.ts'
import { type Kind, kindNames } from './kinds.ts'

/** A copy of a pool in progress. */
export interface Copy {
  pool: string
  peer: string
  /** Identifies this copy: a page fetched for an earlier copy of the pool is not applied. */
  generation: string
  /** The stage whose pages are being fetched; see replication/copier.ts. */
  stage: string
  /** Key of the last copied row. */
  after: string | undefined
  done: number
  total: number
  /** Removed rows: they were here but not at the source. */
  swept: number
  /** Milliseconds since the epoch. */
  started: number
  /** `asOf` of the pool before it had to be copied again, on the peer's clock; undefined for a first copy. */
  asOf: number | undefined
  /** The copy ends when the cursor reaches this position; undefined until all pages are applied. */
  target: number | undefined
  /** Only these kinds are copied, because all others are complete; undefined: all kinds. */
  kinds?: readonly string[] | undefined
  /** The newest position of the peer's log that a page has reported. */
  witness: { position: number; mark: string }
}

/**
 * Whether the copy is the first one: rows of the pool are missing until it is complete. `copy` is one from the primary of the pool; a
 * copy from another region has shared facts only.
 */
export const isFirstCopy = ({ asOf, kinds }: Pick<Copy, 'asOf' | 'kinds'>): boolean =>
  asOf === undefined && kinds === undefined

/** The stage of a copy that cannot begin: the primary of the pool does not know the pool. */
export const ORPHANED = 'orphaned'

interface RawCopy extends Omit<Copy, 'stage' | 'after' | 'asOf' | 'target' | 'witness' | 'kinds'> {
  kind: string
  kinds: string | null
  after: string | null
  as_of: number | null
  target: number | null
  witness: number
  witness_mark: string
}

const COPY = sql.raw(
  'pool, peer, generation, kind, after, done, total, swept, started, as_of, target, witness, witness_mark, kinds',
)

export async function listCopies(db: Connection): Promise<Copy[]> {
  const { rows } = await sql<RawCopy>`select ${COPY} from copies order by started, pool, peer`.execute(db)
  return rows.map(toCopy)
}

export async function findCopy(
  db: Connection,
  { pool, peer }: { pool: string; peer: string },
): Promise<Copy | undefined> {
  const { rows } = await sql<RawCopy>`select ${COPY} from copies where pool = ${pool} and peer = ${peer}`.execute(db)
  return rows[0] && toCopy(rows[0])
}

/**
 * The copy of all kinds of a pool from its primary, if one is in progress: `first`, or `again` while rows of before the copy are
 * beside new ones.
 */
export async function findCopyInProgress(
  db: Connection,
  { pool, primary }: { pool: string; primary: string },
): Promise<'first' | 'again' | undefined> {
  const copy = await findCopy(db, { pool, peer: primary })
  if (!copy || copy.kinds) return undefined
  if (isFirstCopy(copy)) return 'first'
  return copy.stage === ORPHANED ? undefined : 'again'
}

export async function putCopy(connection: Connection, copy: Copy): Promise<void> {
  await sql`
    insert into copies (pool, peer, generation, kind, after, done, total, swept, started, as_of, target, witness, witness_mark,
      kinds)
    values (${copy.pool}, ${copy.peer}, ${copy.generation}, ${copy.stage}, ${copy.after ?? null}, ${copy.done},
      ${copy.total}, ${copy.swept}, ${copy.started}, ${copy.asOf ?? null}, ${copy.target ?? null},
      ${copy.witness.position}, ${copy.witness.mark}, ${copy.kinds ? JSON.stringify(copy.kinds) : null})
    on conflict (pool, peer) do update set generation = excluded.generation, kind = excluded.kind, after = excluded.after,
      done = excluded.done, total = excluded.total, swept = excluded.swept, started = excluded.started,
      as_of = excluded.as_of, target = excluded.target,
      witness = excluded.witness, witness_mark = excluded.witness_mark, kinds = excluded.kinds`.execute(connection)
}

export async function removeCopy(
  connection: Connection,
  { pool, peer }: { pool: string; peer: string },
): Promise<void> {
  await sql`delete from copies where pool = ${pool} and peer = ${peer}`.execute(connection)
}

/** Ends all copies of a pool. */
export async function removeCopies(connection: Connection, pool: string): Promise<void> {
  await sql`delete from copies where pool = ${pool}`.execute(connection)
}

/** Records rows that the stream has changed while their pool is being copied. */
export async function noteTouched(
  connection: Connection,
  rows: readonly { pool: string; kind: Kind; key: string }[],
): Promise<void> {
  for (const { pool, kind, key } of rows) {
    await sql`${PIPELINED}
      insert into copy_touched (pool, kind, key) values (${pool}, ${kind}, ${key})
      on conflict (pool, kind, key) do nothing`.execute(connection)
  }
}

/** Keys from `after` (exclusive) to `until` (inclusive; undefined: to the end) that the stream has changed. */
export async function listTouched(
  db: Connection,
  { pool, kind, after, until }: Range & { kind: Kind },
): Promise<Set<string>> {
  const { rows } = await sql<{ key: string }>`
    select key from copy_touched where pool = ${pool} and kind = ${kind} ${within({ after, until })}`.execute(db)
  return new Set(rows.map(({ key }) => key))
}

export async function isTouched(
  db: Connection,
  { kind, pool, key }: { kind: Kind; pool: string; key: string },
): Promise<boolean> {
  const { rows } = await sql`
    select 1 as one from copy_touched where pool = ${pool} and kind = ${kind} and key = ${key}`.execute(db)
  return rows.length > 0
}

export async function clearTouched(connection: Connection, pool: string): Promise<void> {
  await sql`delete from copy_touched where pool = ${pool}`.execute(connection)
}

export async function clearTombstones(connection: Connection, pool: string): Promise<void> {
  await sql`delete from tombstones where pool = ${pool}`.execute(connection)
}

export interface Range {
  pool: string
  after: string | undefined
  until: string | undefined
}

/** Lists tombstones as changes, in the order (kind, key); without the kinds that only a newer build of the region knows. */
export async function listTombstones(
  db: Connection,
  { pool, after, limit }: { pool: string; after: { kind: string; key: string } | undefined; limit: number },
): Promise<Change[]> {
  const { rows } = await sql<{ kind: Kind; key: string; epoch: number; seq: number; at: number }>`
    select kind, key, epoch, seq, at from tombstones
    where pool = ${pool} and kind in (${sql.join(kindNames)})
      ${after ? sql`and (kind, key) > (${after.kind}, ${after.key})` : sql``}
    order by kind, key limit ${limit}`.execute(db)
  return rows.map(({ kind, key, epoch, seq, at }) => ({
    pool,
    kind,
    key,
    body: null,
    fields: {},
    stamp: { epoch, seq },
    at,
  }))
}

const within = ({ after, until }: Pick<Range, 'after' | 'until'>) =>
  sql`${after === undefined ? sql`` : sql`and key > ${after}`} ${until === undefined ? sql`` : sql`and key <= ${until}`}`

const toCopy = ({ kind, kinds, after, as_of, target, witness, witness_mark, ...copy }: RawCopy): Copy => ({
  ...copy,
  stage: kind,
  kinds: kinds === null ? undefined : (JSON.parse(kinds) as string[]),
  after: after ?? undefined,
  asOf: as_of ?? undefined,
  target: target ?? undefined,
  witness: { position: witness, mark: witness_mark },
})
