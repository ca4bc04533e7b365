import { type AttemptResult, attempt } from './attempt.ts'
import { createBudget } from './budget.ts'
import { createChallengeMemory } from './challenges.ts'
import { isDown } from './circuit.ts'
import { pause } from './clock.ts'
import { operationOf, type SdkClient, type SdkCommand } from './command.ts'
import {
  AllRegionsFailedError,
  ChallengeLostError,
  ClientClosedError,
  DeadlineError,
  OutcomeUnknownError,
  RegionUnavailableError,
} from './errors.ts'
import { createEmitter, type EventListener, type EventName } from './events.ts'
import { type Kind, type Plan, planOf } from './operations.ts'
import { classifyFailure, type Outcome } from './outcome.ts'
import { createProbeCommands } from './probe.ts'
import { createRegions, type Region } from './regions.ts'
import { settingsFrom, THROTTLE_BUDGET, type TwinpoolClientOptions } from './settings.ts'
import type { TwinpoolState } from './state.ts'

export type SendOptions = {
  /** Send to this region and no other. */
  readonly region?: string
  /** Name of the operation, for commands whose operation cannot be determined. */
  readonly operation?: string
  readonly abortSignal?: AbortSignal
  /** Overrides `totalTimeoutMs`. */
  readonly timeoutMs?: number
  /** Further options for the SDK's own `send`. */
  readonly [sdkOption: string]: unknown
}

export type TwinpoolClient = {
  /**
   * Sends a command to the region chosen by its route, and fails over to another region where that is safe (SPEC.md).
   *
   * @returns the output of the SDK's `send`
   * @throws the service's own errors, as the SDK made them; OutcomeUnknownError, RegionUnavailableError,
   *   AllRegionsFailedError, ChallengeLostError, UnknownCommandError, ClientClosedError; the signal's abort reason
   */
  send<Output extends object>(command: SdkCommand<Output>, options?: SendOptions): Promise<Output>
  /** The current state. The same object until something changes. */
  readonly state: TwinpoolState
  /** Calls `listener` at each change of the state. Returns a function that unsubscribes. */
  subscribe(listener: (state: TwinpoolState) => void): () => void
  /** Calls `listener` at each event. Returns a function that unsubscribes. */
  on<Name extends EventName>(name: Name, listener: EventListener<Name>): () => void
  off<Name extends EventName>(name: Name, listener: EventListener<Name>): void
  /**
   * Stops the probes and refuses further commands. Requests in flight continue. Does not destroy the SDK clients: they
   * are yours.
   */
  close(): void
}

type Failure = Extract<AttemptResult, { error: unknown }>

/**
 * Creates a client over one SDK client per region. SPEC.md specifies its behaviour. @throws TypeError, RangeError for
 * invalid options
 */
