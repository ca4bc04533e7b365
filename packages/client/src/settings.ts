import type { CircuitSettings } from './circuit.ts'
import { type Clock, systemClock } from './clock.ts'
import type { SdkClient } from './command.ts'
import type { Probe } from './probe.ts'

export type TwinpoolClientOptions<Client extends SdkClient = SdkClient> = {
  /** Your own SDK clients, by region name. After `prefer` and `primary`, regions are tried in this order. */
  readonly regions: Readonly<Record<string, Client>>
  /** The region that takes writes. */
  readonly primary: string
  /** The region for sign-in, refresh and reads while it is healthy. Default: the primary. */
  readonly prefer?: string
  /**
   * Whether a challenge issued in one region may be answered in another. `portable` (default): yes, because Twinpool
   * seals the state of the sign-in into Session and SECRET_BLOCK. `pinned`: only in the region that issued it; if that
   * region is lost, `send` throws ChallengeLostError. Amazon Cognito does not promise portability: use `pinned` there.
   */
  readonly challenges?: 'portable' | 'pinned'
  /** Deadline of an attempt while another usable region is left to try. Default 600 ms. */
  readonly attemptTimeoutMs?: number
  /**
   * Deadline of `send`, and so of the attempt in the last region (or in the primary, for a write). Default 10,000 ms.
   */
  readonly totalTimeoutMs?: number
  /** Maximum retries of a throttled request in the same region before it fails over. Default 2. */
  readonly throttleRetries?: number
  /** Backoff before the first such retry; doubles with each retry; jitter takes it down to half. Default 50 ms. */
  readonly throttleBackoffMs?: number
  /** Weighted failures that bring a region down. Default 4: two broken connections or four timeouts in a row. */
  readonly strikesToDown?: number
  /** Successes needed before traffic returns to a region. Default 3. */
  readonly successesToRecover?: number
  /** Time without a failure needed before traffic returns to a region. Default 10,000 ms. */
  readonly recoveryMs?: number
  /** Interval between probes of an unhealthy region; grows by half after each failure. Default 500 ms. */
  readonly probeIntervalMs?: number
  /** Maximum interval between probes. Default 5,000 ms. */
  readonly probeIntervalMaxMs?: number
  /**
   * How to probe an unhealthy region. Default: an unsigned call with a made-up token, with a command class taken from your
   * own calls. `false`: no background probes; one real request at a time tests the region.
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

/** Retries of throttled requests, per region: a burst of 20, then 2 per second. */
export const THROTTLE_BUDGET = { capacity: 20, refillPerSecond: 2 } as const

/** Fills in the defaults and validates the options. @throws TypeError, RangeError */
export function settingsFrom<Client extends SdkClient>(options: TwinpoolClientOptions<Client>): Settings {
  const { regions, primary, prefer = primary, challenges = 'portable' } = options
  for (const [role, name] of Object.entries({ primary, prefer })) {
    if (!Object.hasOwn(regions, name)) throw new TypeError(`'${role}' is ${name}, which is not in 'regions'`)
  }
  if (challenges !== 'portable' && challenges !== 'pinned') {
    throw new TypeError("'challenges' must be 'portable' or 'pinned'")
  }
  const numbers = { ...DEFAULTS }
  for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
    const value = options[name] ?? DEFAULTS[name]
    const minimum = name === 'throttleRetries' || name === 'throttleBackoffMs' || name === 'recoveryMs' ? 0 : 1
    if (!Number.isFinite(value) || value < minimum) throw new RangeError(`'${name}' must be at least ${minimum}`)
    Object.assign(numbers, { [name]: value })
  }
  const order = [...new Set([prefer, primary, ...Object.keys(regions)])]
  return {
    ...numbers,
    regions: order.map((name) => ({ name, client: regions[name] as Client })),
    primary,
    prefer,
    portable: challenges === 'portable',
    // The probe is only ever called with the clients above, so the cast is safe.
    probe: options.probe as Probe | false | undefined,
    clock: options.clock ?? systemClock,
  }
}
