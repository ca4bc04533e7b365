import type { Outcome } from './outcome.ts'

/**
 * What is thought of a region.
 * - `HEALTHY`: serves;
 * - `SUSPECT`: has failed lately, still served from;
 * - `DOWN`: not served from while another region is usable;
 * - `PROBING`: down, and one request is out to see whether it still is;
 * - `RECOVERING`: answers again, but has to do so for a while before traffic goes back.
 */
export type CircuitState = 'HEALTHY' | 'SUSPECT' | 'DOWN' | 'PROBING' | 'RECOVERING'

/** The outcome of an attempt or of a probe, or the time to probe. */
export type CircuitEvent = Outcome | 'probeDue'

export type Circuit = {
  readonly state: CircuitState
  /** When this state began, milliseconds since the epoch. */
  readonly since: number
  /** Failures held against the region since it last served. */
  readonly strikes: number
  /** Good answers since it began to recover. */
  readonly successes: number
  /** Probes in a row that failed; spaces them out. */
  readonly failedProbes: number
  /** The failure that made it suspect or brought it down. */
  readonly reason?: Outcome
}

export type CircuitSettings = {
  readonly strikesToDown: number
  readonly successesToRecover: number
  readonly recoveryMs: number
}

type Step = 'stay' | 'strike' | 'heal' | 'probe' | 'rise' | 'sink' | 'climb' | 'hold' | 'relapse'

/** SPEC.md, "States and events", has this table with its reasons; a test compares the two. */
// biome-ignore format: an aligned table is read column by column
export const TRANSITIONS: Record<CircuitState, Record<CircuitEvent, Step>> = {
  HEALTHY: {
    success: 'stay', businessError: 'stay', transportFailure: 'strike', timeout: 'strike', serverError: 'strike',
    throttled: 'strike', notEnabled: 'strike', abandoned: 'stay', probeDue: 'stay',
  },
  SUSPECT: {
    success: 'heal', businessError: 'heal', transportFailure: 'strike', timeout: 'strike', serverError: 'strike',
    throttled: 'strike', notEnabled: 'strike', abandoned: 'stay', probeDue: 'stay',
  },
  DOWN: {
    success: 'rise', businessError: 'rise', transportFailure: 'stay', timeout: 'stay', serverError: 'stay',
    throttled: 'stay', notEnabled: 'stay', abandoned: 'stay', probeDue: 'probe',
  },
  PROBING: {
    success: 'rise', businessError: 'rise', transportFailure: 'sink', timeout: 'sink', serverError: 'sink',
    throttled: 'sink', notEnabled: 'sink', abandoned: 'sink', probeDue: 'stay',
  },
  RECOVERING: {
    success: 'climb', businessError: 'climb', transportFailure: 'relapse', timeout: 'relapse', serverError: 'relapse',
    throttled: 'hold', notEnabled: 'relapse', abandoned: 'stay', probeDue: 'stay',
  },
}

/**
 * How much a failure weighs. A refused connection tells more than a slow answer; throttling tells that the region
 * lives, and alone never brings it down.
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

/** The circuit after an event. Pure; returns the same object if nothing changed. */
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
    case 'heal':
      return healthyCircuit(now)
    case 'probe':
      // Still down: `since` stays, so that the state shows for how long.
      return { ...circuit, state: 'PROBING' }
    case 'rise':
      return settle({ ...circuit, state: 'RECOVERING', since: now, strikes: 0, successes: 1, failedProbes: 0 })
    case 'sink':
      return down(circuit.failedProbes + 1)
    case 'climb':
      return settle({ ...circuit, successes: circuit.successes + 1 })
    case 'hold':
      return { ...circuit, since: now, successes: 0 }
    case 'relapse':
      return down(0)
  }
  function settle(recovering: Circuit): Circuit {
    const longEnough = now - recovering.since >= settings.recoveryMs
    return longEnough && recovering.successes >= settings.successesToRecover ? healthyCircuit(now) : recovering
  }
}

/** Regions that are served from, the best first. */
const RANKS: Record<CircuitState, number> = { HEALTHY: 0, SUSPECT: 0, RECOVERING: 1, DOWN: 2, PROBING: 2 }

/** Lower is better; regions of equal rank are taken in the order of preference. */
export function rankOf(circuit: Circuit): number {
  return RANKS[circuit.state]
}

export function isDown(circuit: Circuit): boolean {
  return rankOf(circuit) === RANKS.DOWN
}
