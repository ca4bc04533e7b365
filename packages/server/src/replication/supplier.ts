import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import {
  findExcess,
  hasPart,
  openLog,
  purgeTombstones,
  READ_LIMITS,
  type ReadLimits,
  readLog,
  readLogState,
  readNewest,
  renewLog,
  trimChanges,
} from '../store/changes.ts'
import { listTombstones } from '../store/copies.ts'
import { forgetFollowers, listFollowers, putFollower } from '../store/cursors.ts'
import type { Connection } from '../store/database.ts'
import { isKind, kindNames, ONLY, type Topology } from '../store/kinds.ts'
import { type PoolRoles, readPoolRoles, readRoles } from '../store/roles.ts'
import { listRowsOfAllPools, listRowsWithin } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import { openTransaction, type Transaction } from '../store/write.ts'
import { findReplica } from './documents.ts'
import { FIRST_RELEASE_KINDS, formatKinds, type KnownKinds, kindsOfThisBuild } from './known-kinds.ts'
import {
  changeToWire,
  type FeedBatch,
  FORMAT,
  type Hello,
  type Inventory,
  type LogPosition,
  type Outline,
  type Page,
  type PageQuery,
  type Place,
  placeAfter,
  type RestartReason,
  type ResumePoint,
  type RowAddress,
  rowToWire,
  TOMBSTONES,
  UNKNOWN_POOL,
} from './messages.ts'
import { isSentTo, listReplicas, listTopologies, sharesPool } from './roles.ts'

export interface Retention {
  /** How long a change is kept for a peer that has not acknowledged it. */
  milliseconds: number
  /** How many changes are kept for a peer that has not acknowledged them. */
  changes: number
}

/** With the peer's place after the batches. */
export interface FeedReading extends Place {
  batches: FeedBatch[]
  /** Whether the batches reach the end of what can be read. */
  drained: boolean
  /** Whether committed changes wait for an older transaction to end. */
  held: boolean
  now: number
  asOf: number
}

/** Serves this region's log and rows to its peers. */
export interface Supplier {
  hello(peer: string, from: ResumePoint | undefined): Promise<Hello>
  /**
   * Reads the log from a place, for a peer that knows `peerKinds` (default: the kinds of the first release). A peer that does not
   * know `parts` (default: it does) is sent complete transactions, however large they are. Undefined if the log was renewed, was
   * trimmed past the place, or has another transaction or none there.
   */
  read(
    peer: string,
    from: Pick<LogPosition, 'log'> & Place,
    peerKinds?: KnownKinds,
    options?: { parts?: boolean },
  ): Promise<FeedReading | undefined>
  inventory(peer: string, after: RowAddress | undefined): Promise<Inventory>
  /** Undefined if the pool is not shared with the peer, or the log does not contain the witness. */
  outline(peer: string, pool: string, witness: LogPosition): Promise<Outline | typeof UNKNOWN_POOL | undefined>
  /** Undefined if the pool is not shared or unknown, the stage is unknown, or the log does not contain the witness. */
  page(peer: string, query: PageQuery): Promise<Page | undefined>
  acknowledge(peer: string, position: Pick<LogPosition, 'log' | 'position'>): Promise<void>
  /** Trims the changes that no peer needs. Returns how many were removed. */
  trim(): Promise<number>
}

/** Limits of the memory and of the transfer times of both regions. */
export interface SupplierLimits {
  /** Of a message; a transaction that is larger, up to `whole`, is a message of its own. */
  message: ReadLimits
  /** Above this, a transaction is sent and applied in parts. */
  whole: ReadLimits
  pageBytes: number
}

const LIMITS: SupplierLimits = { ...READ_LIMITS, pageBytes: 512 * 1024 }
const UNLIMITED: ReadLimits = { changes: 2_000_000_000, bytes: Number.MAX_SAFE_INTEGER }
/** Maximum number of pools whose roles are read together with the log; reading more would mostly be wasted. */
const MAX_RECENT_POOLS = 8
const LIST_PAGE_ROWS = 500
const MAX_PAGE_ROWS = 2_000

/**
 * Gives a new log its id and checks whether the log can be continued, before any peer can be greeted: a peer that is greeted
 * with a log without an id starts over.
 */
