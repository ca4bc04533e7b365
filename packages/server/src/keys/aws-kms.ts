import type { KeyMetadata, KMS } from '@aws-sdk/client-kms'
import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import { type KeyDescription, type KeyOutage, type KeyProvider, KeyUnavailableError } from './provider.ts'

/**
 * Keys held by AWS KMS. Data keys that KMS has unwrapped stay in memory, so that requests do not wait for KMS. Each minute, KMS
 * must unwrap one data key of every key in use again. A refusal takes effect at once. While KMS does not respond, the
 * data keys in memory stay usable for a bounded time.
 */
export interface AwsKms extends KeyProvider {
  /** Checks every key in use, and drops the data keys that KMS refuses or has not confirmed for too long. Never throws. */
  recheck(): Promise<void>
  /** Rechecks now, and each minute from now on. */
  start(): void
  /** Ends the rechecks and closes the client's connections. */
  stop(): Promise<void>
}

export interface AwsKmsConfig {
  client: Pick<KMS, 'decrypt' | 'describeKey' | 'destroy' | 'encrypt' | 'generateDataKey'>
  clock: Pick<Clock, 'monotonic' | 'wait'>
  events: Pick<Events, 'keyRefused' | 'keyServiceBack' | 'keyServiceLost' | 'keyServiceOutage' | 'noted'>
  /** The region whose KMS the client calls. */
  region: string
  /** Always checked, so that an outage is noticed before any pool is used. */
  serviceKeyArn: string
  /** How long data keys stay usable while KMS does not respond. */
  unwrappedForMinutes: number
}

type Context = Record<string, string>

/** The state of one key in this process. Times are readings of the monotonic clock. */
interface Holding {
  /** Unwrapped data keys, by the name of their wrapped form (`nameOf`). */
  opened: Map<string, Buffer>
  /** The wrapped data key that a recheck asks KMS to unwrap. */
  probe?: { wrapped: Buffer; context: Context }
  /** When KMS was called for the last successful use of the key. */
  usedAt: number
  failing?: { since: number; cause: string }
  /** After a failure, requests fail without another call until this time. */
  rest?: Rest
}

interface Rest {
  until: number
  message: string
}

const RECHECK_MILLISECONDS = 60_000
const REST_MILLISECONDS = 5_000
const RECHECKS_AT_ONCE = 8
const OPENED_PER_KEY = 10_000
const DESCRIBED_MILLISECONDS = 10_000

/** From the call to the end of its last retry. */
const DEADLINE_MILLISECONDS = 5_000
/** The same for the description of a known key: shorter than the timeout of a health check. */
const LOOK_MILLISECONDS = 1_000
const CONNECTION_MILLISECONDS = 1_000
const REQUEST_MILLISECONDS = 2_000
const ATTEMPTS = 3

/**
 * KMS has responded, and does not allow the use of the key. Any other failure (no connection, throttling, 5xx, missing
 * credentials) says nothing about the key, and is an outage.
 * https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html#API_Decrypt_Errors
 */
const REFUSALS = new Set([
  'AccessDeniedException',
  'DisabledException',
  'InvalidArnException',
  'InvalidKeyUsageException',
  'KMSInvalidStateException',
  'NotFoundException',
  'UnsupportedOperationException',
  'ValidationException',
])
/** The key works; the ciphertext is invalid. */
const CIPHERTEXT_ERRORS = new Set(['IncorrectKeyException', 'InvalidCiphertextException'])
/** An outage of one key (of its key store, for instance) that need not concern other keys. */
const SINGLE_KEY_OUTAGES = new Set(['KeyUnavailableException'])

/** A key that is being updated can be used. https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html */
const USABLE_STATES = new Set(['Enabled', 'Updating'])

