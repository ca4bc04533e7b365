import { type FaultKind, ROLES, type Role } from './schedule.ts'

/** A record of what was disturbed and when; times are milliseconds of Date.now(). */
export interface Disturbances {
  begin(region: Role, kind: FaultKind): () => void
  /** Whether the region had such a fault at any moment between `from` and `to`. */
  explains(region: Role, kinds: readonly FaultKind[], from: number, to?: number): boolean
  /** Whether a region, a link or a clock had a fault at any moment between the two. Changes of the replica do not count. */
  troubled(from: number, to?: number): boolean
  /** The bounds of how far the region's clock was ahead between two moments. */
  ahead(region: Role, from: number, to: number): { least: number; most: number }
  stepped(region: Role, milliseconds: number): void
  /** The number of replicas that were created after the first. */
  replicas: number
}

/** Clock faults are not spans; see `stepped`. */
const TROUBLES: readonly FaultKind[] = ['kill', 'restart', 'pause', 'cut', 'cut-one-way', 'slow', 'throttle']
/** Connections still break, and are restored, for a short time after a fault. */
const AFTERMATH_MILLISECONDS = 750
/** A paused region that is ordered to set its clock does so when it resumes. */
const LONGEST_ORDER_MILLISECONDS = 8_000

export function createDisturbances(): Disturbances {
  const spans: { region: Role; kind: FaultKind; from: number; to: number }[] = []
  const steps: Record<Role, { at: number; ahead: number }[]> = {
    primary: [{ at: 0, ahead: 0 }],
    secondary: [{ at: 0, ahead: 0 }],
  }
  const explains: Disturbances['explains'] = (region, kinds, from, to = Date.now()) =>
    spans.some((span) => span.region === region && kinds.includes(span.kind) && span.from <= to && span.to >= from)
  const aheadIn: Disturbances['ahead'] = (region, from, to) => {
    const list = steps[region]
    const known = list.filter(
      ({ at }, index) =>
        at <= to && (list[index + 1]?.at ?? Number.POSITIVE_INFINITY) >= from - LONGEST_ORDER_MILLISECONDS,
    )
    const values = known.map(({ ahead }) => ahead)
    return { least: Math.min(...values), most: Math.max(...values) }
  }
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
    stepped: (region, milliseconds) => steps[region].push({ at: Date.now(), ahead: milliseconds }),
    ahead: aheadIn,
  }
}
