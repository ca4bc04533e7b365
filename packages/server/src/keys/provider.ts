/**
 * A key management service, as a pool needs it. The local key ring and AWS KMS both have this form.
 *
 * `context` is the encryption context (additional authenticated data): what was wrapped with one opens only with the same.
 * https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
 */
export interface KeyProvider {
  /** The region in the ARNs of its keys. */
  readonly region: string
  /** Looks up a key by its full ARN. Undefined when this region has no such key. */
  find(arn: string): Promise<KeyDescription | undefined>
  /** Makes a 256-bit data key, in the clear and wrapped under the key. Throws KeyUnavailableError. */
  generateDataKey(arn: string, context: Record<string, string>): Promise<{ plain: Buffer; wrapped: Buffer }>
  wrap(arn: string, plain: Buffer, context: Record<string, string>): Promise<Buffer>
  /** Opens a wrapped data key. Throws KeyUnavailableError when the key is disabled, pending deletion or gone. */
  unwrap(arn: string, wrapped: Buffer, context: Record<string, string>): Promise<Buffer>
  /** Calls back when a key of this region was enabled, disabled or deleted. */
  onChange(heard: (arn: string) => void): void
  /** What is wrong while the service cannot be asked about some key; a provider that is always there has none. */
  outage?(): KeyOutage | undefined
}

/** The key service does not answer: what is open stays open, for a while. */
export interface KeyOutage {
  /** A short word for the operator, never a message of somebody else's. */
  cause: string
  seconds: number
  /** How long what is open stays so; 0 when that time is over, or when nothing was open. */
  secondsLeft: number
}

export interface KeyDescription {
  arn: string
  enabled: boolean
  multiRegion: boolean
  /** Regions that hold the key's material, this one included. */
  regions: string[]
}

/** The key cannot be used now: what is sealed under it stays sealed. */
export class KeyUnavailableError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'KeyUnavailableError'
  }
}
