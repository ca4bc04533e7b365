import type { Arena } from './arena.ts'
import type { Disturbances } from './disturbances.ts'
import type { Journal } from './journal.ts'
import { pause } from './pace.ts'
import { type Fault, ROLES, type Role } from './schedule.ts'

export type FailoverFault = Extract<Fault, { kind: 'failover' | 'put-back' }>

/** One replacement of a region's database: what it could lose, and how it was noticed. */
export interface Failover extends FailoverFault {
  /** Milliseconds from the start of the run. */
  at: number
  /** Date.now() when nothing was written to the database any more. */
  endedAt: number
  /** For how long the spare had received nothing, and what the region acknowledged then: writes, revocations, sign-outs. */
  gap: { milliseconds: number; acknowledged: number }
  /** Milliseconds until the region was healthy again. */
  servedAfter: number
  /** The size of the region's log when the database was replaced. */
  logOffset: number
  /** From the logs, at the end: that the region renewed its change log, and that its peer was first found behind. */
  noticed: { event: 'log-renewed' | 'behind'; reason: string; after: number }[]
}

export interface Failovers {
  readonly list: readonly Failover[]
  /** Replaces the database of a region. `inTurn` runs its work while no other fault of the region's process is carried out. */
  carryOut(
    fault: FailoverFault,
    options: { gapMilliseconds: number; inTurn: (work: () => Promise<void>) => Promise<void> },
  ): Promise<void>
  /** Resolves when no failover and no construction of a spare is in progress. */
  settled(): Promise<void>
}

/** Longer than the time after which a statement without a response is given up. */
const SERVED_MILLISECONDS = 20_000

export function createFailovers({
  arena,
  disturbances,
  journal,
  order,
}: {
  arena: Arena
  disturbances: Disturbances
  journal: Journal
  order: Arena['order']
}): Failovers {
  const began = Date.now()
  const list: Failover[] = []
  /** One failover of a region after another; each waits until the spare of the one before exists. */
  const queues: Record<Role, Promise<void>> = { primary: Promise.resolve(), secondary: Promise.resolve() }

  const isHealthy = async ({ clients }: Arena, region: Role): Promise<boolean> => {
    const signal = AbortSignal.timeout(SERVED_MILLISECONDS)
    return fetch(`${clients[region].endpoint}/health`, { signal }).then(
      (response) => response.ok,
      () => false,
    )
  }

  const replaceDatabase = async (fault: FailoverFault, gapMilliseconds: number): Promise<void> => {
    const { kind, region, lossy, running } = fault
    const database = arena.databases?.[region]
    if (!database) throw new Error(`the database of the ${region} has no spare`)
    journal.note(`fault: ${kind} ${region} ${JSON.stringify({ lossy, running })}`)
    const at = Date.now() - began
    const gap = lossy ? disturbances.openGap(region) : undefined
    await database.catchUp()
    if (lossy) {
      await database.detach()
      await pause(gapMilliseconds)
    }
    const ends = [disturbances.begin(region, kind)]
    if (!running) {
      // A file may be put back only under a region that has stopped.
      const way = kind === 'put-back' ? 'stop' : 'kill'
      ends.push(disturbances.begin(region, way === 'stop' ? 'restart' : 'kill'))
      await order(region, way)
    }
    const logOffset = arena.readLog(region, 0).end
    await database.end()
    gap?.close()
    const endedAt = Date.now()
    await database.replace()
    if (!running) await order(region, 'start')
    // A process notices after some time that its file was replaced; until then it reads from the other one.
    const isNoticed = (): boolean =>
      kind === 'failover' || !running || arena.readLog(region, logOffset).text.includes('"event":"log-renewed"')
    while (!isNoticed() || !(await isHealthy(arena, region))) {
      if (Date.now() - endedAt > SERVED_MILLISECONDS) {
        journal.violation(
          `the ${region} is not healthy, or has noticed nothing, ${SERVED_MILLISECONDS} ms after a ${kind}`,
        )
        break
      }
      await pause(20)
    }
    gap?.endReads()
    for (const end of ends) end()
    const failover: Failover = {
      ...fault,
      at,
      endedAt,
      gap: { milliseconds: gap ? gap.to - gap.from : 0, acknowledged: gap?.acknowledged ?? 0 },
      servedAfter: Date.now() - endedAt,
      logOffset,
      noticed: [],
    }
    list.push(failover)
    journal.note(`${kind} ${region}: ${JSON.stringify(failover.gap)}, healthy after ${failover.servedAfter} ms`)
  }

  return {
    list,
    carryOut: (fault, { gapMilliseconds, inTurn }) => {
      const { region } = fault
      const replaced = queues[region].then(() => inTurn(() => replaceDatabase(fault, gapMilliseconds)))
      queues[region] = replaced.then(async () => {
        await arena.databases?.[region].renewSpare()
        journal.note(`the ${region} has a spare again`)
      })
      return replaced
    },
    settled: async () => {
      await Promise.all(ROLES.map((region) => queues[region]))
    },
  }
}

/** One line of the report. */
export function describeFailover({ kind, region, lossy, running, at, gap, servedAfter, noticed }: Failover): string {
  const spare =
    kind === 'put-back' ? 'a backup of the file' : lossy ? 'a standby without the tail' : 'a synchronous standby'
  const times = noticed.map(({ event, reason, after }) => `${event} (${reason}) after ${after} ms`)
  return [
    `${(at / 1_000).toFixed(1).padStart(7)} s  ${kind} of the ${region} to ${spare}, process ${running ? 'running' : 'down'}`,
    ...(lossy ? [`gap ${gap.milliseconds} ms with ${gap.acknowledged} acknowledged changes`] : []),
    `healthy after ${servedAfter} ms`,
    times.length > 0 ? times.join(', ') : 'no new log, and no follower was behind',
  ].join('; ')
}
