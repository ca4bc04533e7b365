import type { CircuitSettings } from './circuit.ts'
import { type Clock, systemClock } from './clock.ts'
import type { SdkClient } from './command.ts'
import type { Probe } from './probe.ts'

export type TwinpoolClientOptions<Client extends SdkClient = SdkClient> = {
  /** Your own SDK clients, by region name. Order counts: after `prefer` and `primary`, regions are tried in this order. */
  readonly regions: Readonly<Record<string, Client>>
  /** The region that takes writes. */
  readonly primary: string
  /** The region for sign-in, refresh and reads while it is healthy. Default: the primary. */
  readonly prefer?: string
  /**
   * Whether a challenge asked in one region may be answered in another. `portable` (default): yes, Twinpool
   * seals what it needs into Session and SECRET_BLOCK. `pinned`: only where it was asked; if that region dies,
   * ChallengeLostError. Amazon Cognito promises no portability: use `pinned` there.
   */
  readonly challenges?: 'portable' | 'pinned'
  /** How long a region may be silent while another usable one is left to try. Default 600 ms. */
  readonly attemptTimeoutMs?: number
  /** How long `send` may take in all, and how long the last region (or the primary, for a write) may. Default 10,000 ms. */
  readonly totalTimeoutMs?: number
  /** How often a throttled request is tried again in the same region before it fails over. Default 2. */
  readonly throttleRetries?: number
  /** First wait before such a try; doubles each time; spread between half and all of it. Default 50 ms. */
  readonly throttleBackoffMs?: number
  /** Failures, weighted, that bring a region down. Default 4: two broken connections or four silences in a row. */
  readonly strikesToDown?: number
  /** Good answers needed before traffic goes back to a region. Default 3. */
  readonly successesToRecover?: number
  /** And for how long it must have been answering. Default 10,000 ms. */
  readonly recoveryMs?: number
  /** Between probes of a region that is not healthy; grows by half after each failure. Default 500 ms. */
  readonly probeIntervalMs?: number
  /** At most. Default 5,000 ms. */
  readonly probeIntervalMaxMs?: number
  /**
   * How to ask an unhealthy region whether it serves. Default: an unsigned call with a made-up token, with a command class learnt from your
   * own calls. `false`: never in the background; one real request at a time is sent to find out.
   */
  readonly probe?: Probe<Client> | false
  /** For tests. */
  readonly clock?: Clock
}

export type Settings = CircuitSettings & {
  /** In order of preference. */
  readonly regions: readonly { readonly name: string; readonly client: SdkClient }[]
  readonly primary: string
  readonly prefer: string
  readonly portable: boolean
  readonly attemptTimeoutMs: number
  readonly totalTimeoutMs: number
  readonly throttleRetries: number
  readonly throttleBackoffMs: number
  readonly probeIntervalMs: number
  readonly probeIntervalMaxMs: number
  readonly probe: Probe | false | undefined
  readonly clock: Clock
}

export const DEFAULTS = {
  attemptTimeoutMs: 600,
  totalTimeoutMs: 10_000,
  throttleRetries: 2,
  throttleBackoffMs: 50,
  strikesToDown: 4,
  successesToRecover: 3,
  recoveryMs: 10_000,
  probeIntervalMs: 500,
  probeIntervalMaxMs: 5_000,
} as const

/** Of each region: 20 throttled requests may be tried again at once, and 2 more each second. */
export const THROTTLE_BUDGET = { capacity: 20, refillPerSecond: 2 } as const

/** Options with their defaults filled in. Contradictions are refused here. @throws TypeError, RangeError */
export function settingsFrom<Client extends SdkClient>(options: TwinpoolClientOptions<Client>): Settings {
  const { regions, primary, prefer = primary, challenges = 'portable' } = options
  for (const [role, name] of Object.entries({ primary, prefer })) {
    if (!Object.hasOwn(regions, name)) throw new TypeError(`'${role}' names ${name}, which is not among the regions`)
  }
  if (challenges !== 'portable' && challenges !== 'pinned') {
    throw new TypeError("'challenges' must be 'portable' or 'pinned'")
  }
  const numbers = { ...DEFAULTS }
  for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
    const value = options[name] ?? DEFAULTS[name]
    const least = name === 'throttleRetries' || name === 'throttleBackoffMs' || name === 'recoveryMs' ? 0 : 1
    if (!Number.isFinite(value) || value < least) throw new RangeError(`'${name}' must be at least ${least}`)
    Object.assign(numbers, { [name]: value })
  }
  const order = [...new Set([prefer, primary, ...Object.keys(regions)])]
  return {
    ...numbers,
    regions: order.map((name) => ({ name, client: regions[name] as Client })),
    primary,
    prefer,
    portable: challenges === 'portable',
    // It is only ever given the clients above.
    probe: options.probe as Probe | false | undefined,
    clock: options.clock ?? systemClock,
  }
}
