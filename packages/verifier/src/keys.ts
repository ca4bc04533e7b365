/**
 * The keys of one pool: kept, refreshed in the background, and looked up by their id. The rules with their times are in
 * SPEC.md; each name there is a name here.
 */
import { createAddresses } from './addresses.ts'
import type { Clock } from './clock.ts'
import { JwksError, KeysUnavailableError, refusal } from './errors.ts'
import type { VerifierEvent } from './events.ts'
import { type Fetch, fetchJwks, type Jwks, type RsaJwk, readJwks } from './jwks.ts'
import type { Signatures } from './signatures.ts'

/** Keys known before the first fetch. A bare set counts as just past its maximal age when it is loaded. */
export type Seed = Jwks | SeedSnapshot

/** A set with the time at which its issuer published it, in ms since the epoch, so that the bound on stale keys holds for it. */
export type SeedSnapshot = { readonly jwks: Jwks; readonly fetchedAt: number }

export type KeySettings = {
  readonly clock: Clock
  readonly fetch: Fetch
  readonly signatures: Signatures
  readonly onEvent: (event: VerifierEvent) => void
  readonly maxAgeMs: number
  readonly maxStaleMs: number
  readonly timeoutMs: number
  readonly staggerMs: number
  readonly maxBytes: number
  readonly lookupIntervalMs: number
  readonly missMs: number
  readonly refreshTimer: boolean
}

export type Key = { readonly jwk: RsaJwk; readonly handle: unknown }

/** What is known about the keys of a pool. */
export type KeyState = {
  /** The pool's first issuer. */
  readonly pool: string
  readonly keyIds: readonly string[]
  /** Since they were published; undefined while there are none. */
  readonly ageMs: number | undefined
  /** `stale`: past their age, and trusted still. `expired`: past the bound. */
  readonly state: 'none' | 'fresh' | 'stale' | 'expired'
  /** Refreshes that failed since the last that did not. */
  readonly failures: number
}

const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 30_000
const MOST_MISSES = 1_000
const MOST_WITHDRAWN = 100
/** Refreshes by timer come a little early, each process at another time, so that keys in use are never past their age. */
const TIMER_SHARE = { least: 0.8, spread: 0.15 }

/** Outside of the pool's scope, which it would hold: a verifier that its owner has dropped must not fetch for ever. */
const wake = (held: WeakRef<{ refreshInBackground(): void }>) => () => held.deref()?.refreshInBackground()

/** @throws JwksError if it is not a set, or has no key that can be used */
export function readSeed(seed: Seed | undefined): { jwks: RsaJwk[]; fetchedAt: number | undefined } {
  const snapshot = typeof seed === 'object' && seed !== null && 'jwks' in seed ? (seed as SeedSnapshot) : undefined
  const jwks = readJwks(snapshot?.jwks ?? seed)
  if (jwks.length === 0) throw new JwksError('the seed holds no key that can be used')
  if (snapshot !== undefined && !Number.isFinite(snapshot.fetchedAt)) {
    throw new JwksError("the 'fetchedAt' of the seed is not a time in ms")
  }
  return { jwks, fetchedAt: snapshot?.fetchedAt }
}

export type PoolKeys = ReturnType<typeof createPoolKeys>

type PoolKeysInput = { pool: string; urls: readonly string[]; seed: Seed | (() => Promise<Seed>) | undefined }

