import type { Outcome } from './outcome.ts'

/**
 * The health of a region.
 * - `HEALTHY`: receives traffic;
 * - `SUSPECT`: has failed recently, but still receives traffic;
 * - `DOWN`: receives no traffic while another region is usable;
 * - `PROBING`: down, with one probe in flight;
 * - `RECOVERING`: works again, but must do so for `recoveryMs` before traffic returns.
 */
export type CircuitState = 'HEALTHY' | 'SUSPECT' | 'DOWN' | 'PROBING' | 'RECOVERING'

/** The outcome of an attempt or of a probe, or `probeDue`: it is time to probe. */
export type CircuitEvent = Outcome | 'probeDue'

export type Circuit = {
  readonly state: CircuitState
  /** When this state began, milliseconds since the epoch. */
  readonly since: number
  /** Weighted failures since the last success. */
  readonly strikes: number
  /** Successes since recovery began. */
  readonly successes: number
  /** Consecutive failed probes; each one lengthens the interval to the next. */
  readonly failedProbes: number
  /** The failure that made the region SUSPECT or DOWN. */
  readonly reason?: Outcome
}

export type CircuitSettings = {
  readonly strikesToDown: number
  readonly successesToRecover: number
  readonly recoveryMs: number
}

type Step =
  | 'stay'
  | 'strike'
  | 'reset'
  | 'probe'
  | 'beginRecovery'
  | 'probeFailed'
  | 'countSuccess'
  | 'restartRecovery'
  | 'goDown'

/** SPEC.md, "States and events", explains this table; a test compares the two. */
// biome-ignore format: an aligned table is read column by column
export const TRANSITIONS: Record<CircuitState, Record<CircuitEvent, Step>> = {
  HEALTHY: {
    success: 'stay', businessError: 'stay', transportFailure: 'strike', timeout: 'strike', serverError: 'strike',
    throttled: 'strike', notEnabled: 'strike', abandoned: 'stay', probeDue: 'stay',
  },
  SUSPECT: {
    success: 'reset', businessError: 'reset', transportFailure: 'strike', timeout: 'strike', serverError: 'strike',
    throttled: 'strike', notEnabled: 'strike', abandoned: 'stay', probeDue: 'stay',
  },
  DOWN: {
    success: 'beginRecovery', businessError: 'beginRecovery', transportFailure: 'stay', timeout: 'stay',
    serverError: 'stay', throttled: 'stay', notEnabled: 'stay', abandoned: 'stay', probeDue: 'probe',
  },
  PROBING: {
    success: 'beginRecovery', businessError: 'beginRecovery', transportFailure: 'probeFailed', timeout: 'probeFailed',
    serverError: 'probeFailed', throttled: 'probeFailed', notEnabled: 'probeFailed', abandoned: 'probeFailed', probeDue: 'stay',
  },
  RECOVERING: {
    success: 'countSuccess', businessError: 'countSuccess', transportFailure: 'goDown', timeout: 'goDown',
    serverError: 'goDown', throttled: 'restartRecovery', notEnabled: 'goDown', abandoned: 'stay', probeDue: 'stay',
  },
}

/**
 * Weight of each failure. A refused connection is stronger evidence than a slow response. Throttling proves that the
 * region is alive, so throttling alone never brings it down.
 */
const STRIKES: Partial<Record<CircuitEvent, number>> = {
  transportFailure: 2,
  timeout: 1,
  serverError: 1,
  notEnabled: 2,
  throttled: 0,
}

export function healthyCircuit(now: number): Circuit {
  return { state: 'HEALTHY', since: now, strikes: 0, successes: 0, failedProbes: 0 }
}

/** Returns the circuit after an event. A pure function; returns the same object if nothing changed. */
export function advance(
  circuit: Circuit,
  event: CircuitEvent,
  { now, settings }: { now: number; settings: CircuitSettings },
): Circuit {
  const down = (failedProbes: number): Circuit => ({
    ...circuit,
    state: 'DOWN',
    since: circuit.state === 'PROBING' ? circuit.since : now,
    strikes: settings.strikesToDown,
    successes: 0,
    failedProbes,
    reason: event === 'abandoned' ? circuit.reason : (event as Outcome),
  })
  switch (TRANSITIONS[circuit.state][event]) {
    case 'stay':
      return circuit
    case 'strike': {
      const strikes = circuit.strikes + (STRIKES[event] ?? 0)
      if (strikes >= settings.strikesToDown) return down(0)
      const since = circuit.state === 'SUSPECT' ? circuit.since : now
      return { ...circuit, state: 'SUSPECT', since, strikes, reason: event as Outcome }
    }
    case 'reset':
      return healthyCircuit(now)
    case 'probe':
      // Keep `since`: it shows how long the region has been down.
      return { ...circuit, state: 'PROBING' }
    case 'beginRecovery':
      return healthyIfRecovered({
        ...circuit,
        state: 'RECOVERING',
        since: now,
        strikes: 0,
        successes: 1,
        failedProbes: 0,
      })
    case 'probeFailed':
      return down(circuit.failedProbes + 1)
    case 'countSuccess':
      return healthyIfRecovered({ ...circuit, successes: circuit.successes + 1 })
    case 'restartRecovery':
      return { ...circuit, since: now, successes: 0 }
    case 'goDown':
      return down(0)
  }
  function healthyIfRecovered(recovering: Circuit): Circuit {
    const longEnough = now - recovering.since >= settings.recoveryMs
    return longEnough && recovering.successes >= settings.successesToRecover ? healthyCircuit(now) : recovering
  }
}

/** Preference of each state; lower is better. */
const RANKS: Record<CircuitState, number> = { HEALTHY: 0, SUSPECT: 0, RECOVERING: 1, DOWN: 2, PROBING: 2 }

/** Rank of a region, lower is better. Regions of equal rank keep their order of preference. */
export function rankOf(circuit: Circuit): number {
  return RANKS[circuit.state]
}

export function isDown(circuit: Circuit): boolean {
  return rankOf(circuit) === RANKS.DOWN
}
