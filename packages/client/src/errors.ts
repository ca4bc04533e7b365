/** Base class of this package's errors. Errors of the service are passed on exactly as the SDK made them. */
export class TwinpoolClientError extends Error {
  override readonly name: string = 'TwinpoolClientError'
}

/** `send` was called after `close`. */
export class ClientClosedError extends TwinpoolClientError {
  override readonly name = 'ClientClosedError'
  constructor() {
    super('The client is closed')
  }
}

/** The operation of a command could not be determined. Name it: `send(command, { operation: 'GetUser' })`. */
export class UnknownCommandError extends TwinpoolClientError {
  override readonly name = 'UnknownCommandError'
  constructor() {
    super("Cannot determine the operation of this command; name it with the option 'operation'")
  }
}

/**
 * No response before the deadline. Usually the `cause` of another error; thrown directly only if the time ran out before
 * the request was sent (credentials took too long).
 */
export class DeadlineError extends TwinpoolClientError {
  override readonly name = 'DeadlineError'
  readonly region: string
  readonly deadlineMs: number
  constructor({ region, deadlineMs }: { region: string; deadlineMs: number }) {
    super(`No response from ${region} within ${Math.round(deadlineMs)} ms`)
    this.region = region
    this.deadlineMs = deadlineMs
  }
}

type SingleRegionFailure = { operation: string; region: string; cause: unknown }

/**
 * A write was sent, but no response arrived, or the response was a server error: the write may or may not have been
 * executed. The client does not send it again. Read the current state before you repeat the write.
 */
export class OutcomeUnknownError extends TwinpoolClientError {
  override readonly name = 'OutcomeUnknownError'
  readonly operation: string
  readonly region: string
  constructor({ operation, region, cause }: SingleRegionFailure) {
    super(`${operation} was sent to ${region}, but its outcome is unknown`, { cause })
    this.operation = operation
    this.region = region
  }
}

/**
 * The only region that may serve the operation was unavailable. If the operation is a write, it was certainly not
 * executed and may be repeated later.
 */
export class RegionUnavailableError extends TwinpoolClientError {
  override readonly name = 'RegionUnavailableError'
  readonly operation: string
  readonly region: string
  constructor({ operation, region, cause }: SingleRegionFailure) {
    super(`${operation} can only be served by ${region}, which is unavailable`, { cause })
    this.operation = operation
    this.region = region
  }
}

/**
 * The region that issued the challenge is unavailable, and challenges are `pinned` to it: start the sign-in again.
 */
export class ChallengeLostError extends TwinpoolClientError {
  override readonly name = 'ChallengeLostError'
  readonly operation: string
  readonly region: string
  constructor({ operation, region, cause }: SingleRegionFailure) {
    super(`${region}, which issued this challenge, is unavailable; start the sign-in again`, { cause })
    this.operation = operation
    this.region = region
  }
}

/** Every region was tried and failed. `causes` has the last error of each region, by region name. */
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
