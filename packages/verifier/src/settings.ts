import {
  type Audience,
  type Demand,
  type Demands,
  demandRules,
  type Rule,
  type Times,
  type TokenUse,
} from './claims.ts'
import { type Clock, systemClock } from './clock.ts'
import { VerifierOptionsError } from './errors.ts'
import type { VerifierEvent } from './events.ts'
import type { Fetch } from './jwks.ts'
import { type KeySettings, readSeed, type Seed } from './keys.ts'
import { refuseUnknown } from './known-options.ts'
import { jwksUriOf, type PoolAddresses } from './pools.ts'
import { defaultSignatures, type Signatures } from './signatures.ts'

export type PoolOptions<Use extends TokenUse = TokenUse> = PoolAddresses &
  Demands<Use> & {
    /** The accepted tokens; an API accepts `access`. Required. */
    readonly tokenUse: Use
    /**
     * The app clients whose tokens are accepted (`client_id` of an access token, `aud` of an ID token). Required; `null` accepts
     * tokens of every client of the pool.
     */
    readonly clientIds: string | readonly string[] | null
    /**
     * The resource that an access token must be bound to (its `aud`, RFC 8707): the URL of this API. Default: a token that is bound
     * to anything but its own client is refused. `null` accepts tokens bound to any resource.
     */
    readonly resources?: Use extends 'id' ? undefined : string | readonly string[] | null
    /** Initial keys, or a function that loads them. They are used until an address responds, and refreshed at once in the background. */
    readonly seed?: Seed | (() => Promise<Seed>)
  }

export type VerifierOptions<Use extends TokenUse = TokenUse> = {
  readonly pools: readonly PoolOptions<Use>[]
  /** Age at which the keys are refreshed in the background. Default 600,000 ms. */
  readonly maxAgeMs?: number
  /** Age up to which the keys are trusted while no address responds. Default 86,400,000 ms. */
  readonly maxStaleMs?: number
  /** Timeout of a fetch from one address, from connecting to the last byte. Default 3,000 ms. */
  readonly timeoutMs?: number
  /** Time without a response from one address before the next is tried as well. Default 500 ms. */
  readonly staggerMs?: number
  /** Maximum size of a key set. Default 65,536. */
  readonly maxBytes?: number
  /** Minimum interval between two fetches caused by unknown key ids. Default 5,000 ms. */
  readonly lookupIntervalMs?: number
  /** Time during which a key id that was not found causes no further fetch. Default 10,000 ms. */
  readonly missMs?: number
  /** Seconds added to `exp`. Default 0; at most 600. */
  readonly clockToleranceSeconds?: number
  /** How far `iat` and `nbf` may be in the future, because the clock of another region may be ahead. Default 60; at most 600. */
  readonly issuedAheadSeconds?: number
  /** Longer tokens are refused without being parsed. Default 32,768 characters. */
  readonly maxTokenLength?: number
  /** Also refresh on a timer, so that an idle verifier has fresh keys too. The timer keeps no process alive. Default true. */
  readonly refreshTimer?: boolean
  /** Whether plain HTTP is allowed for addresses on other machines. Default false. */
  readonly allowHttp?: boolean
  readonly onEvent?: (event: VerifierEvent) => void
  /** Replaces the global `fetch`, for example for a proxy or a custom CA. */
  readonly fetch?: Fetch
  /** Default: node:crypto if the runtime has it, else WebCrypto. */
  readonly signatures?: Signatures
  /** For tests. */
  readonly clock?: Clock
}

type NumberName = keyof typeof LIMITS
/** Default, minimum and maximum of each number. */
const LIMITS = {
  maxAgeMs: [600_000, 1_000, 86_400_000],
  maxStaleMs: [86_400_000, 1_000, 30 * 86_400_000],
  timeoutMs: [3_000, 1, 60_000],
  staggerMs: [500, 0, 60_000],
  maxBytes: [65_536, 1_024, 10_485_760],
  lookupIntervalMs: [5_000, 100, 600_000],
  missMs: [10_000, 0, 600_000],
  clockToleranceSeconds: [0, 0, 600],
  issuedAheadSeconds: [60, 0, 600],
  maxTokenLength: [32_768, 256, 1_048_576],
} as const satisfies Record<string, readonly [number, number, number]>

const OPTION_NAMES = [
  ...Object.keys(LIMITS),
  ...['pools', 'refreshTimer', 'allowHttp', 'onEvent', 'fetch', 'signatures', 'clock'],
]
export const DEMAND_NAMES = ['scopes', 'groups', 'requiredClaims', 'claimValues', 'check']
const POOL_NAMES = ['issuers', 'jwksUris', 'tokenUse', 'clientIds', 'resources', 'seed', ...DEMAND_NAMES]

export type PoolSettings = Audience & {
  readonly issuers: readonly string[]
  readonly jwksUris: readonly string[]
  readonly seed: PoolOptions['seed']
  readonly rules: readonly Rule[]
  readonly check: Demands['check']
}

export type Settings = KeySettings &
  Times & { readonly maxTokenLength: number; readonly pools: readonly PoolSettings[] }

const wrong = (message: string, cause?: unknown) => new VerifierOptionsError(message, { cause })

