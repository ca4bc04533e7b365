/** Base of the errors of this package. Errors of the service itself are passed on as the SDK made them. */
export class TwinpoolClientError extends Error {
  override readonly name: string = 'TwinpoolClientError'
}

/** The client was closed. */
export class ClientClosedError extends TwinpoolClientError {
  override readonly name = 'ClientClosedError'
  constructor() {
    super('The client is closed')
  }
}

/** The operation of a command could not be told. Name it: `send(command, { operation: 'GetUser' })`. */
export class UnknownCommandError extends TwinpoolClientError {
  override readonly name = 'UnknownCommandError'
  constructor() {
    super("Cannot tell which operation this command is; name it with the option 'operation'")
  }
}

/**
 * No answer within the deadline. Seen as a cause; thrown as such only if the time ran out before anything was sent
 * (credentials were not found).
 */
export class DeadlineError extends TwinpoolClientError {
  override readonly name = 'DeadlineError'
  readonly region: string
  readonly deadlineMs: number
  constructor({ region, deadlineMs }: { region: string; deadlineMs: number }) {
    super(`No answer from ${region} within ${Math.round(deadlineMs)} ms`)
    this.region = region
    this.deadlineMs = deadlineMs
  }
}

type SingleRegionFailure = { operation: string; region: string; cause: unknown }

/**
 * A write was sent, and whether it was carried out is not known: the answer never came, or was a server
 * error. The client does not send it again. Read the state before repeating it.
 */
export class OutcomeUnknownError extends TwinpoolClientError {
  override readonly name = 'OutcomeUnknownError'
  readonly operation: string
  readonly region: string
  constructor({ operation, region, cause }: SingleRegionFailure) {
    super(`${operation} was sent to ${region}, and its outcome is not known`, { cause })
    this.operation = operation
    this.region = region
  }
}

/**
 * The only region that may serve the operation could not. A write that ends so was certainly not carried out and
 * may be repeated later.
 */
export class RegionUnavailableError extends TwinpoolClientError {
  override readonly name = 'RegionUnavailableError'
  readonly operation: string
  readonly region: string
  constructor({ operation, region, cause }: SingleRegionFailure) {
    super(`${operation} can only be served by ${region}, which is not available`, { cause })
    this.operation = operation
    this.region = region
  }
}

/**
 * The region that asked a challenge is gone, and challenges are `pinned` to it: the sign-in has to begin again.
 */
export class ChallengeLostError extends TwinpoolClientError {
  override readonly name = 'ChallengeLostError'
  readonly operation: string
  readonly region: string
  constructor({ operation, region, cause }: SingleRegionFailure) {
    super(`${region}, which asked this challenge, is not available; begin the sign-in again`, { cause })
    this.operation = operation
    this.region = region
  }
}

/** Every region was asked, and none served the operation. `causes` has the last error of each, by region. */
export class AllRegionsFailedError extends AggregateError {
  override readonly name = 'AllRegionsFailedError'
  readonly operation: string
  readonly causes: Readonly<Record<string, unknown>>
  constructor({ operation, causes }: { operation: string; causes: ReadonlyMap<string, unknown> }) {
    super([...causes.values()], `${operation} failed in every region: ${[...causes.keys()].join(', ')}`)
    this.operation = operation
    this.causes = Object.fromEntries(causes)
  }
}
