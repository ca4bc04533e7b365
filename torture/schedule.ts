import { createRandom, type Random } from './random.ts'

export const ROLES = ['primary', 'secondary'] as const
export type Role = (typeof ROLES)[number]
export const otherRole = (role: Role): Role => (role === 'primary' ? 'secondary' : 'primary')

/** A fault of a region. `milliseconds` is the delay for `slow`, and how far the clock is ahead for `clock`. */
export type Fault =
  | { kind: 'kill' | 'restart' | 'pause' | 'cut' | 'cut-one-way'; region: Role }
  | { kind: 'slow' | 'clock'; region: Role; milliseconds: number }
  /** A limit of the link in each direction. */
  | { kind: 'throttle'; region: Role; bytesPerSecond: number }
  | { kind: 'deactivate' | 'recreate'; region: 'secondary' }
  /**
   * The database of the region is replaced by its spare: a promoted standby (`failover`), or a backup of the file (`put-back`).
   * `lossy`: the spare lacks the newest transactions, for the duration of the fault. `running`: under the region's process.
   */
  | { kind: 'failover' | 'put-back'; region: Role; lossy: boolean; running: boolean }
export type FaultKind = Fault['kind']

/** A fault and when it begins and ends, in milliseconds from the start of the run. */
export interface Planned {
  at: number
  until: number
  fault: Fault
}

interface Row {
  weight: number
  least: number
  most: number
}

/** Relative frequency and duration (ms) of each fault: both below and above the 3 s after which a silent link is closed. */
// biome-ignore format: a table
const table: Readonly<Record<FaultKind, Row>> = {
  kill:          { weight: 5, least: 20,    most: 1_500 },
  restart:       { weight: 2, least: 0,     most: 1_000 },
  pause:         { weight: 3, least: 200,   most: 5_000 },
  cut:           { weight: 4, least: 300,   most: 6_000 },
  'cut-one-way': { weight: 4, least: 300,   most: 6_000 },
  slow:          { weight: 3, least: 1_000, most: 6_000 },
  throttle:      { weight: 3, least: 2_000, most: 9_000 },
  clock:         { weight: 3, least: 2_000, most: 12_000 },
  deactivate:    { weight: 1, least: 200,   most: 2_000 },
  recreate:      { weight: 2, least: 0,     most: 0 },
  failover:      { weight: 4, least: 200,   most: 3_000 },
  'put-back':    { weight: 3, least: 200,   most: 3_000 },
}

const QUIET_MILLISECONDS = 1_000
/** Building a new standby takes some seconds, more on a busy machine; a failover waits for it. */
const STANDBY_MILLISECONDS = 20_000
const LONGEST_GAP_MILLISECONDS = 2_600
const SLOWEST_MILLISECONDS = 300
/** At the lower end, a message takes longer than the 3 s after which a silent link is closed. */
const BYTES_PER_SECOND = { least: 2_000, most: 60_000 }
/** Both clocks together stay within the limits of sign-in sessions (3 min) and signatures (5 min). */
const FURTHEST_CLOCK_MILLISECONDS = 75_000

/** The faults of a run: a pure function of its arguments. They may overlap. */
export function planFaults({
  seed,
  milliseconds,
  kinds,
}: {
  seed: number
  milliseconds: number
  /** The faults that the arena supports. */
  kinds: ReadonlySet<FaultKind>
}): Planned[] {
  const random = createRandom(seed, 'faults')
  const weights = Object.fromEntries(
    Object.entries(table).map(([kind, { weight }]) => [kind, kinds.has(kind as FaultKind) ? weight : 0]),
  ) as Record<FaultKind, number>
  const planned: Planned[] = []
  /** When a region has a standby again. */
  const standbyFrom: Record<Role, number> = { primary: 0, secondary: 0 }
  for (let at = QUIET_MILLISECONDS; at < milliseconds; at += random.between(100, LONGEST_GAP_MILLISECONDS)) {
    const kind = random.weighted(weights)
    const { least, most } = table[kind]
    const until = Math.min(at + random.between(least, most), milliseconds)
    const fault = makeFault(kind, random)
    if (fault.kind === 'failover') {
      if (at < standbyFrom[fault.region]) continue
      standbyFrom[fault.region] = until + STANDBY_MILLISECONDS
    }
    planned.push({ at, until, fault })
  }
  return planned
}

function makeFault(kind: FaultKind, random: Random): Fault {
  const region = random.pick(ROLES)
  if (kind === 'slow') return { kind, region, milliseconds: random.between(5, SLOWEST_MILLISECONDS) }
  if (kind === 'throttle') {
    return { kind, region, bytesPerSecond: random.between(BYTES_PER_SECOND.least, BYTES_PER_SECOND.most) }
  }
  if (kind === 'clock') {
    const far = random.chance(0.5) ? FURTHEST_CLOCK_MILLISECONDS : 3_000
    return { kind, region, milliseconds: random.between(-far, far) }
  }
  if (kind === 'failover') return { kind, region, lossy: random.chance(0.6), running: random.chance(0.75) }
  if (kind === 'put-back') return { kind, region, lossy: true, running: random.chance(0.6) }
  if (kind === 'deactivate' || kind === 'recreate') return { kind, region: 'secondary' }
  return { kind, region }
}
