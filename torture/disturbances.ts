import { type FaultKind, ROLES, type Role } from './schedule.ts'

/** What was disturbed when; times are milliseconds of Date.now(). */
export interface Disturbances {
  begin(region: Role, kind: FaultKind): () => void
  /** Whether such a fault of the region was going on at some moment since `from`. */
  explains(region: Role, kinds: readonly FaultKind[], from: number, to?: number): boolean
  /** Whether a region, a link or a clock was not right at some moment. What is done to the replica does not count. */
  troubled(from: number, to?: number): boolean
  /** How far the region's clock may have been ahead between two moments. */
  ahead(region: Role, from: number, to: number): { least: number; most: number }
  stepped(region: Role, milliseconds: number): void
  /** How many replicas were begun. */
  replicas: number
}

/** A clock that is wrong is no span; see `stepped`. */
const TROUBLES: readonly FaultKind[] = ['kill', 'restart', 'pause', 'cut', 'cut-one-way', 'slow']
/** Connections are torn down, and caught up with, a little after the fault. */
const AFTERMATH_MILLISECONDS = 750
/** A region that is paused when it is told to set its clock does so once it goes on. */
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
