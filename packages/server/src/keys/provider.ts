/**
 * The key management service that pools use. The local key ring and AWS KMS both implement it.
 *
 * `context` is the encryption context (additional authenticated data): a data key that was wrapped with one context unwraps only with the same.
 * https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
 */
export interface KeyProvider {
  /** The region in the ARNs of its keys. */
  readonly region: string
  /** Looks up a key by its full ARN. Undefined when this region has no such key. */
  find(arn: string): Promise<KeyDescription | undefined>
  /** Creates a 256-bit data key and returns it in the clear and wrapped under the key. Throws KeyUnavailableError. */
  generateDataKey(arn: string, context: Record<string, string>): Promise<{ plain: Buffer; wrapped: Buffer }>
  wrap(arn: string, plain: Buffer, context: Record<string, string>): Promise<Buffer>
  /** Unwraps a data key. Throws KeyUnavailableError when the key is disabled, pending deletion or deleted. */
  unwrap(arn: string, wrapped: Buffer, context: Record<string, string>): Promise<Buffer>
  /** Calls the listener with the ARN when a key of this region was enabled, disabled or deleted. */
  onChange(listener: (arn: string) => void): void
  /** The present outage of the key service, if any. A provider within this process has none. */
  outage?(): KeyOutage | undefined
}

/** The key service does not respond: data keys in memory stay usable for a bounded time. */
export interface KeyOutage {
  /** A short code for the operator, never the text of a foreign message. */
  cause: string
  seconds: number
  /** How long the data keys in memory stay usable; 0 when there are none, or no longer. */
  secondsLeft: number
}

export interface KeyDescription {
  arn: string
  enabled: boolean
  multiRegion: boolean
  /** Regions that hold the key's material, including this one. */
  regions: string[]
}

/** The key cannot be used now, so nothing that is sealed under it can be opened. */
export class KeyUnavailableError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'KeyUnavailableError'
  }
}
