import type { Clock } from '../clock.ts'
import { measureBacklog } from '../store/changes.ts'
import { findCopyInProgress, listCopies, ORPHANED } from '../store/copies.ts'
import { listCursors, listFollowers } from '../store/cursors.ts'
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
  /** When the last message arrived, on this region's clock; 0 before the first one. */
  heardAt: number
  /** How far the peer's clock was ahead of this region's at the last message, in milliseconds. */
  ahead: number
  /**
   * Everything that the peer had acknowledged to its clients up to this time is applied here; on the peer's clock, so it goes back
   * when that clock does. 0 if unknown.
   */
  asOf: number
}

/** The link to a peer at the present time, as any process of the region sees it. */
export interface LinkState {
  peer: string
  connected: boolean
  problem: PeerProblem | undefined
  /** As in PeerStatus; before the first contact: the time since this process started. */
  lagSeconds: number
}

/** The entries of this region's log that a peer has not acknowledged. */
export interface Backlog {
  peer: string
  changes: number
  /** The age of the oldest one. */
  seconds: number
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
const KEPT_MILLISECONDS = 24 * 3_600_000
/** After this time without a message, the process that reported a connection has stopped. A link itself is given up after 3 s. */
const STALE_MILLISECONDS = 5_000

/** What this process knows about a peer. */
interface Knowledge {
  report: LinkReport | undefined
  /** When the message of `report` arrived, on the clocks of this process. */
  heard: Moment
  /** `asOf` of the cursor, and of the pools that must be copied again. */
  cursorAsOf: number | undefined
  copiesAsOf: readonly number[]
  /** The published report that was last read or written. */
  published: LinkReport | undefined
  /** On the monotonic clock: when this process last reported, published and read. */
  reportedAt: number
  publishedAt: number
  readAt: number | undefined
}

interface Moment {
  wall: number
  monotonic: number
}

export interface StatusBoard {
  report(peer: string, report: LinkReport): Promise<void>
  status(): Promise<Status>
  /** Undefined when this region does not hold the pool. */
  poolStatus(pool: string): Promise<PoolReplication | undefined>
  /** Reads the values that `lagSeconds` and `links` use; to be called often. */
  refresh(): Promise<void>
  /** The lag behind a peer at the present time, from the values of the last refresh; undefined before the first contact. */
  lagSeconds(peer: string): number | undefined
  /** The links to all peers at the present time, from the values of the last refresh. */
  links(): LinkState[]
  /** The backlogs of the peers that have ever followed this region. */
  backlogs(): Promise<Backlog[]>
}

export function createStatusBoard({
  store,
  clock,
  throttling,
  region,
  peers,
}: {
  store: Store
  clock: Pick<Clock, 'now' | 'monotonic'>
  throttling: Pick<Throttling, 'update' | 'read'>
  region: string
  peers: readonly string[]
}): StatusBoard {
  const nameOf = (peer: string): string => `replication/link/${peer}`
  const present = (): Moment => ({ wall: clock.now(), monotonic: clock.monotonic() })
  const started = present()
  const known = new Map(
    peers.map((peer): [string, Knowledge] => [
      peer,
      {
        report: undefined,
        heard: started,
        cursorAsOf: undefined,
        copiesAsOf: [],
        published: undefined,
        reportedAt: Number.NEGATIVE_INFINITY,
        publishedAt: Number.NEGATIVE_INFINITY,
        readAt: undefined,
      },
    ]),
  )
  const knowledgeOf = (peer: string): Knowledge => known.get(peer) as Knowledge

  /** The wall clock counts the time of a suspended machine, the monotonic clock is never set: the longer time is the safe one. */
  const since = ({ wall, monotonic }: Moment): number => Math.max(clock.monotonic() - monotonic, clock.now() - wall)

  const isHeard = (report: LinkReport | undefined): report is LinkReport => report !== undefined && report.heardAt > 0

  /**
   * The lag at the last message, between two times of the peer's clock, plus the time since then. So it grows while nothing is
   * received, whatever the clocks of both regions do.
   */
  const lagOf = ({ report, heard, cursorAsOf, copiesAsOf }: Knowledge): number | undefined => {
    const asOf = report?.asOf || cursorAsOf
    if (!asOf) return undefined
    // Without a message, the difference of the two clocks is unknown.
    const peerTime = isHeard(report) ? report.heardAt + report.ahead : started.wall
    return Math.max(0, peerTime - Math.min(asOf, ...copiesAsOf)) + since(heard)
  }
  const lagSecondsOf = (peer: string): number | undefined => {
    // The primary of a pool may no longer be a configured peer.
    const knowledge = known.get(peer)
    const lag = knowledge && lagOf(knowledge)
    return lag === undefined ? undefined : lag / 1_000
  }

  const linkOf = (peer: string): LinkState => {
    const { report, heard } = knowledgeOf(peer)
    return {
      peer,
      connected: report?.connected === true && clock.monotonic() - heard.monotonic < STALE_MILLISECONDS,
      problem: report?.problem,
      lagSeconds: lagSecondsOf(peer) ?? since(started) / 1_000,
    }
  }

  /** Uses the published report if another process has published it since the last time. */
  const readPublished = async (peer: string): Promise<void> => {
    const published = await throttling.read<LinkReport>(nameOf(peer))
    const knowledge = knowledgeOf(peer)
    const { readAt, published: previous } = knowledge
    knowledge.readAt = clock.monotonic()
    if (!published || isSame(published, previous)) return
    knowledge.published = published
    knowledge.report = published
    if (!isHeard(published) || published.heardAt === previous?.heardAt) return
    // The clocks of two machines may differ: a report that was not there before is not older than the last read.
    const age = Math.max(0, clock.now() - published.heardAt)
    const { wall, monotonic } = present()
    const bounded = readAt === undefined ? age : Math.min(age, monotonic - readAt)
    knowledge.heard = { wall: wall - bounded, monotonic: monotonic - bounded }
  }

  // One statement at a time: calls need the other connections.
  const refresh = async (): Promise<void> => {
    const cursors = await listCursors(store.db)
    // An orphaned pool receives nothing, so it says nothing about the lag of the other pools.
    const copies = (await listCopies(store.db)).filter(({ stage }) => stage !== ORPHANED)
    for (const [peer, knowledge] of known) {
      knowledge.cursorAsOf = cursors.find((cursor) => cursor.peer === peer)?.asOf
      knowledge.copiesAsOf = copies.flatMap((copy) => (copy.peer === peer ? (copy.asOf ?? []) : []))
      // The process that follows the peer knows more than it has published.
      if (clock.monotonic() - knowledge.reportedAt >= STALE_MILLISECONDS) await readPublished(peer)
    }
  }

  return {
    report: async (peer, report) => {
      const knowledge = knowledgeOf(peer)
      const { monotonic } = present()
      knowledge.reportedAt = monotonic
      if (knowledge.readAt === undefined) await readPublished(peer)
      // A process that has just taken the lease has not received a message yet; an earlier one may have.
      const before = knowledge.report
      const { heardAt, ahead } = isHeard(report) || !before ? report : before
      knowledge.report = { ...report, heardAt, ahead, asOf: report.asOf || (before?.asOf ?? 0) }
      if (heardAt > 0 && heardAt !== before?.heardAt) knowledge.heard = present()
      const changed = before?.connected !== report.connected || before.problem !== report.problem
      if (!changed && monotonic - knowledge.publishedAt < PUBLISH_MILLISECONDS) return
      knowledge.publishedAt = monotonic
      const value = knowledge.report
      knowledge.published = value
      await throttling.update<LinkReport>(nameOf(peer), () => ({ value, milliseconds: KEPT_MILLISECONDS }))
    },
    refresh,
    lagSeconds: lagSecondsOf,
    links: () => peers.map(linkOf),
    backlogs: async () => {
      const followers = (await listFollowers(store.db)).filter(({ peer }) => known.has(peer))
      return Promise.all(
        followers.map(async ({ peer, position }) => {
          const { changes, oldestAt } = await measureBacklog(store.engine, position)
          return { peer, changes, seconds: oldestAt === undefined ? 0 : Math.max(0, clock.now() - oldestAt) / 1_000 }
        }),
      )
    },
    status: async () => {
      const cursors = new Map((await listCursors(store.db)).map((cursor) => [cursor.peer, cursor]))
      const followers = new Map((await listFollowers(store.db)).map((follower) => [follower.peer, follower]))
      const now = clock.now()
      await refresh()
      return {
        region,
        peers: peers.map((peer) => {
          const { connected, problem } = linkOf(peer)
          return {
            region: peer,
            connected,
            problem,
            position: cursors.get(peer)?.position,
            acknowledged: followers.get(peer)?.position,
            lagSeconds: lagSecondsOf(peer),
          }
        }),
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
      await refresh()
      return {
        replicas: replicas.map((replica) => ({ region: replica.region, status: replica.status })),
        lagSeconds: topology.primary === region ? 0 : first ? undefined : lagSecondsOf(topology.primary),
      }
    },
  }
}

const isSame = (one: LinkReport, other: LinkReport | undefined): boolean =>
  other !== undefined && JSON.stringify(one) === JSON.stringify(other)