export function createPoolKeys({ pool, urls, seed }: PoolKeysInput, settings: KeySettings) {
  const { clock, signatures, maxAgeMs, maxStaleMs } = settings
  const addresses = createAddresses(urls, settings)
  const misses = new Map<string, number>()
  const withdrawn = new Map<string, { rank: number; at: number }>()
  let keys = new Map<string, Key>()
  let fetchedAt: number | undefined
  let refreshing: Promise<void> | undefined
  let seeding: Promise<void> | undefined
  let seeded = seed === undefined
  let failures = 0
  let failure: unknown
  let retryAt = Number.NEGATIVE_INFINITY
  let lookedUpAt = Number.NEGATIVE_INFINITY
  let timer: unknown
  let closed = false

  function ageNow(): number | undefined {
    if (fetchedAt === undefined) return undefined
    const now = clock.now()
    // A clock that was set back must not prolong the life of the keys.
    if (now < fetchedAt) fetchedAt = now
    return now - fetchedAt
  }

  /** The key, when it is at hand; starts a refresh in the background when one is due. */
  function find(kid: string): Key | undefined {
    const age = ageNow()
    if (age === undefined || age > maxStaleMs) return undefined
    if (age >= maxAgeMs) refreshInBackground()
    return keys.get(kid)
  }

  /**
   * The key, fetched if need be. Only a token that passes `admit` may cause a fetch for the sake of its key id.
   * @throws TokenRefusedError of the check `kid`, KeysUnavailableError, or what `admit` throws
   */
  async function get(kid: string, admit: () => void): Promise<Key> {
    const askedAt = clock.now()
    const cold = !isUsable()
    if (cold) await warmUp()
    const key = find(kid)
    if (key !== undefined) return key
    admit()
    const justFetched = cold && fetchedAt !== undefined && fetchedAt >= askedAt
    if (!justFetched) await lookUp(kid)
    const found = find(kid)
    if (found !== undefined) return found
    throw failures > 0
      ? unavailable('The key of the token is not known, and the keys cannot be fetched')
      : refusal('kid')
  }

  const isUsable = () => (ageNow() ?? Number.POSITIVE_INFINITY) <= maxStaleMs

  /** Keys at hand, from the seed or from an address. @throws KeysUnavailableError */
  async function warmUp(): Promise<void> {
    seeding ??= loadSeed()
    await seeding
    if (isUsable()) return
    if (refreshing === undefined && clock.now() < retryAt) throw unavailable(nothingAtHand())
    await refresh().catch(() => {})
    if (!isUsable()) throw unavailable(nothingAtHand())
  }

  const nothingAtHand = () =>
    fetchedAt === undefined
      ? 'The keys of the pool could not be fetched, and there are none from a seed'
      : 'The keys of the pool could not be fetched, and those at hand are too old to be trusted'

  const unavailable = (message: string) => new KeysUnavailableError(message, { cause: failure })

  async function loadSeed(): Promise<void> {
    if (seeded) return
    try {
      const { jwks, fetchedAt: at } = readSeed(typeof seed === 'function' ? await inTime(seed) : seed)
      const imported = await importAll(jwks)
      const published = at === undefined ? clock.now() - maxAgeMs : Math.min(at, clock.now())
      if (fetchedAt === undefined || published > fetchedAt) {
        keys = imported
        fetchedAt = published
      }
      tell({ type: 'seeded', pool, keyIds: [...imported.keys()] })
    } catch (cause) {
      // The addresses may still serve; without them this is the failure that counts.
      failure ??= cause
      tell({ type: 'seed-failed', pool, error: cause })
    }
    seeded = true
  }

  /** The store that holds the seed may lie in the region that is gone. */
  function inTime<Value>(load: () => Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const { timeoutMs } = settings
      const giveUp = () => reject(new JwksError(`the seed was not loaded within ${timeoutMs} ms`))
      const patience = clock.setTimeout(giveUp, timeoutMs)
      load()
        .finally(() => clock.clearTimeout(patience))
        .then(resolve, reject)
    })
  }

  /** A refresh for the sake of one key id: at most one in each interval, whatever tokens come. */
  async function lookUp(kid: string): Promise<void> {
    if (refreshing !== undefined) return refreshing.catch(() => {})
    const now = clock.now()
    if (now < retryAt || now - lookedUpAt < settings.lookupIntervalMs || (misses.get(kid) ?? 0) > now) return
    lookedUpAt = now
    tell({ type: 'unknown-key', pool })
    await refresh().catch(() => {})
    if (failures > 0 || keys.has(kid)) return
    if (misses.size >= MOST_MISSES) misses.delete(misses.keys().next().value as string)
    misses.set(kid, clock.now() + settings.missMs)
  }

  function refreshInBackground(): void {
    if (refreshing === undefined && clock.now() >= retryAt && !closed) refresh().catch(() => {})
  }

  function refresh(): Promise<void> {
    refreshing ??= fetchKeys().finally(() => {
      refreshing = undefined
      armTimer()
    })
    return refreshing
  }

  async function fetchKeys(): Promise<void> {
    const startedAt = clock.now()
    try {
      const { url, rank, answer } = await addresses.ask(async (address, signal) =>
        importAll(await fetchJwks(address, settings, signal)),
      )
      install(answer, { url, rank, startedAt })
    } catch (cause) {
      failure = cause
      const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures++)
      retryAt = clock.now() + wait * (0.5 + clock.random() / 2)
      tell({ type: 'refresh-failed', pool, failures, ageMs: ageNow(), error: cause })
      throw cause
    }
  }

  async function importAll(jwks: readonly RsaJwk[]): Promise<Map<string, Key>> {
    const imported = new Map<string, Key>()
    for (const jwk of jwks) {
      const known = keys.get(jwk.kid)
      try {
        const same = known?.jwk.n === jwk.n && known.jwk.e === jwk.e
        imported.set(jwk.kid, same ? known : { jwk, handle: await signatures.importKey(jwk) })
      } catch {
        // A key that the runtime cannot read is one that it cannot use.
      }
    }
    return imported
  }

  function install(
    fetched: Map<string, Key>,
    { url, rank, startedAt }: { url: string; rank: number; startedAt: number },
  ) {
    const now = clock.now()
    for (const [kid, { rank: by, at }] of withdrawn) {
      if (now - at > maxStaleMs || (rank <= by && fetched.has(kid))) withdrawn.delete(kid)
      else if (rank < by) withdrawn.set(kid, { rank, at })
      // An address of less authority, cut off from the others, may still publish what was withdrawn.
      else fetched.delete(kid)
    }
    const gone = [...keys.keys()].filter((kid) => !fetched.has(kid))
    for (const kid of gone) {
      if (withdrawn.has(kid)) continue
      if (withdrawn.size >= MOST_WITHDRAWN) withdrawn.delete(withdrawn.keys().next().value as string)
      withdrawn.set(kid, { rank, at: now })
    }
    const added = [...fetched.keys()].filter((kid) => !keys.has(kid))
    keys = fetched
    // What was published while the answer was under way is not in it.
    fetchedAt = startedAt
    failures = 0
    failure = undefined
    retryAt = Number.NEGATIVE_INFINITY
    for (const kid of fetched.keys()) misses.delete(kid)
    tell({
      type: 'refreshed',
      pool,
      address: url,
      keyIds: [...fetched.keys()],
      added,
      withdrawn: gone,
      tookMs: now - startedAt,
    })
  }

  function armTimer(): void {
    if (!settings.refreshTimer || closed) return
    clock.clearTimeout(timer)
    const { least, spread } = TIMER_SHARE
    const wait = failures > 0 ? retryAt - clock.now() : maxAgeMs * (least + spread * clock.random())
    timer = clock.setTimeout(wake(new WeakRef(self)), wait)
  }

  function tell(event: VerifierEvent): void {
    try {
      settings.onEvent(event)
    } catch {
      // A listener that throws is no reason to refuse a token.
    }
  }

  function state(): KeyState {
    const ageMs = ageNow()
    const at = ageMs === undefined ? 'none' : ageMs < maxAgeMs ? 'fresh' : ageMs <= maxStaleMs ? 'stale' : 'expired'
    return { pool, keyIds: [...keys.keys()], ageMs, state: at, failures }
  }

  const snapshot = (): SeedSnapshot | undefined =>
    fetchedAt === undefined ? undefined : { jwks: { keys: [...keys.values()].map(({ jwk }) => jwk) }, fetchedAt }

  const self = {
    pool,
    find,
    get,
    /** Resolves once there are keys, from the seed or an address. @throws KeysUnavailableError */
    warmUp: async () => {
      if (!isUsable()) await warmUp()
    },
    /** Fetches now, whatever the age. @throws KeysUnavailableError */
    refresh: () =>
      refresh().catch(() => {
        throw unavailable('The keys of the pool could not be fetched')
      }),
    refreshInBackground,
    /** The refresh under way, if one is; never rejects. */
    settled: async () => refreshing?.catch(() => {}),
    state,
    snapshot,
    close() {
      closed = true
      clock.clearTimeout(timer)
    },
  }
  return self
}
