import { AsyncLocalStorage } from 'node:async_hooks'

/** The request that the running code serves. Log lines and audit records take their ids from it. */
export interface RequestScope {
  requestId: string
  /** Address of the caller, as far as the region knows it. */
  address: string
  /** The user whom the request concerns, once known: a sub, or the sub of a decoy. */
  subject?: string
  /** The pool that the request has created. */
  pool?: string
}

/**
 * Passed implicitly: an argument would go through every function between the listener and an event. It costs 0.2 µs per request
 * (docs/decisions/observability.md).
 */
const scopes = new AsyncLocalStorage<RequestScope>()

export const inRequest = <T>(scope: RequestScope, work: () => T): T => scopes.run(scope, work)

/** Sets the user whom the request concerns, or the decoy. */
export function noteSubject(sub: string): void {
  const scope = scopes.getStore()
  if (scope) scope.subject = sub
}

/** Sets the pool that the request has created: its input does not name it. */
export function notePool(id: string): void {
  const scope = scopes.getStore()
  if (scope) scope.pool = id
}

/** Undefined outside a request: in background work. */
export const currentRequest = (): RequestScope | undefined => scopes.getStore()
