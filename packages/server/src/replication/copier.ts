import { addRows, applyChanges, replaceRows, sweepRows } from '../store/apply.ts'
import {
  type Copy,
  clearTouched,
  findCopy,
  isFirstCopy,
  listCopies,
  listTouched,
  ORPHANED,
  putCopy,
  removeCopy,
} from '../store/copies.ts'
import { findCursor } from '../store/cursors.ts'
import { isKind, type Kind, type KindOfScope, kinds, ONLY, scopeOf, tableOf } from '../store/kinds.ts'
import { isFact, type Replica } from '../store/merge.ts'
import { readPoolRoles } from '../store/roles.ts'
import { listRowsWithin, type Row } from '../store/rows.ts'
import type { StampedRow } from '../store/upsert.ts'
import { findTopology } from './documents.ts'
import {
  type ApplyTransaction,
  beginCopy,
  type FollowerContext,
  findWitness,
  inApplyTransaction,
  isRelaxed,
  shareStatus,
} from './follower.ts'
import { commonKinds, FIRST_RELEASE_KINDS, type KnownKinds, kindsOfThisBuild, parseKinds } from './known-kinds.ts'
import {
  changeFromWire,
  type LogPosition,
  type MarkedPosition,
  type Outline,
  type Page,
  rowFromWire,
  type Source,
  TOMBSTONES,
  UNKNOWN_POOL,
} from './messages.ts'
import { listReplicas, needsFirstCopy, replicaIn, sharesPool } from './roles.ts'
import { COMPLETE, isStage, OUTLINE, stageAfter } from './stages.ts'

export interface Copier {
  /** Pools that need their first copy. */
  listPoolsToCopy(): Promise<string[]>
  /** Begins the first copy of a pool if this peer is its primary and shares it. Returns whether it has begun. */
  begin(pool: string, peer: string, source: Source): Promise<boolean>
  listCopies(): Promise<Copy[]>
  /**
   * Runs the next step of a copy. Returns `waits` if the step cannot be done yet (for example until the cursor passes the
   * target), `locked` if a first copy only lacks the key of the pool, `orphaned` if the primary turns out not to know the pool,
   * `ended` if the copy is complete, `dropped` if another copy replaced it or the peer no longer shares the pool.
   */
  step(copy: Pick<Copy, 'pool' | 'peer'>, source: Source): Promise<Step>
}

export type Step = 'moved' | 'waits' | 'locked' | 'orphaned' | 'ended' | 'dropped'

const PAGE_ROWS = 1_000
/** Of the rows that a page is compared with. */
const COMPARED_BYTES = 1024 * 1024
/** Bounds the memory while many pools are copied. */
const MAX_PREFETCHED_PAGES = 8

