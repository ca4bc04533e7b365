import type { Clock } from '../clock.ts'
import type { Brakes } from '../store/brakes.ts'
import { listCopies } from '../store/copies.ts'
import { findCursor, listCursors, listFollowers } from '../store/cursors.ts'
import type { ReplicaStatus } from '../store/merge.ts'
import type { Store } from '../store/store.ts'
import type { PeerProblem } from './peer.ts'
import { readRoles, replicaIn } from './roles.ts'

/** What the process that follows a peer tells the others of its region. Times: milliseconds since the epoch. */
export interface LinkReport {
  connected: boolean
  /** Why not, when it is not. */
  problem: PeerProblem | undefined
  /** On this region's clock. */
  heardAt: number
  /** How far the peer's clock was ahead when it was heard last. */
  ahead: number
  /** On the peer's clock. */
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
  /** What would be missing here if the peer were lost now, in seconds on its clock; undefined before the first contact. */
  lagSeconds: number | undefined
}

export interface CopyStatus {
  pool: string
  from: string
  /**
   * A first copy, or one behind a replica that goes on serving: of all rows again, or of the kinds that this region has come to know, without
   * which it has served so far (lag does not count those).
   */
  purpose: 'first' | 'again' | 'kinds'
  rows: number
  estimatedRows: number
  startedAt: number
  /** Undefined as long as there is nothing to tell it from. */
  estimatedSecondsLeft: number | undefined
}

export interface Status {
  region: string
  peers: PeerStatus[]
  copies: CopyStatus[]
}

export interface PoolReplication {
  replicas: { region: string; status: ReplicaStatus }[]
  /** How far this region's copy of the pool is behind its primary, in seconds; 0 at the primary, undefined during a first copy. */
  lagSeconds: number | undefined
}

/** Reports come with every message; the other processes of the region get one now and then. */
const PUBLISH_MILLISECONDS = 500
const FRESH_MILLISECONDS = 2_000
const KEPT_MILLISECONDS = 24 * 3_600_000

/** As of when, on the peer's clock, and how far that clock is ahead. */
interface Reached {
  asOf: number
  ahead: number
}

export interface StatusBoard {
  report(peer: string, report: LinkReport): Promise<void>
  status(): Promise<Status>
  /** Undefined when this region does not hold the pool. */
  poolStatus(pool: string): Promise<PoolReplication | undefined>
  /** What `lagSeconds` goes by; to be called often. */
  refresh(): Promise<void>
  /** Lag behind a peer as last refreshed, told as of now. */
  lagSeconds(peer: string): number | undefined
}

export function createStatusBoard({
  store,
  clock,
  brakes,
  region,
  peers,
}: {
  store: Store
  clock: Pick<Clock, 'now'>
  brakes: Pick<Brakes, 'update' | 'read'>
  region: string
  peers: readonly string[]
}): StatusBoard {
  const nameOf = (peer: string): string => `replication/link/${peer}`
  /** What this process itself reported: newer than what it last published, if it is the one that follows. */
  const own = new Map<string, { report: LinkReport; publishedAt: number }>()
  const readReport = async (peer: string): Promise<LinkReport | undefined> => {
    const here = own.get(peer)?.report
    if (here && clock.now() - here.heardAt < FRESH_MILLISECONDS) return here
    const published = await brakes.read<LinkReport>(nameOf(peer))
    return here && (!published || published.heardAt <= here.heardAt) ? here : published
  }

  const lagAt = ({ asOf, ahead }: Reached): number => Math.max(0, clock.now() + ahead - asOf) / 1_000

  /** Undefined before the first contact. */
  const reachedOf = async (peer: string): Promise<Reached | undefined> => {
    const cursor = await findCursor(store.db, peer)
    if (!cursor) return undefined
    const report = await readReport(peer)
    const behind = (await listCopies(store.db)).filter((copy) => copy.peer === peer && copy.asOf !== undefined)
    const asOf = Math.min(Math.max(cursor.asOf, report?.asOf ?? 0), ...behind.map((copy) => copy.asOf as number))
    return asOf === 0 ? undefined : { asOf, ahead: report?.ahead ?? 0 }
  }
  const lagOf = async (peer: string): Promise<number | undefined> => {
    const reached = await reachedOf(peer)
    return reached && lagAt(reached)
  }
  const known = new Map<string, Reached | undefined>()

  return {
    report: async (peer, report) => {
      const now = clock.now()
      const before = own.get(peer)
      const due =
        !before || before.report.connected !== report.connected || now - before.publishedAt >= PUBLISH_MILLISECONDS
      own.set(peer, { report, publishedAt: due ? now : before.publishedAt })
      if (due) await brakes.update<LinkReport>(nameOf(peer), () => ({ value: report, milliseconds: KEPT_MILLISECONDS }))
    },
    refresh: async () => {
      for (const peer of peers) known.set(peer, await reachedOf(peer))
    },
    lagSeconds: (peer) => {
      const reached = known.get(peer)
      return reached && lagAt(reached)
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
              lagSeconds: await lagOf(peer),
            }
          }),
        ),
        copies: (await listCopies(store.db)).map(({ pool, peer, kinds, asOf, done, total, started }) => {
          const seconds = (now - started) / 1_000
          return {
            pool,
            from: peer,
            purpose: kinds ? 'kinds' : asOf === undefined ? 'first' : 'again',
            rows: done,
            estimatedRows: Math.max(total, done),
            startedAt: started,
            estimatedSecondsLeft: done === 0 || total === 0 ? undefined : (seconds / done) * Math.max(0, total - done),
          }
        }),
      }
    },
    poolStatus: async (pool) => {
      const roles = await readRoles(store.db, pool)
      const { topology, replicas } = roles
      if (!topology) return undefined
      const first = replicaIn(roles, region)?.status === 'CREATING'
      return {
        replicas: replicas.map((replica) => ({ region: replica.region, status: replica.status })),
        lagSeconds: topology.primary === region ? 0 : first ? undefined : await lagOf(topology.primary),
      }
    },
  }
}
