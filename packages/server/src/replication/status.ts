import type { Clock } from '../clock.ts'
import { findCopyInProgress, listCopies, ORPHANED } from '../store/copies.ts'
import { findCursor, listCursors, listFollowers } from '../store/cursors.ts'
import type { ReplicaStatus } from '../store/merge.ts'
import { readPoolRoles } from '../store/roles.ts'
import type { Store } from '../store/store.ts'
import type { Throttling } from '../store/throttling.ts'
import type { PeerProblem } from './peer.ts'
import { replicaIn } from './roles.ts'

/**
 * The state of a link, published by the process that follows the peer to the other processes of its region. Times are ms since
 * the epoch.
 */
export interface LinkReport {
  connected: boolean
  /** Why it is not connected. */
  problem: PeerProblem | undefined
  /** When the last message arrived, on this region's clock. */
  heardAt: number
  /** How far the peer's clock was ahead of this region's at the last message, in milliseconds. */
  ahead: number
  /** Everything that the peer had acknowledged to its clients up to this time is applied here; on the peer's clock. */
  asOf: number
}

export interface PeerStatus {
  region: string
  connected: boolean
  problem: PeerProblem | undefined
  /** Position in the peer's log up to which everything is applied here; undefined before the first contact. */
  position: number | undefined
  /** Position in this region's log that the peer has acknowledged. */
  acknowledged: number | undefined
  /** The seconds of changes that would be lost if the peer were lost now, on its clock; undefined before the first contact. */
  lagSeconds: number | undefined
}

export interface CopyStatus {
  pool: string
  from: string
  /**
   * `first`: the first copy. The replica keeps serving during the others: `again` copies all rows, `kinds` only kinds that
   * this region did not know before (they do not count as lag).
   */
  purpose: 'first' | 'again' | 'kinds'
  rows: number
  estimatedRows: number
  startedAt: number
  /** Undefined while there is nothing to estimate it from. */
  estimatedSecondsLeft: number | undefined
}

export interface Status {
  region: string
  peers: PeerStatus[]
  copies: CopyStatus[]
}

export interface PoolReplication {
  replicas: { region: string; status: ReplicaStatus }[]
  /**
   * How far this region's copy of the pool is behind its primary, in seconds; 0 at the primary, undefined during a first copy.
   */
  lagSeconds: number | undefined
}

/** A report is made for every message, but published to the other processes of the region only this often. */
const PUBLISH_MILLISECONDS = 500
const FRESH_MILLISECONDS = 2_000
const KEPT_MILLISECONDS = 24 * 3_600_000

/** The values that a lag is computed from: `asOf` on the peer's clock, and how far that clock is ahead of this region's. */
interface Freshness {
  asOf: number
  ahead: number
}

export interface StatusBoard {
  report(peer: string, report: LinkReport): Promise<void>
  status(): Promise<Status>
  /** Undefined when this region does not hold the pool. */
  poolStatus(pool: string): Promise<PoolReplication | undefined>
  /** Reads the values that `lagSeconds` uses; to be called often. */
  refresh(): Promise<void>
  /** The lag behind a peer at the present time, from the values of the last refresh. */
  lagSeconds(peer: string): number | undefined
}

export function createStatusBoard({
  store,
  clock,
  throttling,
  region,
  peers,
}: {
  store: Store
  clock: Pick<Clock, 'now'>
  throttling: Pick<Throttling, 'update' | 'read'>
  region: string
  peers: readonly string[]
}): StatusBoard {
  const nameOf = (peer: string): string => `replication/link/${peer}`
  /** The reports of this process. If it follows the peer, they are newer than the published ones. */
  const own = new Map<string, { report: LinkReport; publishedAt: number }>()
  const readReport = async (peer: string): Promise<LinkReport | undefined> => {
    const here = own.get(peer)?.report
    if (here && clock.now() - here.heardAt < FRESH_MILLISECONDS) return here
    const published = await throttling.read<LinkReport>(nameOf(peer))
    return here && (!published || published.heardAt <= here.heardAt) ? here : published
  }

  const lagAt = ({ asOf, ahead }: Freshness): number => Math.max(0, clock.now() + ahead - asOf) / 1_000

  /** Undefined before the first contact. */
  const findFreshness = async (peer: string): Promise<Freshness | undefined> => {
    const cursor = await findCursor(store.db, peer)
    if (!cursor) return undefined
    const report = await readReport(peer)
    const behind = (await listCopies(store.db)).filter(
      // An orphaned pool receives nothing, so it says nothing about the lag of the other pools.
      (copy) => copy.peer === peer && copy.asOf !== undefined && copy.stage !== ORPHANED,
    )
    const asOf = Math.min(Math.max(cursor.asOf, report?.asOf ?? 0), ...behind.map((copy) => copy.asOf as number))
    return asOf === 0 ? undefined : { asOf, ahead: report?.ahead ?? 0 }
  }
  const findLag = async (peer: string): Promise<number | undefined> => {
    const freshness = await findFreshness(peer)
    return freshness && lagAt(freshness)
  }
  const refreshed = new Map<string, Freshness | undefined>()

  return {
    report: async (peer, report) => {
      const now = clock.now()
      const before = own.get(peer)
      const due =
        !before || before.report.connected !== report.connected || now - before.publishedAt >= PUBLISH_MILLISECONDS
      own.set(peer, { report, publishedAt: due ? now : before.publishedAt })
      if (due)
        await throttling.update<LinkReport>(nameOf(peer), () => ({ value: report, milliseconds: KEPT_MILLISECONDS }))
    },
    refresh: async () => {
      for (const peer of peers) refreshed.set(peer, await findFreshness(peer))
    },
    lagSeconds: (peer) => {
      const freshness = refreshed.get(peer)
      return freshness && lagAt(freshness)
    },
    status: async () => {
      const cursors = new Map((await listCursors(store.db)).map((cursor) => [cursor.peer, cursor]))
      const followers = new Map((await listFollowers(store.db)).map((follower) => [follower.peer, follower]))
      const now = clock.now()
      return {
        region,
        peers: await Promise.all(
          peers.map(async (peer) => {
            const report = await readReport(peer)
            return {
              region: peer,
              connected: report?.connected ?? false,
              problem: report?.problem,
              position: cursors.get(peer)?.position,
              acknowledged: followers.get(peer)?.position,
              lagSeconds: await findLag(peer),
            }
          }),
        ),
        copies: (await listCopies(store.db))
          .filter(({ stage }) => stage !== ORPHANED)
          .map(({ pool, peer, kinds, asOf, done, total, started }) => {
            const seconds = (now - started) / 1_000
            return {
              pool,
              from: peer,
              purpose: kinds ? 'kinds' : asOf === undefined ? 'first' : 'again',
              rows: done,
              estimatedRows: Math.max(total, done),
              startedAt: started,
              estimatedSecondsLeft:
                done === 0 || total === 0 ? undefined : (seconds / done) * Math.max(0, total - done),
            }
          }),
      }
    },
    poolStatus: async (pool) => {
      const roles = await readPoolRoles(store.db, pool)
      const { topology, replicas } = roles
      if (!topology) return undefined
      const { primary } = topology
      const first =
        replicaIn(roles, region)?.status === 'CREATING' ||
        (await findCopyInProgress(store.db, { pool, primary })) === 'first'
      return {
        replicas: replicas.map((replica) => ({ region: replica.region, status: replica.status })),
        lagSeconds: topology.primary === region ? 0 : first ? undefined : await findLag(topology.primary),
      }
    },
  }
}