export function createAwsKms(config: AwsKmsConfig): AwsKms {
  const { client, clock, events, region, serviceKeyArn } = config
  const boundMilliseconds = config.unwrappedForMinutes * 60_000
  const holdings = new Map<string, Holding>()
  const described = new Map<string, { at: number; key: KeyDescription | undefined }>()
  const listeners: ((arn: string) => void)[] = []
  const stopped = new AbortController()
  /** Set while KMS does not respond for any key. */
  let rest: Rest | undefined
  let lostSince: number | undefined
  let watching: Promise<void> | undefined

  const hold = (arn: string): Holding => {
    const holding = holdings.get(arn) ?? { opened: new Map(), usedAt: Number.NEGATIVE_INFINITY }
    holdings.set(arn, holding)
    return holding
  }
  hold(serviceKeyArn)

  const isWithinBound = (at: number): boolean => clock.monotonic() - at <= boundMilliseconds
  const isNow = (one: Rest | undefined): one is Rest => one !== undefined && clock.monotonic() < one.until
  const notify = (arn: string): void => {
    for (const listener of listeners) listener(arn)
  }

  const outage = (): KeyOutage | undefined => {
    const failing = [...holdings.values()].filter((holding) => holding.failing !== undefined)
    if (failing.length === 0) return undefined
    const now = clock.monotonic()
    const first = failing.map((holding) => holding.failing as NonNullable<Holding['failing']>).reduce(earlier)
    const ends = failing.filter(({ opened }) => opened.size > 0).map(({ usedAt }) => usedAt + boundMilliseconds)
    return {
      cause: first.cause,
      seconds: Math.round((now - first.since) / 1000),
      secondsLeft: ends.length === 0 ? 0 : Math.max(0, Math.round((Math.min(...ends) - now) / 1000)),
    }
  }

  const report = (arn: string): void => {
    const current = outage()
    if (current && lostSince === undefined) {
      lostSince = clock.monotonic()
      events.keyServiceLost({ arn, cause: current.cause, secondsLeft: current.secondsLeft })
    }
    if (!current && lostSince !== undefined) {
      events.keyServiceBack({ seconds: Math.round((clock.monotonic() - lostSince) / 1000) })
      lostSince = undefined
    }
    events.keyServiceOutage({ seconds: current?.seconds ?? 0 })
  }

  const ask = async <T>(call: Call<T>, deadlineMilliseconds = DEADLINE_MILLISECONDS): Promise<T> => {
    const settled = new AbortController()
    const late = new AbortController()
    const tooLate = async (): Promise<never> => {
      await clock.wait(deadlineMilliseconds, settled.signal)
      late.abort()
      throw new NoAnswerError()
    }
    try {
      return await Promise.race([call({ abortSignal: AbortSignal.any([late.signal, stopped.signal]) }), tooLate()])
    } finally {
      settled.abort()
    }
  }

  const recordResponse = (arn: string): void => {
    const holding = hold(arn)
    delete holding.failing
    delete holding.rest
    report(arn)
  }

  const refuse = (arn: string, reason: string): string => {
    const message = `AWS KMS refuses the use of the key ${arn}: ${reason}`
    const { opened } = hold(arn)
    const news = !holdings.get(arn)?.rest || opened.size > 0
    holdings.set(arn, {
      opened: new Map(),
      usedAt: Number.NEGATIVE_INFINITY,
      rest: { until: clock.monotonic() + REST_MILLISECONDS, message },
    })
    described.delete(arn)
    if (news) events.keyRefused({ arn, reason })
    if (opened.size > 0) notify(arn)
    report(arn)
    return message
  }

  const fail = (arn: string, error: unknown): string => {
    const holding = hold(arn)
    const cause = causeOf(error)
    const message = `AWS KMS is unavailable for the key ${arn}: ${cause}`
    if (stopped.signal.aborted) return message
    holding.failing ??= { since: clock.monotonic(), cause }
    const pause = { until: clock.monotonic() + REST_MILLISECONDS, message }
    if (SINGLE_KEY_OUTAGES.has(cause)) holding.rest = pause
    else rest = pause
    report(arn)
    return message
  }

  /** Calls KMS to use a key, and records what the response says about the key. Throws KeyUnavailableError. */
  const use = async <T>(arn: string, call: Call<T>): Promise<T> => {
    const asked = clock.monotonic()
    try {
      const answer = await ask(call)
      recordResponse(arn)
      hold(arn).usedAt = asked
      return answer
    } catch (error) {
      const name = (error as Error).name
      if (REFUSALS.has(name)) throw new KeyUnavailableError(refuse(arn, name), { cause: error })
      if (CIPHERTEXT_ERRORS.has(name)) {
        recordResponse(arn)
        const message = `the wrapped data key cannot be unwrapped with the key ${arn}`
        throw new KeyUnavailableError(message, { cause: error })
      }
      throw new KeyUnavailableError(fail(arn, error), { cause: error })
    }
  }

  const checkWorthAsking = (arn: string): void => {
    const pause = [rest, holdings.get(arn)?.rest].find(isNow)
    if (pause) throw new KeyUnavailableError(pause.message)
  }

  const keep = (arn: string, opened: { plain: Buffer; wrapped: Buffer; context: Context }): void => {
    const holding = hold(arn)
    const { plain, wrapped, context } = opened
    if (holding.opened.size >= OPENED_PER_KEY) holding.opened.delete(holding.opened.keys().next().value as string)
    holding.opened.set(nameOf(wrapped, context), plain)
    holding.probe = { wrapped, context }
  }

  const decrypt = async (arn: string, wrapped: Buffer, context: Context): Promise<Buffer> => {
    const plain = await use(arn, async (options) => {
      const input = { KeyId: arn, CiphertextBlob: wrapped, EncryptionContext: context }
      return bytesOf((await client.decrypt(input, options)).Plaintext)
    })
    keep(arn, { plain, wrapped, context })
    return plain
  }

  const describe = async (arn: string, deadlineMilliseconds?: number): Promise<KeyDescription | undefined> => {
    const at = clock.monotonic()
    let key: KeyDescription | undefined
    try {
      const { KeyMetadata } = await ask((options) => client.describeKey({ KeyId: arn }, options), deadlineMilliseconds)
      key = descriptionOf(arn, region, KeyMetadata)
    } catch (error) {
      // KMS does not reveal whether a key exists to a caller who may not use it.
      if (!REFUSALS.has((error as Error).name)) throw error
    }
    described.set(arn, { at, key })
    return key
  }

  const recheckKey = async (arn: string): Promise<void> => {
    const probe = holdings.get(arn)?.probe
    try {
      if (probe) await decrypt(arn, probe.wrapped, probe.context)
      else {
        await describe(arn)
        recordResponse(arn)
      }
    } catch (error) {
      // `use` has recorded the failure of a decryption; the failure of a description is recorded here.
      if (!(error instanceof KeyUnavailableError)) fail(arn, error)
    }
  }

  const letGo = (): void => {
    for (const [arn, { opened, usedAt }] of holdings) {
      if (opened.size === 0 || isWithinBound(usedAt)) continue
      opened.clear()
      events.noted('key-let-go', { arn })
      notify(arn)
    }
  }

  const forget = (): void => {
    for (const [arn, holding] of holdings) {
      const idle = holding.opened.size === 0 && !holding.failing && !isNow(holding.rest)
      if (idle && arn !== serviceKeyArn) holdings.delete(arn)
    }
    for (const [arn, { at }] of described) if (!isWithinBound(at)) described.delete(arn)
  }

  const recheck = async (): Promise<void> => {
    letGo()
    // Longest unconfirmed first: when KMS throttles, or fails halfway, every key still gets its turn.
    const due = [...holdings].sort(([, a], [, b]) => compare(a.usedAt, b.usedAt)).map(([arn]) => arn)
    rest = undefined
    const work = async (): Promise<void> => {
      while (!rest && !stopped.signal.aborted) {
        const arn = due.shift()
        if (arn === undefined) return
        await recheckKey(arn)
      }
    }
    await Promise.all(Array.from({ length: RECHECKS_AT_ONCE }, work))
    letGo()
    forget()
    report(serviceKeyArn)
  }

  const watch = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await recheck()
      await clock.wait(RECHECK_MILLISECONDS, stopped.signal).catch(() => {})
    }
  }

  return {
    region,
    outage,
    recheck,
    start: () => {
      watching ??= watch()
    },
    stop: async () => {
      stopped.abort()
      client.destroy()
      await watching
    },
    onChange: (listener) => {
      listeners.push(listener)
    },

    find: async (arn) => {
      if (arn.split(':')[3] !== region) return undefined
      const known = described.get(arn)
      if (known && clock.monotonic() - known.at < DESCRIBED_MILLISECONDS) return known.key
      // During an outage, the last known description remains valid for as long as data keys do.
      const stale = known && isWithinBound(known.at) ? known : undefined
      if (stale && isNow(rest)) return stale.key
      checkWorthAsking(arn)
      try {
        return await describe(arn, stale && LOOK_MILLISECONDS)
      } catch (error) {
        if (stale) return stale.key
        throw new KeyUnavailableError(`AWS KMS is unavailable for the key ${arn}: ${causeOf(error)}`, {
          cause: error,
        })
      }
    },
    generateDataKey: async (arn, context) => {
      checkWorthAsking(arn)
      const { plain, wrapped } = await use(arn, async (options) => {
        const input = { KeyId: arn, KeySpec: 'AES_256', EncryptionContext: context } as const
        const { Plaintext, CiphertextBlob } = await client.generateDataKey(input, options)
        return { plain: bytesOf(Plaintext), wrapped: bytesOf(CiphertextBlob) }
      })
      keep(arn, { plain, wrapped, context })
      return { plain, wrapped }
    },
    wrap: async (arn, plain, context) => {
      checkWorthAsking(arn)
      const wrapped = await use(arn, async (options) => {
        const input = { KeyId: arn, Plaintext: plain, EncryptionContext: context }
        return bytesOf((await client.encrypt(input, options)).CiphertextBlob)
      })
      keep(arn, { plain, wrapped, context })
      return wrapped
    },
    unwrap: async (arn, wrapped, context) => {
      const held = holdings.get(arn)
      const open = held?.opened.get(nameOf(wrapped, context))
      if (held && open && isWithinBound(held.usedAt)) return open
      checkWorthAsking(arn)
      try {
        return await decrypt(arn, wrapped, context)
      } catch (error) {
        const holding = holdings.get(arn)
        if (holding?.failing) holding.probe ??= { wrapped, context }
        throw error
      }
    },
  }
}

