import type { CircuitState } from './circuit.ts'
import type { Kind } from './operations.ts'
import type { Outcome } from './outcome.ts'

/**
 * Times are milliseconds since the epoch; latencies are milliseconds. No event carries an input, a token or a Session.
 */
export type TwinpoolEvents = {
  /** One attempt in one region. A request without retries has one. */
  attempt: {
    readonly operation: string
    readonly kind: Kind
    readonly region: string
    /** 1 for the first attempt of a request. */
    readonly attempt: number
    readonly outcome: Outcome
    readonly latencyMs: number
    readonly at: number
    /** True for a probe of an unhealthy region; it belongs to no request. */
    readonly probe: boolean
    /** Name of the error, such as `NotAuthorizedException`. */
    readonly error?: string
  }
  /** A call of `send` has ended. It was retried if `attempts` is above 1. */
  request: {
    readonly operation: string
    readonly kind: Kind
    /** `served`: success; `refused`: a business error of the service; `failed`: any other error. */
    readonly result: 'served' | 'refused' | 'failed'
    readonly attempts: number
    /** The region of the last attempt; undefined without an attempt. */
    readonly region?: string
    readonly latencyMs: number
    readonly at: number
    readonly error?: string
  }
  /** A region's circuit changed state. */
  circuit: {
    readonly region: string
    readonly from: CircuitState
    readonly to: CircuitState
    readonly reason?: Outcome
    readonly at: number
  }
  /** Sign-ins, refreshes and reads now go to a less preferred region. */
  failover: { readonly from: string; readonly to: string; readonly at: number }
  /** Sign-ins, refreshes and reads return to a more preferred region. */
  failback: { readonly from: string; readonly to: string; readonly at: number }
  /** A region is out of use, so redundancy is reduced. */
  degraded: { readonly at: number }
  /** Every region is in use again. */
  recovered: { readonly at: number }
}

export type EventName = keyof TwinpoolEvents
export type EventListener<Name extends EventName> = (event: TwinpoolEvents[Name]) => void

export type Emitter = {
  on<Name extends EventName>(name: Name, listener: EventListener<Name>): () => void
  off<Name extends EventName>(name: Name, listener: EventListener<Name>): void
  emit<Name extends EventName>(name: Name, event: TwinpoolEvents[Name]): void
}

export function createEmitter(): Emitter {
  const listeners = new Map<EventName, Set<(event: never) => void>>()
  const off: Emitter['off'] = (name, listener) => {
    listeners.get(name)?.delete(listener)
  }
  return {
    on(name, listener) {
      const known = listeners.get(name) ?? new Set()
      listeners.set(name, known.add(listener))
      return () => off(name, listener)
    },
    off,
    emit(name, event) {
      for (const listener of listeners.get(name) ?? []) call(() => listener(event as never))
    },
  }
}

/** Calls a listener. If the listener throws, the error surfaces as an uncaught error and does not fail the request. */
export function call(listener: () => void): void {
  try {
    listener()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