/** Fills in the defaults and validates the options. @throws VerifierOptionsError if a required option is missing or options contradict each other */
export function settingsFrom(options: VerifierOptions): Settings {
  refuseUnknown(options, OPTION_NAMES, 'createVerifier')
  const { pools, refreshTimer = true, allowHttp = false, onEvent = () => {}, clock = systemClock } = options
  if (!Array.isArray(pools) || pools.length === 0) throw wrong("'pools' must name at least one pool")
  const numbers = Object.fromEntries(
    Object.keys(LIMITS).map((name) => [name, numberFrom(options, name as NumberName)]),
  ) as Record<NumberName, number>
  if (numbers.maxStaleMs < numbers.maxAgeMs) throw wrong("'maxStaleMs' must not be less than 'maxAgeMs'")

  const settings = pools.map((pool) => poolFrom(pool, allowHttp))
  const issuers = settings.flatMap((pool) => pool.issuers)
  const twice = issuers.find((issuer, at) => issuers.indexOf(issuer) !== at)
  if (twice !== undefined) throw wrong(`the issuer ${twice} is configured twice`)
  return {
    ...numbers,
    pools: settings,
    refreshTimer,
    onEvent,
    clock,
    signatures: options.signatures ?? defaultSignatures(),
    // Read at each call, because instrumentation may replace the global `fetch` later.
    fetch: options.fetch ?? ((address, init) => globalThis.fetch(address, init)),
  }
}

function numberFrom(options: VerifierOptions, name: NumberName): number {
  const [fallback, least, most] = LIMITS[name]
  const value = options[name] ?? fallback
  if (typeof value === 'number' && value >= least && value <= most) return value
  throw wrong(`'${name}' must be a number from ${least} to ${most}`)
}

function poolFrom(pool: PoolOptions, allowHttp: boolean): PoolSettings {
  refuseUnknown(pool, POOL_NAMES, 'a pool')
  const { tokenUse, clientIds, resources, seed, check } = pool
  if (tokenUse !== 'access' && tokenUse !== 'id' && tokenUse !== 'either') {
    throw wrong("'tokenUse' must be 'access', 'id' or 'either'")
  }
  if (clientIds === undefined) throw wrong("'clientIds' is required; null accepts every client of the pool")
  if (tokenUse === 'id' && (pool.scopes !== undefined || resources !== undefined)) {
    throw wrong("ID tokens have no scopes, and are bound to no resource; 'tokenUse' is 'id'")
  }
  const issuers = textsFrom(pool.issuers, 'issuers')
  const jwksUris = pool.jwksUris === undefined ? issuers.map(jwksUriOf) : textsFrom(pool.jwksUris, 'jwksUris')
  for (const uri of jwksUris) checkAddress(uri, allowHttp)
  if (seed !== undefined && typeof seed !== 'function') {
    try {
      readSeed(seed)
    } catch (cause) {
      throw wrong(`'seed' cannot be used: ${(cause as Error).message}`, cause)
    }
  }
  return {
    tokenUse,
    clientIds: clientIds === null ? null : textsFrom(clientIds, 'clientIds'),
    resources: resources == null ? resources : textsFrom(resources, 'resources'),
    issuers,
    jwksUris: [...new Set(jwksUris)],
    seed,
    check,
    rules: rulesFrom(pool),
  }
}

/** The rules for the requirements of a pool or of one call. @throws VerifierOptionsError */
function rulesFrom(demands: Demands): Rule[] {
  for (const name of ['scopes', 'groups'] as const) {
    const demand: Demand | undefined = demands[name]
    if (demand === undefined) continue
    refuseUnknown(demand, ['any', 'all'], name)
    if (demand.any === undefined && demand.all === undefined) throw wrong(`'${name}' must have 'any' or 'all'`)
    if (demand.any !== undefined) textsFrom(demand.any, `${name}.any`)
    if (demand.all !== undefined) textsFrom(demand.all, `${name}.all`)
  }
  if (demands.requiredClaims !== undefined) textsFrom(demands.requiredClaims, 'requiredClaims')
  for (const [claim, wanted] of Object.entries(demands.claimValues ?? {})) {
    const values: readonly unknown[] = Array.isArray(wanted) ? wanted : [wanted]
    if (values.length === 0 || values.some((value) => !['string', 'number', 'boolean'].includes(typeof value))) {
      throw wrong(`'claimValues' must have one or more values for ${claim}`)
    }
  }
  if (demands.check !== undefined && typeof demands.check !== 'function') throw wrong("'check' must be a function")
  return demandRules(demands)
}

/** The rules for the additional requirements of one call. */
export function furtherRulesFrom(demands: Demands): Rule[] {
  refuseUnknown(demands, DEMAND_NAMES, 'the demands')
  return rulesFrom(demands)
}

function textsFrom(value: unknown, name: string): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0 || !list.every((text) => typeof text === 'string' && text !== '')) {
    throw wrong(`'${name}' must be a non-empty string, or a non-empty list of such strings`)
  }
  return list.slice() as string[]
}

const THIS_MACHINE = /^(localhost|127(\.\d+){3}|\[::1\])$/

function checkAddress(address: string, allowHttp: boolean): void {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw wrong(`'${address}' is not an HTTP or HTTPS URL`)
  if (url.username !== '' || url.password !== '') throw wrong('the URL of a key set must not contain credentials')
  if (url.protocol === 'https:' || allowHttp || THIS_MACHINE.test(url.hostname)) return
  throw wrong(`keys from ${address} could be replaced on the network: use HTTPS, or set 'allowHttp'`)
}