type Call<T> = (options: { abortSignal: AbortSignal }) => Promise<T>

class NoAnswerError extends Error {
  constructor() {
    super('AWS KMS did not respond in time')
    this.name = 'NoAnswerError'
  }
}

/** The AWS SDK is not installed. */
export class AwsSdkMissingError extends Error {
  constructor(options: { cause: unknown }) {
    super(
      'keys.provider is `aws-kms`, which needs the package @aws-sdk/client-kms: install it beside @twinpool/server',
      options,
    )
    this.name = 'AwsSdkMissingError'
  }
}

/**
 * Uses AWS KMS through the AWS SDK and the credentials that the SDK finds. Makes no call yet. Throws AwsSdkMissingError.
 *
 * @param endpoint of KMS, if it is not the public endpoint of the region
 */
export async function openAwsKms({
  endpoint,
  ...config
}: Omit<AwsKmsConfig, 'client'> & { endpoint?: string | undefined }): Promise<AwsKms> {
  const { KMS } = await import('@aws-sdk/client-kms').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ERR_MODULE_NOT_FOUND' ? new AwsSdkMissingError({ cause: error }) : error
  })
  const client = new KMS({
    region: config.region,
    ...(endpoint !== undefined && { endpoint }),
    maxAttempts: ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECTION_MILLISECONDS,
      requestTimeout: REQUEST_MILLISECONDS,
      throwOnRequestTimeout: true,
    },
  })
  return createAwsKms({ ...config, client })
}

