import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import {
  findExcess,
  openLog,
  purgeTombstones,
  readLog,
  readLogState,
  readNewest,
  renewLog,
  trimChanges,
} from '../store/changes.ts'
import { listTombstones } from '../store/copies.ts'
import { forgetFollowers, listFollowers, putFollower } from '../store/cursors.ts'
import { isKind, kindNames, ONLY, type Topology } from '../store/kinds.ts'
import { type PoolRoles, readPoolRoles, readRoles } from '../store/roles.ts'
import { listRowsOfAllPools } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
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

export interface FeedReading {
  batches: FeedBatch[]
  /** The peer's position after these batches. */
  position: number
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
   * Reads the log from a position, for a peer that knows `peerKinds` (default: the kinds of the first release). Undefined if
   * the log was renewed, or trimmed past the position.
   */
  read(
    peer: string,
    from: Pick<LogPosition, 'log' | 'position'>,
    peerKinds?: KnownKinds,
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

const READ_CHANGES = 500
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
}): Promise<Supplier> {
  const { engine } = store
  /** The pools whose changes a peer was sent recently: most likely the next changes are theirs too. */
  const recentPools = new Map<string, string[]>()
  /**
   * Gives the log a new id and raises the epoch of own pools, so that old positions and stamps cannot be mistaken for new ones.
   */
  const renew = async (
    reason: string,
    { from, above = 0, emptied = false }: { from: string; above?: number; emptied?: boolean },
  ): Promise<void> => {
    const pools: string[] = []
    const id = clock.uuid()
    await store.write(async (tx) => {
      pools.length = 0
      await engine.lock(tx.connection, [RENEWAL])
      const state = await readLogState(engine, [], tx.connection)
      if (state.id !== from) return
      await renewLog(tx.connection, { id, emptied })
      await forgetFollowers(tx.connection)
      for await (const { pool, ...topology } of listTopologies(tx.connection)) {
        if (topology.primary !== region) continue
        const epoch = Math.max(topology.epoch, above) + 1
        await tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ ...topology, epoch } satisfies Topology) })
        pools.push(pool)
      }
    })
    if ((await readLogState(engine)).id === id) events.noted('log-renewed', { reason, pools: pools.length })
  }

  const newestEpoch = async (): Promise<number> => {
    let newest = 0
    for await (const topology of listTopologies(store.db)) {
      if (topology.primary === region) newest = Math.max(newest, topology.epoch)
    }
    return newest
  }

  const restartReasonFor = async (from: ResumePoint | undefined): Promise<RestartReason | undefined> => {
    if (!from) return 'unknown-log'
    const { id, trimmed, marks } = await readLogState(engine, [from.position, from.witness.position])
    // A renewal raises the epoch, so a follower of an earlier log knows an older epoch. If it knows the present or a newer one,
    // this database was restored to a state before a renewal.
    if (from.log !== id) return from.epoch >= (await newestEpoch()) && from.epoch > 0 ? 'went-back' : 'unknown-log'
    if (from.position < trimmed) return 'trimmed'
    return [from, from.witness].every(({ position, mark }) => marks.get(position) === mark) ? undefined : 'went-back'
  }

  const isCurrentLog = async ({ log, position, mark }: LogPosition): Promise<boolean> => {
    const { id, marks } = await readLogState(engine, [position])
    return log === id && mark === marks.get(position)
  }

  const { transplanted } = await openLog(engine, clock.uuid())
  if (transplanted) await renew('transplanted', { from: (await readLogState(engine)).id, emptied: true })

  return {
    hello: async (peer, from) => {
      const { id } = await readLogState(engine)
      const restartReason = await restartReasonFor(from)
      if (restartReason === 'went-back') await renew(restartReason, { from: id, above: from?.epoch ?? 0 })
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
          : { log: from.log, position: from.position, mark: from.mark }),
        standing: restartReason ?? 'continues',
      }
    },

    read: async (peer, { log, position: after }, peerKinds = FIRST_RELEASE_KINDS) => {
      const now = clock.now()
      const reading = await readLog(engine, { after, limit: READ_CHANGES, now, pools: recentPools.get(peer) ?? [] })
      if (reading.log !== log || reading.trimmed > after) return undefined
      const pools = new Set(reading.batches.flatMap(({ changes }) => changes.map(({ pool }) => pool)))
      // The roles are as of the log or newer, so that no replica created before a change misses it.
      const { roles: rolesByPool } = reading
      const others = [...pools].filter((pool) => !rolesByPool.has(pool))
      if (others.length > 0) {
        for (const [pool, roles] of await readRoles(engine.logReader, others)) rolesByPool.set(pool, roles)
      }
      if (pools.size > 0) recentPools.set(peer, [...pools].slice(0, MAX_RECENT_POOLS))
      const batches: FeedBatch[] = []
      for (const { position, mark, at, changes } of reading.batches) {
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
        // An empty batch is sent only as the last one: it moves the peer's position.
        if (batches.at(-1)?.changes.length === 0) batches.pop()
        batches.push({ position, mark, at, changes: relevant.map(changeToWire) })
      }
      const { drained, held, asOf } = reading
      return { batches, position: batches.at(-1)?.position ?? after, drained, held, now, asOf }
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
      const rows = await store.list(stage, { pool, after, limit: pageRows })
      const head = await readNewest(engine)
      return { rows: rows.map((row) => rowToWire(stage, row)), tombstones: [], more: rows.length === pageRows, head }
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
