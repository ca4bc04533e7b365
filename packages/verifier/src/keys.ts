/**
 * The key cache of one pool: refreshes keys in the background and finds them by key id. SPEC.md has the rules and times,
 * under the same names as here.
 */
import { createAddresses } from './addresses.ts'
import type { Clock } from './clock.ts'
import { JwksError, KeysUnavailableError, refusal } from './errors.ts'
import type { VerifierEvent } from './events.ts'
import { type Fetch, fetchJwks, type Jwks, type RsaJwk, readJwks } from './jwks.ts'
import type { Signatures } from './signatures.ts'

/** Keys known before the first fetch. When loaded, a key set without `fetchedAt` counts as `maxAgeMs` old. */
export type Seed = Jwks | SeedSnapshot

/** A key set with the time at which it was fetched, in ms since the epoch, so that `maxStaleMs` applies to it. */
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

/** The state of a pool's key cache. */
export type KeyState = {
  /** The pool's first issuer. */
  readonly pool: string
  readonly keyIds: readonly string[]
  /** Age of the key set; undefined without keys. */
  readonly ageMs: number | undefined
  /** `stale`: older than `maxAgeMs`, but still trusted. `expired`: older than `maxStaleMs`. */
  readonly state: 'none' | 'fresh' | 'stale' | 'expired'
  /** Consecutive failed refreshes. */
  readonly failures: number
}

const FIRST_RETRY_MS = 1_000
const MAX_RETRY_MS = 30_000
const MAX_MISSES = 1_000
const MAX_WITHDRAWN = 100
/**
 * The timer fires at 80 to 95 % of `maxAgeMs`, at random so that processes do not refresh together: keys in use stay
 * fresh.
 */
const TIMER_SHARE = { min: 0.8, jitter: 0.15 }

/**
 * Not a closure of the pool, which it would keep alive: a verifier that its owner has dropped must not fetch for ever.
 */
const refreshIfAlive = (ref: WeakRef<{ refreshInBackground(): void }>) => () => ref.deref()?.refreshInBackground()