export function createTwinpoolClient<Client extends SdkClient>(options: TwinpoolClientOptions<Client>): TwinpoolClient {
  const settings = settingsFrom(options)
  const { clock, portable } = settings
  const events = createEmitter()
  const challenges = createChallengeMemory(clock)
  const probeCommands = createProbeCommands()
  const regions = createRegions(settings, { events, sendProbe })
  const budgets = new Map(settings.regions.map(({ name }) => [name, createBudget(THROTTLE_BUDGET, clock)]))
  const closing = new AbortController()

  async function send(command: SdkCommand, options: SendOptions = {}): Promise<object> {
    if (closing.signal.aborted) throw new ClientClosedError()
    const {
      region: pinnedTo,
      operation: named,
      abortSignal,
      timeoutMs = settings.totalTimeoutMs,
      ...sdkOptions
    } = options
    const operation = named ?? operationOf(command, (settings.regions[0] as { client: SdkClient }).client)
    const plan = planOf({ operation, input: command.input }, { portable })
    const candidates = candidatesFor(plan, pinnedTo)
    const startedAt = clock.now()
    const failures = new Map<Region, Failure>()
    let attempts = 0
    let lastRegion: Region | undefined

    const emitRequest = (result: 'served' | 'refused' | 'failed', error?: unknown) => {
      const at = clock.now()
      events.emit('request', {
        ...{ operation, kind: plan.kind, result, attempts, latencyMs: at - startedAt, at },
        ...(lastRegion && { region: lastRegion.name }),
        ...(error === undefined ? {} : { error: nameOf(error) }),
      })
    }

    const tryRegion = async (region: Region, isLastUsable: boolean): Promise<AttemptResult> => {
      let throttled = 0
      let signedAgain = false
      for (;;) {
        const limitMs = Math.max(0, startedAt + timeoutMs - clock.now())
        const deadlineMs = isLastUsable ? limitMs : Math.min(limitMs, settings.attemptTimeoutMs)
        const { name, client } = region
        attempts += 1
        const at = clock.now()
        const result = await attempt({
          ...{ region: name, client, command, clock, deadlineMs, limitMs, sdkOptions },
          signal: abortSignal,
        })
        emitAttempt(plan, { region: name, attempt: attempts, result, at, probe: false })
        const shouldRetry =
          result.outcome === 'throttled'
            ? throttled < settings.throttleRetries && (budgets.get(name)?.take() ?? false)
            : result.outcome === 'businessError' && result.signAgain && !signedAgain
        if (shouldRetry && result.outcome === 'throttled') {
          const backoffMs = settings.throttleBackoffMs * 2 ** throttled
          throttled += 1
          await pause(clock, backoffMs * (0.5 + clock.random() / 2), abortSignal)
        } else if (shouldRetry) {
          signedAgain = true
        } else {
          // A replica that refuses a write or a challenge response is still healthy.
          const isAlive = result.outcome === 'notEnabled' && plan.route !== 'any'
          regions.record(region, isAlive ? 'businessError' : result.outcome)
          return result
        }
      }
    }

    const fail = (error: unknown, result: 'refused' | 'failed' = 'failed'): never => {
      emitRequest(result, error)
      throw error
    }

    for (const [index, region] of candidates.entries()) {
      if (clock.now() - startedAt >= timeoutMs) break
      if (candidates.length === 1 && isKnownUnresponsive(region)) {
        const cause = new DeadlineError({ region: region.name, deadlineMs: settings.attemptTimeoutMs })
        return fail(unavailable(plan, region, { cause, portable: portable || pinnedTo !== undefined }))
      }
      region.trial = false
      lastRegion = region
      // Use the short deadline while another usable region remains, and the rest of the total timeout otherwise. A
      // region that is down is tried last, with the short deadline.
      const hasAlternative = candidates.slice(index + 1).some(({ circuit }) => !isDown(circuit))
      const isLastUsable = candidates.length === 1 || (!hasAlternative && !isDown(region.circuit))
      const result = await tryRegion(region, isLastUsable)
      if (result.outcome === 'success') {
        challenges.remember(result.output, region.name)
        probeCommands.learn(operation, command)
        emitRequest('served')
        return result.output
      }
      if (result.outcome === 'businessError') {
        probeCommands.learn(operation, command)
        return fail(result.error, 'refused')
      }
      if (result.outcome === 'abandoned') return fail(result.error)
      failures.set(region, result)
      if (plan.kind === 'write' && !result.unexecuted) {
        return fail(new OutcomeUnknownError({ operation, region: region.name, cause: result.error }))
      }
    }
    return fail(errorOfAllRegions(plan, { candidates, failures, portable: portable || pinnedTo !== undefined }))
  }

  function candidatesFor({ route, challenge }: Plan, pinnedTo: string | undefined): Region[] {
    if (pinnedTo !== undefined) {
      const region = regions.get(pinnedTo)
      if (!region) throw new TypeError(`${pinnedTo} is not in 'regions'`)
      return [region]
    }
    const primary = regions.get(settings.primary) as Region
    if (route === 'primary' || route === 'regional') return [primary]
    const ranked = regions.ranked()
    const issuer = route === 'asker' ? regions.get(challenges.regionOf(challenge) ?? '') : undefined
    if (issuer && !portable) return [issuer]
    // A trial request must be repeatable, so a challenge response, which can be used only once, never serves as one.
    const first = issuer && !isDown(issuer.circuit) ? issuer : ranked.find((region) => route === 'any' && region.trial)
    return first ? [first, ...ranked.filter((region) => region !== first)] : ranked
  }

  /** Another request to a region that does not respond would only cost the caller the full timeout. */
  function isKnownUnresponsive({ circuit, trial }: Region): boolean {
    return isDown(circuit) && circuit.reason === 'timeout' && !trial
  }

  function sendProbe(region: Region): Promise<Outcome> | undefined {
    const { name, client } = region
    if (settings.probe === false) return undefined
    if (settings.probe) return probeByFunction(settings.probe)
    const probeCommand = probeCommands.next()
    return probeCommand && probeByCommand(probeCommand)

    async function probeByCommand({
      operation,
      command,
    }: {
      operation: string
      command: SdkCommand
    }): Promise<Outcome> {
      const at = clock.now()
      const deadlineMs = settings.attemptTimeoutMs
      const result = await attempt({
        ...{ region: name, client, command, clock, deadlineMs },
        ...{ limitMs: settings.totalTimeoutMs, signal: closing.signal },
      })
      emitAttempt({ operation, kind: 'read' }, { region: name, attempt: 1, result, at, probe: true })
      return result.outcome
    }

    async function probeByFunction(probe: NonNullable<Exclude<typeof settings.probe, false>>): Promise<Outcome> {
      const at = clock.now()
      const ending = new AbortController()
      const end = () => ending.abort()
      closing.signal.addEventListener('abort', end, { once: true })
      const timeout = pause(clock, settings.attemptTimeoutMs, ending.signal).then((): Outcome => 'timeout')
      const probing = Promise.resolve()
        .then(() => probe(client, { region: name, signal: ending.signal }))
        .then((): Outcome => 'success')
        .catch((error): Outcome => classifyFailure(error, { onWire: true }).outcome)
      const outcome = await Promise.race([probing, timeout])
      closing.signal.removeEventListener('abort', end)
      end()
      const latencyMs = clock.now() - at
      events.emit('attempt', {
        ...{ operation: 'probe', kind: 'read', region: name, attempt: 1, outcome, latencyMs, at, probe: true },
      })
      return outcome
    }
  }

  function emitAttempt(
    { operation, kind }: { operation: string; kind: Kind },
    details: { region: string; attempt: number; result: AttemptResult; at: number; probe: boolean },
  ): void {
    const { region, attempt, result, at, probe } = details
    const { outcome, latencyMs } = result
    events.emit('attempt', {
      ...{ operation, kind, region, attempt, outcome, latencyMs, at, probe },
      ...(result.outcome === 'success' ? {} : { error: nameOf(result.error) }),
    })
  }

  return {
    send: send as TwinpoolClient['send'],
    get state() {
      return regions.state
    },
    subscribe: regions.subscribe,
    on: events.on,
    off: events.off,
    close() {
      closing.abort(new ClientClosedError())
      regions.close()
    },
  }
}