export function createCopier(context: FollowerContext): Copier {
  const { store, clock, region } = context
  /** Prefetched pages by pool and peer. */
  const prefetched = new Map<string, { name: string; page: Promise<Page | undefined> }>()

  const fetchPage = async (copy: Copy, source: Source): Promise<Page | undefined> => {
    const witness = await findCopyWitness(copy.peer)
    return witness && source.page({ pool: copy.pool, stage: copy.stage, after: copy.after, limit: PAGE_ROWS, witness })
  }

  /** Undefined before the first contact with the peer. */
  const findCopyWitness = async (peer: string): Promise<LogPosition | undefined> => {
    const cursor = await findCursor(store.db, peer)
    return cursor && { log: cursor.log, ...(await findWitness(store.db, cursor)) }
  }

  /** The kinds that this region follows from a peer. */
  const findFollowedKinds = async (peer: string): Promise<KnownKinds> =>
    commonKinds(context.known ?? kindsOfThisBuild(), parseKinds((await findCursor(store.db, peer))?.kinds))

  /** Returns the prefetched page if it is the right one, otherwise fetches the page. */
  const takePage = (copy: Copy, source: Source): Promise<Page | undefined> => {
    const waiting = prefetched.get(addressOf(copy))
    prefetched.delete(addressOf(copy))
    return waiting?.name === pageIdOf(copy) ? waiting.page : fetchPage(copy, source)
  }
  const prefetch = (copy: Copy, source: Source): void => {
    if (copy.stage === COMPLETE || prefetched.size >= MAX_PREFETCHED_PAGES) return
    const page = fetchPage(copy, source)
    page.catch(() => {})
    prefetched.set(addressOf(copy), { name: pageIdOf(copy), page })
  }

  /** Must run in the transaction of the step. Returns false if the copy has changed since it was read. */
  const isCurrent = async ({ connection }: ApplyTransaction, copy: Copy): Promise<boolean> => {
    const present = await findCopy(connection, copy)
    return present !== undefined && pageIdOf(present) === pageIdOf(copy)
  }

  const applyOutline = (copy: Copy, outline: Outline, known: KnownKinds): Promise<Step> =>
    inApplyTransaction(context, async (apply) => {
      if (!(await isCurrent(apply, copy))) return 'dropped'
      const roles = await readPoolRoles(apply.connection, copy.pool)
      const primary = roles.topology?.primary === copy.peer
      if (primary) await replaceTopology(apply, copy.pool, outline)
      let total = 0
      for (const [kind, count] of Object.entries(outline.counts)) {
        if (isKind(kind) && (scopeOf(kind) === 'shared' || (primary && kind !== 'topology'))) total += count
      }
      const stage = stageAfter(copy, { fromPrimary: primary, known })
      await putCopy(apply.connection, { ...copy, stage, total, witness: newerWitness(copy, outline) })
      return 'moved'
    })

  const applyPage = (copy: Copy, page: Page, next: Copy): Promise<Step> => {
    const write = async (apply: ApplyTransaction): Promise<Step> => {
      if (!(await isCurrent(apply, copy))) return 'dropped'
      const { connection } = apply
      let swept = 0
      if (copy.stage === TOMBSTONES) {
        await applyChanges(
          connection,
          page.tombstones.map(changeFromWire).filter((change) => change !== undefined),
        )
      } else {
        const kind = copy.stage as Kind
        const rows = page.rows.map((row) => rowFromWire(kind, copy.pool, row))
        if (scopeOf(kind) === 'shared') await mergeRows(apply, kind as KindOfScope<'shared'>, rows)
        else swept = await reconcile(apply, kind, { copy, page, rows })
      }
      await putCopy(connection, { ...next, swept: copy.swept + swept })
      return 'moved'
    }
    // Safe to lose in a crash: the pages and the progress of the copy are lost together.
    return inApplyTransaction(context, write, { relaxed: isRelaxed(copy.stage) })
  }

  /** For a stage that the peer or this build does not know. */
  const skipStage = (copy: Copy, known: KnownKinds): Promise<Step> =>
    inApplyTransaction(context, async (apply) => {
      if (!(await isCurrent(apply, copy))) return 'dropped'
      const next = advance(copy, { rows: [], tombstones: [], more: false, head: copy.witness }, known)
      await putCopy(apply.connection, next)
      return 'moved'
    })

  /** Makes a range of keys equal to the page, except for rows that the stream has touched since the copy began. */
  const reconcile = async (
    { connection, touched: cached }: ApplyTransaction,
    kind: Kind,
    { copy: { pool, after }, page, rows }: { copy: Copy; page: Page; rows: StampedRow[] },
  ): Promise<number> => {
    const until = page.more ? rows.at(-1)?.key : undefined
    const streamed = await listTouched(connection, { pool, kind, after, until })
    const incoming = new Map(rows.map((row) => [row.key, row]))
    const surplus: string[] = []
    let last = after
    for (;;) {
      const limits = { limit: PAGE_ROWS, bytes: COMPARED_BYTES }
      const { rows: present, more } = await listRowsWithin(connection, kind, { pool, after: last, until, ...limits })
      for (const row of present) {
        const other = incoming.get(row.key)
        if (!other && !streamed.has(row.key)) surplus.push(row.key)
        if (other && isSame(kind, row, other)) incoming.delete(row.key)
      }
      if (!more) break
      last = present.at(-1)?.key
    }
    await sweepRows(connection, kind, { pool, keys: surplus })
    if (kinds[kind].cached) cached.push(...[...incoming.keys(), ...surplus].map((key) => ({ kind, pool, key })))
    const different = [...incoming.values()]
    await replaceRows(
      connection,
      kind,
      different.filter(({ key }) => !streamed.has(key)),
    )
    await applyChanges(
      connection,
      different.filter(({ key }) => streamed.has(key)).map((row) => ({ ...row, kind, at: clock.now() })),
    )
    return surplus.length
  }

  /**
   * Facts that are new here also arrive in the log of their writer, so only merged differences are written to this region's
   * log.
   */
  const mergeRows = async (
    { tx, connection }: ApplyTransaction,
    kind: KindOfScope<'shared'>,
    received: StampedRow[],
  ): Promise<void> => {
    const rows = received.filter(({ body }) => isFact(kind, body))
    const added = kind === 'replica' ? new Set<string>() : await addRows(connection, kind, rows)
    for (const { pool, key, body } of rows) {
      if (!added.has(key)) await tx.share(kind, { pool, key, body })
    }
  }

  const complete = (copy: Copy): Promise<Step> =>
    inApplyTransaction(context, async (apply) => {
      if (!(await isCurrent(apply, copy))) return 'dropped'
      const cursor = await findCursor(apply.connection, copy.peer)
      if (!cursor || copy.target === undefined || cursor.position < copy.target) return 'waits'
      await removeCopy(apply.connection, copy)
      const roles = await readPoolRoles(apply.connection, copy.pool)
      if (roles.topology?.primary !== copy.peer) return 'ended'
      await clearTouched(apply.connection, copy.pool)
      const own = replicaIn(roles, region)
      if (own?.status === 'CREATING' && !copy.kinds)
        await shareStatus(apply.tx, copy.pool, { replica: own, status: 'INACTIVE' })
      // The local copy decides whether calls are served (directory/pool.ts).
      apply.touched.push({ kind: 'topology', pool: copy.pool, key: ONLY })
      return 'ended'
    })

  /** A replica that cannot open the pool must not be offered to operators as complete. A later copy changes nothing about its key. */
  const isLocked = async (copy: Copy): Promise<boolean> =>
    isFirstCopy(copy) && (await context.opensPool?.(copy.pool)) === false

  /** The peer does not serve the pool. If the peer is the primary, the stream will contain the reason. */
  const abandon = (copy: Copy): Promise<Step> =>
    inApplyTransaction(context, async (apply) => {
      const roles = await readPoolRoles(apply.connection, copy.pool)
      const { topology } = roles
      if (topology?.primary === copy.peer) return 'waits'
      // The kind is newer than the first release, so the request may have reached a process that has not been upgraded yet.
      if (isKind(copy.stage) && !FIRST_RELEASE_KINDS.has(copy.stage) && sharesPool(roles, copy.peer)) return 'waits'
      if (await isCurrent(apply, copy)) await removeCopy(apply.connection, copy)
      return 'dropped'
    })

  /** The rows here may be the last copy of the pool, so they are kept as they are. */
  const orphan = (copy: Copy): Promise<Step> =>
    inApplyTransaction(context, async (apply) => {
      if (!(await isCurrent(apply, copy))) return 'dropped'
      const { topology } = await readPoolRoles(apply.connection, copy.pool)
      if (topology?.primary !== copy.peer) {
        await removeCopy(apply.connection, copy)
        return 'dropped'
      }
      await putCopy(apply.connection, { ...copy, stage: ORPHANED })
      apply.touched.push({ kind: 'topology', pool: copy.pool, key: ONLY })
      return 'orphaned'
    })

  return {
    listCopies: async () => {
      const copies = await listCopies(store.db)
      const present = new Set(copies.map(addressOf))
      for (const address of prefetched.keys()) if (!present.has(address)) prefetched.delete(address)
      return copies
    },

    listPoolsToCopy: async () => {
      const due: string[] = []
      const copying = new Set((await listCopies(store.db)).map(({ pool }) => pool))
      for await (const { pool, region: of } of listReplicas(store.db)) {
        if (of !== region || copying.has(pool)) continue
        if (needsFirstCopy(await readPoolRoles(store.db, pool), region)) due.push(pool)
      }
      return due
    },

    begin: async (pool, peer, source) => {
      const witness = await findCopyWitness(peer)
      const outline = witness && (await source.outline(pool, witness))
      if (outline === UNKNOWN_POOL || !outline?.topology || primaryOf(outline) !== peer) return false
      await inApplyTransaction(context, async (apply) => {
        const roles = await readPoolRoles(apply.connection, pool)
        if (!needsFirstCopy(roles, region)) return
        const own = replicaIn(roles, region) as Replica
        // The replica existed before: this region has lost its store.
        if (own.status !== 'CREATING') await shareStatus(apply.tx, pool, { replica: own, status: 'CREATING' })
        await beginCopy({ clock }, apply.connection, { pool, peer, fromPrimary: true, witness: outline.head })
        await replaceTopology(apply, pool, outline)
      })
      return true
    },

    step: async ({ pool, peer }, source) => {
      const copy = await findCopy(store.db, { pool, peer })
      if (!copy) return 'dropped'
      if (copy.stage === COMPLETE) return (await isLocked(copy)) ? 'locked' : complete(copy)
      if (copy.stage === OUTLINE) {
        const witness = await findCopyWitness(peer)
        const outline = witness && (await source.outline(pool, witness))
        if (outline === UNKNOWN_POOL) return orphan(copy)
        return outline ? applyOutline(copy, outline, await findFollowedKinds(peer)) : abandon(copy)
      }
      // Waits for another greeting of the primary, or for the word of an operator.
      if (copy.stage === ORPHANED) return abandon(copy)
      const known = await findFollowedKinds(peer)
      // A newer build of this region began to copy kinds that this build does not know. They are dropped at the next greeting,
      // not here.
      if (!isStage(copy.stage) && copy.kinds) return 'waits'
      if (!isStage(copy.stage) || (isKind(copy.stage) && !known.has(copy.stage))) return skipStage(copy, known)
      const page = await takePage(copy, source)
      if (!page) return abandon(copy)
      if (!isComplete(copy, page, known)) return 'waits'
      const next = advance(copy, page, known)
      prefetch(next, source)
      const step = await applyPage(copy, page, next)
      // PostgreSQL's planner still has the statistics of a small table; autovacuum would update them only some time after the
      // first calls.
      if (!page.more && copy.after !== undefined && isKind(copy.stage)) {
        await store.engine.analyze(tableOf(copy.stage)).catch(() => {})
      }
      return step
    },
  }
}

