import { type FaultKind, ROLES, type Role } from './schedule.ts'

/** A record of what was disturbed and when; times are milliseconds of Date.now(). */
export interface Disturbances {
  begin(region: Role, kind: FaultKind): () => void
  /** Whether the region had such a fault at any moment between `from` and `to`. */
  explains(region: Role, kinds: readonly FaultKind[], from: number, to?: number): boolean
  /** Whether a region, a link or a clock had a fault at any moment between the two. Changes of the replica do not count. */
  troubled(from: number, to?: number): boolean
  /**
   * The bounds of how far the time by which a region orders sign-ins and sign-outs was ahead between two moments. It is the primary's
   * clock; the secondary knows it from its last measurement, which may be from before either clock was set. On PostgreSQL it is the
   * clock of the primary's database server, which is not set; the primary measures it, too.
   */
  orderAhead(region: Role, from: number, to: number): { least: number; most: number }
  stepped(region: Role, milliseconds: number): void
  /** From now on the region's database is ahead of the spare that will replace it. */
  openGap(region: Role): Gap & { close(): void; endReads(): void }
  /** The gap in which the response to a call may have been acknowledged that began at this moment and has ended now. */
  gapAt(region: Role, began: number): Gap | undefined
  /** Whether a read that began at this moment, and has ended now, may show what is lost. */
  isDoubtful(region: Role, began: number): boolean
  /** The number of replicas that were created after the first. */
  replicas: number
}

/** A time in which what the region acknowledges may be lost, because its database is about to be replaced by an earlier state. */
export interface Gap {
  region: Role
  from: number
  /** Infinite as long as the database has not been replaced. */
  to: number
  /** Until then, reads may still be served from the database that was replaced. */
  readsTo: number
  /** The number of acknowledged changes. */
  acknowledged: number
}

/** Clock faults are not spans; see `stepped`. */
const TROUBLES: readonly FaultKind[] = [
  ...(['kill', 'restart', 'pause', 'cut', 'cut-one-way', 'slow', 'throttle'] as const),
  ...(['failover', 'put-back'] as const),
]
/** Connections still break, and are restored, for a short time after a fault. */
const AFTERMATH_MILLISECONDS = 750
/** A paused region that is ordered to set its clock does so when it resumes. */
const LONGEST_ORDER_MILLISECONDS = 8_000
/** Longer than any fault that keeps the secondary from measuring the primary's clock. */
const LONGEST_UNMEASURED_MILLISECONDS = 20_000
/** A measurement over a slow link errs by half of its delay. */
const MEASUREMENT_ERROR_MILLISECONDS = 300

export function createDisturbances({ onServerClock }: { onServerClock: boolean }): Disturbances {
  const gaps: Gap[] = []
  const spans: { region: Role; kind: FaultKind; from: number; to: number }[] = []
  const steps: Record<Role, { at: number; ahead: number }[]> = {
    primary: [{ at: 0, ahead: 0 }],
    secondary: [{ at: 0, ahead: 0 }],
  }
  const explains: Disturbances['explains'] = (region, kinds, from, to = Date.now()) =>
    spans.some((span) => span.region === region && kinds.includes(span.kind) && span.from <= to && span.to >= from)
  /** The bounds of how far the region's clock was ahead between two moments. */
  const aheadIn: Disturbances['orderAhead'] = (region, from, to) => {
    const list = steps[region]
    const known = list.filter(
      ({ at }, index) =>
        at <= to && (list[index + 1]?.at ?? Number.POSITIVE_INFINITY) >= from - LONGEST_ORDER_MILLISECONDS,
    )
    const values = known.map(({ ahead }) => ahead)
    return { least: Math.min(...values), most: Math.max(...values) }
  }
  const primaryIn = (from: number, to: number): { least: number; most: number } =>
    onServerClock
      ? { least: -MEASUREMENT_ERROR_MILLISECONDS, most: MEASUREMENT_ERROR_MILLISECONDS }
      : aheadIn('primary', from, to)
  return {
    replicas: 0,
    begin: (region, kind) => {
      const span = { region, kind, from: Date.now(), to: Number.POSITIVE_INFINITY }
      spans.push(span)
      return () => {
        span.to = Date.now() + AFTERMATH_MILLISECONDS
      }
    },
    explains,
    troubled: (from, to = Date.now()) =>
      ROLES.some((region) => {
        const { least, most } = aheadIn(region, from, to)
        return least !== 0 || most !== 0 || explains(region, TROUBLES, from, to)
      }),
    openGap: (region) => {
      const gap = {
        ...{ region, from: Date.now(), to: Number.POSITIVE_INFINITY, readsTo: Number.POSITIVE_INFINITY },
        acknowledged: 0,
        close: () => {
          gap.to = Date.now()
        },
        endReads: () => {
          gap.readsTo = Date.now()
        },
      }
      gaps.push(gap)
      return gap
    },
    isDoubtful: (region, began) => gaps.some((gap) => gap.region === region && gap.readsTo >= began),
    gapAt: (region, began) => gaps.findLast((gap) => gap.region === region && gap.to >= began),
    stepped: (region, milliseconds) => steps[region].push({ at: Date.now(), ahead: milliseconds }),
    orderAhead: (region, from, to) => {
      if (region === 'primary') return primaryIn(from, to)
      const now = aheadIn('secondary', from, to)
      const primary = primaryIn(from - LONGEST_UNMEASURED_MILLISECONDS, to)
      const measured = aheadIn('secondary', from - LONGEST_UNMEASURED_MILLISECONDS, to)
      return {
        least: now.least + primary.least - measured.most - MEASUREMENT_ERROR_MILLISECONDS,
        most: now.most + primary.most - measured.least + MEASUREMENT_ERROR_MILLISECONDS,
      }
    },
  }
}
