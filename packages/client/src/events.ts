import type { CircuitState } from './circuit.ts'
import type { Kind } from './operations.ts'
import type { Outcome } from './outcome.ts'

/** Times are milliseconds since the epoch, latencies milliseconds. No event carries an input, a token or a Session. */
export type TwinpoolEvents = {
  /** One try in one region. A request that is served at once has one. */
  attempt: {
    readonly operation: string
    readonly kind: Kind
    readonly region: string
    /** 1 for the first try of a request. */
    readonly attempt: number
    readonly outcome: Outcome
    readonly latencyMs: number
    readonly at: number
    /** True for the client's own question to a region that is not healthy; belongs to no request. */
    readonly probe: boolean
    /** Name of the error, such as `NotAuthorizedException`. */
    readonly error?: string
  }
  /** A `send` has ended. It was retried if `attempts` is above 1. */
  request: {
    readonly operation: string
    readonly kind: Kind
    /** `served`; `refused` for a business error of the service; `failed` for what the client could not get done. */
    readonly result: 'served' | 'refused' | 'failed'
    readonly attempts: number
    /** The region asked last; undefined if none was. */
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
  /** They go to a more preferred region again. */
  failback: { readonly from: string; readonly to: string; readonly at: number }
  /** A region is out of use: one more failure would be felt. */
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

/** A listener that throws fails where such errors belong, as an uncaught error, and not the request that told it. */
export function call(listener: () => void): void {
  try {
    listener()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