/** @throws JwksError if the seed is not a key set, or has no usable key */
export function readSeed(seed: Seed | undefined): { jwks: RsaJwk[]; fetchedAt: number | undefined } {
  const snapshot = typeof seed === 'object' && seed !== null && 'jwks' in seed ? (seed as SeedSnapshot) : undefined
  const jwks = readJwks(snapshot?.jwks ?? seed)
  if (jwks.length === 0) throw new JwksError('the seed has no usable key')
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
    // A clock that was set back must not extend the lifetime of the keys.
    if (now < fetchedAt) fetchedAt = now
    return now - fetchedAt
  }

  /** Returns the cached key, or undefined. Starts a background refresh if one is due. */
  function find(kid: string): Key | undefined {
    const age = ageNow()
    if (age === undefined || age > maxStaleMs) return undefined
    if (age >= maxAgeMs) refreshInBackground()
    return keys.get(kid)
  }

  /**
   * Returns the key, and fetches it if necessary. Only a token that passes `admit` may cause a fetch because of its key id.
   * @throws TokenRefusedError of the check `kid`, KeysUnavailableError, or the error of `admit`
   */
  async function get(kid: string, admit: () => void): Promise<Key> {
    const startedAt = clock.now()
    const cold = !isUsable()
    if (cold) await warmUp()
    const key = find(kid)
    if (key !== undefined) return key
    admit()
    const justFetched = cold && fetchedAt !== undefined && fetchedAt >= startedAt
    if (!justFetched) await lookUp(kid)
    const found = find(kid)
    if (found !== undefined) return found
    throw failures > 0
      ? unavailable('The key of the token is unknown, and the keys could not be fetched')
      : refusal('kid')
  }

  const isUsable = () => (ageNow() ?? Number.POSITIVE_INFINITY) <= maxStaleMs

  /** Loads keys from the seed or from an address. @throws KeysUnavailableError */
  async function warmUp(): Promise<void> {
    seeding ??= loadSeed()
    await seeding
    if (isUsable()) return
    if (refreshing === undefined && clock.now() < retryAt) throw unavailable(noUsableKeys())
    await refresh().catch(() => {})
    if (!isUsable()) throw unavailable(noUsableKeys())
  }

  const noUsableKeys = () =>
    fetchedAt === undefined
      ? 'The keys of the pool could not be fetched, and no seed provided any'
      : 'The keys of the pool could not be fetched, and the cached keys are too old to be trusted'

  const unavailable = (message: string) => new KeysUnavailableError(message, { cause: failure })

  async function loadSeed(): Promise<void> {
    if (seeded) return
    try {
      const { jwks, fetchedAt: at } = readSeed(typeof seed === 'function' ? await loadWithTimeout(seed) : seed)
      const imported = await importAll(jwks)
      const published = at === undefined ? clock.now() - maxAgeMs : Math.min(at, clock.now())
      if (fetchedAt === undefined || published > fetchedAt) {
        keys = imported
        fetchedAt = published
      }
      emit({ type: 'seeded', pool, keyIds: [...imported.keys()] })
    } catch (cause) {
      // The addresses may still work; if they fail too, their failure replaces this one.
      failure ??= cause
      emit({ type: 'seed-failed', pool, error: cause })
    }
    seeded = true
  }

  /** The loader needs a timeout: the store that holds the seed may be in the region that is down. */
  function loadWithTimeout<Value>(load: () => Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const { timeoutMs } = settings
      const expire = () => reject(new JwksError(`the seed was not loaded within ${timeoutMs} ms`))
      const timeout = clock.setTimeout(expire, timeoutMs)
      load()
        .finally(() => clock.clearTimeout(timeout))
        .then(resolve, reject)
    })
  }

  /** A refresh because of one key id: at most one per `lookupIntervalMs`, whatever tokens arrive. */
  async function lookUp(kid: string): Promise<void> {
    if (refreshing !== undefined) return refreshing.catch(() => {})
    const now = clock.now()
    if (now < retryAt || now - lookedUpAt < settings.lookupIntervalMs || (misses.get(kid) ?? 0) > now) return
    lookedUpAt = now
    emit({ type: 'unknown-key', pool })
    await refresh().catch(() => {})
    if (failures > 0 || keys.has(kid)) return
    if (misses.size >= MAX_MISSES) misses.delete(misses.keys().next().value as string)
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
      const { url, rank, result } = await addresses.fetchFirst(async (address, signal) =>
        importAll(await fetchJwks(address, settings, signal)),
      )
      install(result, { url, rank, startedAt })
    } catch (cause) {
      failure = cause
      const wait = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** failures++)
      retryAt = clock.now() + wait * (0.5 + clock.random() / 2)
      emit({ type: 'refresh-failed', pool, failures, ageMs: ageNow(), error: cause })
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
        // Skip a key that the runtime cannot import.
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
      // An address of lower authority that is cut off from the others may still publish a withdrawn key.
      else fetched.delete(kid)
    }
    const removed = [...keys.keys()].filter((kid) => !fetched.has(kid))
    for (const kid of removed) {
      if (withdrawn.has(kid)) continue
      if (withdrawn.size >= MAX_WITHDRAWN) withdrawn.delete(withdrawn.keys().next().value as string)
      withdrawn.set(kid, { rank, at: now })
    }
    const added = [...fetched.keys()].filter((kid) => !keys.has(kid))
    keys = fetched
    // The age counts from the start of the fetch: keys published during the fetch may be missing from the response.
    fetchedAt = startedAt
    failures = 0
    failure = undefined
    retryAt = Number.NEGATIVE_INFINITY
    for (const kid of fetched.keys()) misses.delete(kid)
    emit({
      type: 'refreshed',
      pool,
      address: url,
      keyIds: [...fetched.keys()],
      added,
      withdrawn: removed,
      tookMs: now - startedAt,
    })
  }

  function armTimer(): void {
    if (!settings.refreshTimer || closed) return
    clock.clearTimeout(timer)
    const { min, jitter } = TIMER_SHARE
    const wait = failures > 0 ? retryAt - clock.now() : maxAgeMs * (min + jitter * clock.random())
    timer = clock.setTimeout(refreshIfAlive(new WeakRef(self)), wait)
  }

  function emit(event: VerifierEvent): void {
    try {
      settings.onEvent(event)
    } catch {
      // A listener that throws must not cause a token to be refused.
    }
  }

  function currentState(): KeyState {
    const ageMs = ageNow()
    const state = ageMs === undefined ? 'none' : ageMs < maxAgeMs ? 'fresh' : ageMs <= maxStaleMs ? 'stale' : 'expired'
    return { pool, keyIds: [...keys.keys()], ageMs, state, failures }
  }

  const snapshot = (): SeedSnapshot | undefined =>
    fetchedAt === undefined ? undefined : { jwks: { keys: [...keys.values()].map(({ jwk }) => jwk) }, fetchedAt }

  const self = {
    pool,
    find,
    get,
    /** Resolves once keys are loaded, from the seed or an address. @throws KeysUnavailableError */
    warmUp: async () => {
      if (!isUsable()) await warmUp()
    },
    /** Fetches now, regardless of age. @throws KeysUnavailableError */
    refresh: () =>
      refresh().catch(() => {
        throw unavailable('The keys of the pool could not be fetched')
      }),
    refreshInBackground,
    /** Resolves when no refresh is in progress; never rejects. */
    settled: async () => refreshing?.catch(() => {}),
    state: currentState,
    snapshot,
    close() {
      closed = true
      clock.clearTimeout(timer)
    },
  }
  return self
}
