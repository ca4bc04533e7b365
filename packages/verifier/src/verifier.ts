import { audienceRule, type ClaimsOf, type Demands, type Rule, runCheck, type TokenUse, timeRule } from './claims.ts'
import { KeysUnavailableError, refusal, VerifierOptionsError } from './errors.ts'
import { type Jws, readJws, type TokenHeader } from './jws.ts'
import { createPoolKeys, type Key, type KeyState, type PoolKeys, type SeedSnapshot } from './keys.ts'
import { furtherRulesFrom, type PoolSettings, settingsFrom, type VerifierOptions } from './settings.ts'

export type Verifier<Use extends TokenUse = TokenUse> = {
  /**
   * Verifies a token and returns its claims. `further` adds requirements to the pool's and never relaxes them.
   *
   * @throws TokenRefusedError (`check` names the failed check), or KeysUnavailableError if the token could not be verified
   */
  verify(token: string, further?: Demands<Use>): Promise<ClaimsOf<Use>>
  /**
   * Like `verify`, but synchronous and with cached keys only: `await ready()` first. An unknown key id is looked up in the
   * background, so that a rotated key is accepted a moment later. Needs synchronous signature checks (Node).
   *
   * @throws as `verify`; VerifierOptionsError without synchronous signature checks, or if `check` returns a promise
   */
  verifySync(token: string, further?: Demands<Use>): ClaimsOf<Use>
  /** Resolves once the keys of every pool are loaded, from its seed or an address. @throws KeysUnavailableError */
  ready(): Promise<void>
  /** Fetches the keys of every pool now. @throws KeysUnavailableError */
  refresh(): Promise<void>
  /** Resolves when no refresh is in progress; never rejects. For runtimes that are frozen between requests. */
  settled(): Promise<void>
  /** State of each pool, in the order of `pools`. */
  readonly state: readonly KeyState[]
  /** The keys of the issuer's pool with the time they were fetched, to save as the seed of the next start. */
  snapshot(issuer: string): SeedSnapshot | undefined
  /** Stops the timers. Tokens can still be verified. */
  close(): void
}

type Pool = { readonly keys: PoolKeys; readonly rules: readonly Rule[]; readonly check: Demands['check'] }

const MAX_KNOWN_HEADERS = 64

/**
 * Creates a verifier for tokens of one or several pools. It sends no request before the first token, or `ready`.
 *
 * @throws VerifierOptionsError
 */
export function createVerifier<Use extends TokenUse>(options: VerifierOptions<Use>): Verifier<Use> {
  const settings = settingsFrom(options as unknown as VerifierOptions)
  const { clock, signatures, maxTokenLength: maxLength } = settings
  const checkTimes = timeRule(settings)
  const poolOf = new Map<unknown, Pool>()
  const pools = settings.pools.map((pool) => createPool(pool))

  function createPool(pool: PoolSettings): Pool {
    const { issuers, jwksUris: urls, seed, check } = pool
    const keys = createPoolKeys({ pool: issuers[0] as string, urls, seed }, settings)
    const created = { keys, check, rules: [audienceRule(pool), ...pool.rules] }
    for (const issuer of issuers) poolOf.set(issuer, created)
    return created
  }

  // Parsing a header costs more than a lookup. Only headers of verified tokens are cached, so that forged tokens cannot
  // fill it.
  const knownHeaders = new Map<string, TokenHeader>()
  const limits = { maxLength, knownHeader: (text: string) => knownHeaders.get(text) }
  const furtherRules = new WeakMap<Demands, readonly Rule[]>()

  function rulesOf(further: Demands): readonly Rule[] {
    const known = furtherRules.get(further)
    if (known !== undefined) return known
    const rules = furtherRulesFrom(further)
    furtherRules.set(further, rules)
    return rules
  }

  function parse(token: string): { jws: Jws; pool: Pool } {
    const jws = readJws(token, limits)
    const pool = poolOf.get(jws.payload.iss)
    if (pool === undefined) throw refusal('iss')
    return { jws, pool }
  }

  function checkClaims({ payload }: Jws, pool: Pool, further: Demands | undefined): void {
    const now = clock.now() / 1000
    checkTimes(payload, now)
    for (const rule of pool.rules) rule(payload, now)
    if (further !== undefined) for (const rule of rulesOf(further)) rule(payload, now)
  }

  function rememberHeader({ header, headerText }: Jws): void {
    if (knownHeaders.has(headerText)) return
    if (knownHeaders.size >= MAX_KNOWN_HEADERS) knownHeaders.clear()
    knownHeaders.set(headerText, Object.freeze(header))
  }

  const checkSignature = ({ input, signature }: Jws, { handle }: Key) => signatures.check(handle, input, signature)

  async function verify(token: string, further?: Demands): Promise<unknown> {
    const { jws, pool } = parse(token)
    const { kid } = jws.header
    const key = pool.keys.find(kid) ?? (await pool.keys.get(kid, () => checkClaims(jws, pool, further)))
    const isValid = checkSignature(jws, key)
    if ((typeof isValid === 'boolean' ? isValid : await isValid) !== true) throw refusal('signature')
    checkClaims(jws, pool, further)
    for (const check of [pool.check, further?.check]) {
      const pending = check && runCheck(check, jws.payload, jws.header)
      if (pending !== undefined) await pending
    }
    rememberHeader(jws)
    return jws.payload
  }

  function verifySync(token: string, further?: Demands): unknown {
    const { jws, pool } = parse(token)
    const { kid } = jws.header
    const key = pool.keys.find(kid)
    if (key === undefined) throw unknownKey(jws, pool, further)
    const isValid = checkSignature(jws, key)
    if (typeof isValid !== 'boolean') {
      throw new VerifierOptionsError("This runtime checks signatures asynchronously: use 'verify'")
    }
    if (!isValid) throw refusal('signature')
    checkClaims(jws, pool, further)
    for (const check of [pool.check, further?.check]) {
      const pending = check && runCheck(check, jws.payload, jws.header)
      if (pending === undefined) continue
      pending.catch(() => {})
      throw new VerifierOptionsError("'check' returns a promise: use 'verify'")
    }
    rememberHeader(jws)
    return jws.payload
  }

  /** Looks the key up in the background; returns the error for this call. */
  function unknownKey(jws: Jws, pool: Pool, further: Demands | undefined): Error {
    const { state } = pool.keys.state()
    pool.keys.get(jws.header.kid, () => checkClaims(jws, pool, further)).catch(() => {})
    if (state === 'fresh' || state === 'stale') return refusal('kid')
    return new KeysUnavailableError("No keys are loaded yet: await 'ready' first")
  }

  return {
    verify: verify as Verifier<Use>['verify'],
    verifySync: verifySync as Verifier<Use>['verifySync'],
    ready: async () => void (await Promise.all(pools.map(({ keys }) => keys.warmUp()))),
    refresh: async () => void (await Promise.all(pools.map(({ keys }) => keys.refresh()))),
    settled: async () => void (await Promise.all(pools.map(({ keys }) => keys.settled()))),
    get state() {
      return pools.map(({ keys }) => keys.state())
    },
    snapshot: (issuer) => poolOf.get(issuer)?.keys.snapshot(),
    close: () => {
      for (const { keys } of pools) keys.close()
    },
  }
}