type RegionFailures = {
  readonly candidates: readonly Region[]
  readonly failures: ReadonlyMap<Region, Failure>
  readonly portable: boolean
}

/** The error of a request that no region served. If all regions returned the same refusal, returns that refusal. */
function errorOfAllRegions(plan: Plan, { candidates, failures, portable }: RegionFailures): unknown {
  const [first, ...others] = [...failures.values()]
  const isRefusal = first?.outcome === 'notEnabled' || first?.outcome === 'throttled'
  if (first && isRefusal && others.every(({ outcome }) => outcome === first.outcome)) return first.error
  const [only] = candidates
  if (candidates.length === 1 && only) return unavailable(plan, only, { cause: first?.error, portable })
  const causes = new Map([...failures].map(([{ name }, { error }]) => [name, error]))
  return new AllRegionsFailedError({ operation: plan.operation, causes })
}

function unavailable(
  { operation, route }: Plan,
  { name: region }: Region,
  { cause, portable }: { cause: unknown; portable: boolean },
): Error {
  const isLost = route === 'asker' && !portable
  return isLost
    ? new ChallengeLostError({ operation, region, cause })
    : new RegionUnavailableError({ operation, region, cause })
}

function nameOf(error: unknown): string {
  const { name } = Object(error) as { name?: unknown }
  return typeof name === 'string' ? name : 'Error'
}
