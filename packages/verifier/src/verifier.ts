import { audienceRule, type ClaimsOf, type Demands, type Rule, runCheck, type TokenUse, timeRule } from './claims.ts'
import { KeysUnavailableError, refusal, VerifierOptionsError } from './errors.ts'
import { type Jws, readJws, type TokenHeader } from './jws.ts'
import { createPoolKeys, type Key, type KeyState, type PoolKeys, type SeedSnapshot } from './keys.ts'
import { furtherRulesFrom, type PoolSettings, settingsFrom, type VerifierOptions } from './settings.ts'

export type Verifier<Use extends TokenUse = TokenUse> = {
  /**
   * The claims of a token that passes every check. `further` asks for more than the pool does, never for less.
   *
   * @throws TokenRefusedError (its `check` says which), or KeysUnavailableError when it cannot be told
   */
  verify(token: string, further?: Demands<Use>): Promise<ClaimsOf<Use>>
  /**
   * The same at once, with keys that are at hand: `await ready()` first. A key id that is not at hand is looked up in the
   * background, so that a rotated key is good a moment later. Only with signatures that are checked at once (Node).
   *
   * @throws as `verify`; VerifierOptionsError without such signatures, or when `check` returns a promise
   */
  verifySync(token: string, further?: Demands<Use>): ClaimsOf<Use>
  /** Resolves once every pool has keys, from its seed or an address. @throws KeysUnavailableError */
  ready(): Promise<void>
  /** Fetches the keys of every pool now. @throws KeysUnavailableError */
  refresh(): Promise<void>
  /** Resolves when no refresh is under way; never rejects. For runtimes that stop between requests. */
  settled(): Promise<void>
  /** Of each pool, in the order given. */
  readonly state: readonly KeyState[]
  /** The keys of the pool of this issuer with the time of their publication, to be saved as the seed of another start. */
  snapshot(issuer: string): SeedSnapshot | undefined
  /** Stops the timers. Tokens can still be verified. */
  close(): void
}

type Pool = { readonly keys: PoolKeys; readonly rules: readonly Rule[]; readonly check: Demands['check'] }

const MOST_KNOWN_HEADERS = 64

/**
 * A verifier of the tokens of one pool or several. Makes no request until a token comes, or `ready` is called.
 *
 * @throws VerifierOptionsError
 */
export function createVerifier<Use extends TokenUse>(options: VerifierOptions<Use>): Verifier<Use> {
  const settings = settingsFrom(options as unknown as VerifierOptions)
  const { clock, signatures, maxTokenLength: maxLength } = settings
  const inTime = timeRule(settings)
  const poolOf = new Map<unknown, Pool>()
  const pools = settings.pools.map((pool) => createPool(pool))

  function createPool(pool: PoolSettings): Pool {
    const { issuers, jwksUris: urls, seed, check } = pool
    const keys = createPoolKeys({ pool: issuers[0] as string, urls, seed }, settings)
    const made = { keys, check, rules: [audienceRule(pool), ...pool.rules] }
    for (const issuer of issuers) poolOf.set(issuer, made)
    return made
  }

  // Parsing a header costs more than finding it. Only those of verified tokens are kept, so that nobody can fill it.
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

  function begin(token: string): { jws: Jws; pool: Pool } {
    const jws = readJws(token, limits)
    const pool = poolOf.get(jws.payload.iss)
    if (pool === undefined) throw refusal('iss')
    return { jws, pool }
  }

  function checkClaims({ payload }: Jws, pool: Pool, further: Demands | undefined): void {
    const now = clock.now() / 1000
    inTime(payload, now)
    for (const rule of pool.rules) rule(payload, now)
    if (further !== undefined) for (const rule of rulesOf(further)) rule(payload, now)
  }

  function accept({ header, headerText }: Jws): void {
    if (knownHeaders.has(headerText)) return
    if (knownHeaders.size >= MOST_KNOWN_HEADERS) knownHeaders.clear()
    knownHeaders.set(headerText, Object.freeze(header))
  }

  const checkSignature = ({ input, signature }: Jws, { handle }: Key) => signatures.check(handle, input, signature)

  async function verify(token: string, further?: Demands): Promise<unknown> {
    const { jws, pool } = begin(token)
    const { kid } = jws.header
    const key = pool.keys.find(kid) ?? (await pool.keys.get(kid, () => checkClaims(jws, pool, further)))
    const verdict = checkSignature(jws, key)
    if ((typeof verdict === 'boolean' ? verdict : await verdict) !== true) throw refusal('signature')
    checkClaims(jws, pool, further)
    for (const check of [pool.check, further?.check]) {
      const pending = check && runCheck(check, jws.payload, jws.header)
      if (pending !== undefined) await pending
    }
    accept(jws)
    return jws.payload
  }

  function verifySync(token: string, further?: Demands): unknown {
    const { jws, pool } = begin(token)
    const { kid } = jws.header
    const key = pool.keys.find(kid)
    if (key === undefined) throw notAtHand(jws, pool, further)
    const verdict = checkSignature(jws, key)
    if (typeof verdict !== 'boolean') {
      throw new VerifierOptionsError("This runtime checks signatures in the background: use 'verify'")
    }
    if (!verdict) throw refusal('signature')
    checkClaims(jws, pool, further)
    for (const check of [pool.check, further?.check]) {
      const pending = check && runCheck(check, jws.payload, jws.header)
      if (pending === undefined) continue
      pending.catch(() => {})
      throw new VerifierOptionsError("'check' returns a promise: use 'verify'")
    }
    accept(jws)
    return jws.payload
  }

  function notAtHand(jws: Jws, pool: Pool, further: Demands | undefined): Error {
    const { state } = pool.keys.state()
    pool.keys.get(jws.header.kid, () => checkClaims(jws, pool, further)).catch(() => {})
    if (state === 'fresh' || state === 'stale') return refusal('kid')
    return new KeysUnavailableError("No keys are at hand yet: await 'ready' first")
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
