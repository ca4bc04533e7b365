import type { CircuitState } from './circuit.ts'
import type { Outcome } from './outcome.ts'

/** What an interface may show. A snapshot: never changes; a new object takes its place when something does. */
export type TwinpoolState = {
  /** Where sign-in, refresh and reads go now. */
  readonly region: string
  /** Since when, milliseconds since the epoch. */
  readonly since: number
  /**
   * Whether the primary can be reached, as far as the last answers and probes tell: false means that sign-up, password reset and
   * changes of a profile will fail. It is not a promise: the next request finds out.
   */
  readonly canWrite: boolean
  /** A region is out of use: what the user does still works, but on what is left. */
  readonly degraded: boolean
  readonly regions: Readonly<Record<string, RegionState>>
}

export type RegionState = {
  readonly state: CircuitState
  readonly since: number
  readonly role: 'primary' | 'secondary'
  readonly preferred: boolean
  /** The failure behind a state other than HEALTHY. */
  readonly reason?: Outcome
}
