export type { CircuitState } from './circuit.ts'
export { createTwinpoolClient, type SendOptions, type TwinpoolClient } from './client.ts'
export type { Clock } from './clock.ts'
export type { SdkClient, SdkCommand } from './command.ts'
export {
  AllRegionsFailedError,
  ChallengeLostError,
  ClientClosedError,
  DeadlineError,
  OutcomeUnknownError,
  RegionUnavailableError,
  TwinpoolClientError,
  UnknownCommandError,
} from './errors.ts'
export type { EventListener, EventName, TwinpoolEvents } from './events.ts'
export {
  type Kind,
  OPERATIONS,
  type OperationName,
  type OperationRow,
  type ReplicaGate,
  type Route,
} from './operations.ts'
export type { Outcome } from './outcome.ts'
export type { Probe } from './probe.ts'
export { DEFAULTS, type TwinpoolClientOptions } from './settings.ts'
export type { RegionState, TwinpoolState } from './state.ts'