const isSame = (kind: Kind, a: Row, b: StampedRow): boolean =>
  a.stamp.epoch === b.stamp.epoch &&
  a.stamp.seq === b.stamp.seq &&
  a.body === b.body &&
  kinds[kind].index.every((name) => (a.fields as StampedRow['fields'])[name] === b.fields[name])

const addressOf = ({ pool, peer }: Pick<Copy, 'pool' | 'peer'>): string => `${pool}\n${peer}`

const pageIdOf = ({ generation, stage, after }: Copy): string => `${generation}\n${stage}\n${after ?? ''}`

/** The state of a copy after a page has been applied. */
function advance(copy: Copy, page: Page, known: KnownKinds): Copy {
  const done = copy.done + page.rows.length
  const witness = newerWitness(copy, page)
  if (page.more) return { ...copy, done, witness, after: lastOf(page) }
  const stage = stageAfter(copy, { known })
  return { ...copy, done, witness, stage, after: undefined, target: stage === COMPLETE ? witness.position : undefined }
}

/**
 * Whether the page has all columns that this copy needs. During a rolling upgrade an older process of the peer's region may
 * serve it.
 */
const isComplete = ({ stage }: Copy, { rows }: Page, known: KnownKinds): boolean =>
  rows.every(([, , , , columns]) => columns.length >= (known.get(stage)?.length ?? 0))

function lastOf({ rows, tombstones }: Page): string | undefined {
  const tombstone = tombstones.at(-1)
  return tombstone ? `${tombstone[0]}\n${tombstone[2]}` : rows.at(-1)?.[0]
}

const newerWitness = ({ witness }: Copy, { head }: { head: MarkedPosition }): MarkedPosition =>
  head.position > witness.position ? head : witness

const primaryOf = ({ topology }: Outline): string | undefined =>
  topology ? findTopology(topology[1])?.primary : undefined

/** Once its topology row is written, this region holds the pool. */
async function replaceTopology(
  { connection, touched }: ApplyTransaction,
  pool: string,
  { topology }: Outline,
): Promise<void> {
  if (!topology || !findTopology(topology[1])) return
  await replaceRows(connection, 'topology', [rowFromWire('topology', pool, topology)])
  touched.push({ kind: 'topology', pool, key: ONLY })
}