function descriptionOf(arn: string, region: string, metadata: KeyMetadata | undefined): KeyDescription {
  if (!metadata) throw new Error('AWS KMS returned no metadata of the key')
  const { KeySpec, KeyState, KeyUsage, MultiRegion, MultiRegionConfiguration } = metadata
  const symmetric = KeySpec === 'SYMMETRIC_DEFAULT' && KeyUsage === 'ENCRYPT_DECRYPT'
  const { PrimaryKey, ReplicaKeys = [] } = MultiRegionConfiguration ?? {}
  const regions = [PrimaryKey, ...ReplicaKeys].flatMap((key) => key?.Region ?? [])
  return {
    arn,
    // A pool cannot use any other type of key, whatever its state.
    enabled: symmetric && KeyState !== undefined && USABLE_STATES.has(KeyState),
    multiRegion: MultiRegion === true,
    regions: regions.length === 0 ? [region] : regions,
  }
}

function bytesOf(bytes: Uint8Array | undefined): Buffer {
  if (!bytes) throw new Error('AWS KMS returned neither plaintext nor ciphertext')
  return Buffer.from(bytes)
}

/** Names a wrapped data key with its context. The order of the pairs of a context has no meaning. */
function nameOf(wrapped: Buffer, context: Context): string {
  const pairs = Object.entries(context).sort(([a], [b]) => compare(a, b))
  return `${wrapped.toString('base64')}${JSON.stringify(pairs)}`
}

const causeOf = (error: unknown): string => {
  const { code, name } = error as NodeJS.ErrnoException
  return typeof code === 'string' ? code : name
}

const compare = <T extends string | number>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0)

const earlier = <T extends { since: number }>(a: T, b: T): T => (b.since < a.since ? b : a)