export async function openSupplier({
  store,
  clock,
  region,
  events,
  retention,
  onGreeted = () => {},
  known = kindsOfThisBuild(),
  limits = LIMITS,
}: {
  store: Store
  clock: Pick<Clock, 'now' | 'uuid'>
  region: string
  events: Pick<Events, 'noted'>
  retention: Retention
  /** Called when a peer connects; `behind`: it starts over, for example because it has lost its store. */
  onGreeted?: (peer: string, greeting: { behind: boolean }) => void
  /** The kinds that this region knows; tests set them to imitate another build. */
  known?: KnownKinds
  limits?: SupplierLimits
}): Promise<Supplier> {
  const { engine } = store
  /** The pools whose changes a peer was sent recently: most likely the next changes are theirs too. */
  const recentPools = new Map<string, string[]>()
  /** Raises the epoch of own pools above every epoch that they had. Returns their number. */
  const raiseEpochs = async (tx: Transaction, above: number): Promise<number> => {
    let pools = 0
    for await (const { pool, ...topology } of listTopologies(tx.connection)) {
      if (topology.primary !== region) continue
      const epoch = Math.max(topology.epoch, above) + 1
      await tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ ...topology, epoch } satisfies Topology) })
      pools += 1
    }
    return pools
  }
  /**
   * Gives the log a new id and raises the epoch of own pools, so that old positions and stamps cannot be mistaken for new ones.
   * Returns the number of the pools.
   */
  const renew = async (
    tx: Transaction,
    { above = 0, emptied = false }: { above?: number; emptied?: boolean },
  ): Promise<number> => {
    await renewLog(tx.connection, { id: clock.uuid(), emptied })
    await forgetFollowers(tx.connection)
    return raiseEpochs(tx, above)
  }
  /** Does the work in a transaction, unless another process has renewed the log since it had the id `log`. */
  const whileLogIs = <T>(log: string, work: (tx: Transaction) => Promise<T>): Promise<T | undefined> =>
    store.write(async (tx) => {
      await engine.lock(tx.connection, [RENEWAL])
      return (await readLogState(engine, [], tx.connection)).id === log ? work(tx) : undefined
    })
  const noteRenewal = (reason: string, pools: number | undefined): void => {
    if (pools !== undefined) events.noted('log-renewed', { reason, pools })
  }

  /** The newest epoch of the own pools that a peer shares; of all own pools, if it shares none as far as is known here. */
  const newestEpoch = async (peer: string): Promise<number> => {
    const epochs = new Map<string, number>()
    for await (const { pool, primary, epoch } of listTopologies(store.db)) {
      if (primary === region) epochs.set(pool, epoch)
    }
    const shared: number[] = []
    for await (const replica of listReplicas(store.db)) {
      const epoch = epochs.get(replica.pool)
      if (replica.region === peer && epoch !== undefined) shared.push(epoch)
    }
    return (shared.length > 0 ? shared : [...epochs.values()]).reduce((a, b) => Math.max(a, b), 0)
  }

  const restartReasonFor = async (peer: string, from: ResumePoint | undefined): Promise<RestartReason | undefined> => {
    if (!from) return 'unknown-log'
    const { id, trimmed, marks } = await readLogState(engine, [from.position, from.witness.position])
    // A renewal raises the epoch, so a follower of an earlier log knows an older epoch. If it knows the present or a newer one,
    // this database was restored to a state before a renewal.
    if (from.log !== id) return from.epoch >= (await newestEpoch(peer)) && from.epoch > 0 ? 'went-back' : 'unknown-log'
    const comparable = [from, from.witness].filter(({ position }) => position >= trimmed)
    if (comparable.some(({ position, mark }) => marks.get(position) !== mark)) return 'went-back'
    if (from.position < trimmed) return 'trimmed'
    return from.part && !(await hasPart(engine, from.part)) ? 'went-back' : undefined
  }
  /**
   * A log that was trimmed past a follower cannot tell whether it went back before. So that no stamp that the follower knows is
   * assigned again, the epochs rise as in a renewal; the follower copies everything in any case, and the others continue.
   */
  const raiseAbove = async (peer: string, { log, epoch }: ResumePoint): Promise<void> => {
    if (epoch > 0 && epoch >= (await newestEpoch(peer))) await whileLogIs(log, (tx) => raiseEpochs(tx, epoch))
  }

  const isCurrentLog = async ({ log, position, mark }: LogPosition): Promise<boolean> => {
    const { id, marks } = await readLogState(engine, [position])
    return log === id && mark === marks.get(position)
  }
  /** The newest position that this process has read for any peer. */
  let newestRead: LogPosition | undefined
  const noteRead = (read: LogPosition): void => {
    if (newestRead?.log !== read.log || newestRead.position < read.position) newestRead = read
  }
  /** Whether the log has a position of this log, or may have had it: it may be trimmed. */
  const hasPosition = async ({ position, mark }: LogPosition, connection: Connection): Promise<boolean> => {
    const { trimmed, marks } = await readLogState(engine, [position], connection)
    return position < trimmed || marks.get(position) === mark
  }

  // Before the first use of a database, so that none of its writes repeats a stamp of a database that is ahead of it.
  await engine.guard(async ({ identity, replaced, transact }) => {
    let reason = ''
    const pools = await transact(async (connection) => {
      await engine.lock(connection, [RENEWAL])
      const { id, previous, impossible } = await openLog(engine, connection, { id: clock.uuid(), identity })
      const moved = replaced || (identity !== undefined && previous !== undefined && identity !== previous)
      if (impossible) reason = 'transplanted'
      else if (moved) reason = 'another-database'
      else if (newestRead?.log === id && !(await hasPosition(newestRead, connection))) reason = 'went-back'
      else return undefined
      return renew(await openTransaction({ engine, clock, region }, connection, []), { emptied: impossible })
    })
    noteRenewal(reason, pools)
  })

  return {
    hello: async (peer, from) => {
      const { id } = await readLogState(engine)
      const restartReason = await restartReasonFor(peer, from)
      if (restartReason === 'went-back') {
        noteRenewal(restartReason, await whileLogIs(id, (tx) => renew(tx, { above: from?.epoch ?? 0 })))
      }
      if (restartReason === 'trimmed' && from) await raiseAbove(peer, from)
      const state = await readLogState(engine)
      onGreeted(peer, { behind: restartReason !== undefined })
      if (from && restartReason) events.noted('follower-behind', { peer, reason: restartReason })
      return {
        type: 'hello',
        format: FORMAT,
        kinds: formatKinds(known),
        region,
        now: clock.now(),
        ...(restartReason || !from
          ? { log: state.id, position: state.head, mark: state.headMark }
          : { log: from.log, position: from.position, mark: from.mark, part: from.part }),
        standing: restartReason ?? 'continues',
      }
    },

    read: async (peer, { log, ...from }, peerKinds = FIRST_RELEASE_KINDS, { parts = true } = {}) => {
      const now = clock.now()
      const { position: after, part } = from
      const reading = await readLog(engine, {
        after,
        part,
        limit: limits.message,
        whole: parts ? limits.whole : UNLIMITED,
        now,
        pools: recentPools.get(peer) ?? [],
      })
      if (reading.log !== log || reading.trimmed > after || reading.place !== from.mark) return undefined
      const pools = new Set(reading.batches.flatMap(({ changes }) => changes.map(({ pool }) => pool)))
      // The roles are as of the log or newer, so that no replica created before a change misses it.
      const { roles: rolesByPool } = reading
      const others = [...pools].filter((pool) => !rolesByPool.has(pool))
      if (others.length > 0) {
        for (const [pool, roles] of await readRoles(engine.logReader, others)) rolesByPool.set(pool, roles)
      }
      if (pools.size > 0) recentPools.set(peer, [...pools].slice(0, MAX_RECENT_POOLS))
      const batches: FeedBatch[] = []
      for (const { position, mark, at, changes, partial } of reading.batches) {
        const relevant = changes.filter(
          ({ kind, pool, body }) =>
            peerKinds.has(kind) &&
            known.has(kind) &&
            isSentTo(rolesByPool.get(pool) as PoolRoles, {
              region,
              peer,
              kind,
              replicaRegion: kind === 'replica' && body !== null ? findReplica(body)?.region : undefined,
            }),
        )
        // An empty batch is sent only as the last one: it moves the peer's place.
        if (batches.at(-1)?.changes.length === 0) batches.pop()
        batches.push({ position, mark, at, changes: relevant.map(changeToWire), ...(partial && { partial }) })
      }
      const { drained, held, asOf } = reading
      const place = placeAfter(from, batches)
      noteRead({ log, position: place.position, mark: place.mark })
      return { batches, ...place, drained, held, now, asOf }
    },

    inventory: async (peer, after) => {
      const found = await listRowsOfAllPools(store.db, 'replica', { after, limit: LIST_PAGE_ROWS })
      const rows: Inventory['rows'] = []
      const rolesByPool = await readRoles(store.db, new Set(found.map(({ pool }) => pool)))
      for (const { pool, key, body } of found) {
        const roles = rolesByPool.get(pool) as PoolRoles
        const replicaRegion = findReplica(body)?.region
        if (isSentTo(roles, { region, peer, kind: 'replica', replicaRegion })) rows.push({ pool, key, body })
      }
      const last = found.length === LIST_PAGE_ROWS ? found.at(-1) : undefined
      return { rows, next: last ? { pool: last.pool, key: last.key } : null }
    },

    outline: async (peer, pool, witness) => {
      const roles = await readPoolRoles(store.db, pool)
      if (!(await isCurrentLog(witness))) return undefined
      if (!roles.topology) return UNKNOWN_POOL
      if (!sharesPool(roles, peer)) return undefined
      const row = await store.find('topology', { pool, key: ONLY })
      const counts: Record<string, number> = {}
      for (const kind of kindNames) {
        if (known.has(kind)) counts[kind] = await store.count(kind, { pool })
      }
      return { topology: row ? rowToWire('topology', row) : null, counts, head: await readNewest(engine) }
    },

    page: async (peer, { pool, stage, after, limit, witness }) => {
      if (!sharesPool(await readPoolRoles(store.db, pool), peer) || !(await isCurrentLog(witness))) return undefined
      const pageRows = Math.min(Math.max(1, limit), MAX_PAGE_ROWS)
      if (stage === TOMBSTONES) {
        const [kind = '', key = ''] = after === undefined ? [] : splitOnce(after)
        const found = await listTombstones(store.db, {
          pool,
          after: after === undefined ? undefined : { kind, key },
          limit: pageRows,
        })
        const head = await readNewest(engine)
        return { rows: [], tombstones: found.map(changeToWire), more: found.length === pageRows, head }
      }
      if (!isKind(stage) || !known.has(stage)) return undefined
      const { rows, more } = await listRowsWithin(store.db, stage, {
        pool,
        after,
        limit: pageRows,
        bytes: limits.pageBytes,
      })
      const head = await readNewest(engine)
      return { rows: rows.map((row) => rowToWire(stage, row)), tombstones: [], more, head }
    },

    acknowledge: async (peer, { log, position }) => {
      if ((await readLogState(engine)).id !== log) return
      // Relaxed: losing an acknowledgement only keeps more of the log than necessary.
      const follower = { peer, position, at: clock.now() }
      await engine.transaction((connection) => putFollower(connection, follower), { relaxed: true })
    },

    trim: async () => {
      const oldest = clock.now() - retention.milliseconds
      const excess = await findExcess(engine, { before: oldest, changes: retention.changes })
      const acknowledged = await findAcknowledgedByAll()
      const trimmed = await trimChanges(engine, Math.max(excess, acknowledged))
      await purgeTombstones(engine, oldest)
      return trimmed
    },
  }

  /**
   * The position that all regions which share a pool with this one, or have ever followed it, have acknowledged; the head if
   * there are none.
   */
  async function findAcknowledgedByAll(): Promise<number> {
    // Read the head before the peers: a peer that is added later gets these changes with its copy.
    const { head } = await readLogState(engine)
    const positions = new Map((await listFollowers(store.db)).map(({ peer, position }) => [peer, position]))
    for await (const replica of listReplicas(store.db)) {
      const sharing =
        replica.region === region
          ? (await readPoolRoles(store.db, replica.pool)).topology?.primary
          : replica.status === 'DELETED'
            ? undefined
            : replica.region
      if (sharing !== undefined && !positions.has(sharing)) positions.set(sharing, 0)
    }
    positions.delete(region)
    return Math.min(head, ...positions.values())
  }
}

const RENEWAL = 'replication/log'

/** Splits the page key of a tombstone: its kind, a line break, its key. */
const splitOnce = (text: string): [string, string] => {
  const at = text.indexOf('\n')
  return [text.slice(0, at), text.slice(at + 1)]
}
