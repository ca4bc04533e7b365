import type { CircuitState } from './circuit.ts'
import type { Outcome } from './outcome.ts'

/** State for a user interface. An immutable snapshot: each change creates a new object. */
export type TwinpoolState = {
  /** The region that sign-in, refresh and reads go to now. */
  readonly region: string
  /** When `region` last changed, milliseconds since the epoch. */
  readonly since: number
  /**
   * Whether the primary was reachable at the last attempt or probe. While it is false, expect sign-up, password reset
   * and profile changes to fail. Not a guarantee for the next request.
   */
  readonly canWrite: boolean
  /** A region is out of use: users are still served, with reduced redundancy. */
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
