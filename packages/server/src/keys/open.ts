import { readFileSync } from 'node:fs'
import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import type { Store } from '../store/store.ts'
import { openAwsKms } from './aws-kms.ts'
import { type HeldKeys, type KeyExchange, KeyExchangeError } from './local/key-exchange.ts'
import { createLocalKeyRing, type LocalKeyRing } from './local/ring.ts'
import type { KeyProvider } from './provider.ts'

/** The keys of one region, whichever service holds them. */
export interface RegionKeys {
  readonly provider: KeyProvider
  /** ARN of the key that wraps the data keys of pools without a key of their own. */
  readonly serviceKeyArn: string
  /** Undefined when AWS KMS holds the keys. */
  readonly keyRing?: LocalKeyRing
  /** Processes a message of another region's key ring; returns the reason of a refusal, or undefined. */
  accept(message: unknown): Promise<string | undefined>
  /** Offers a region the keys that it should hold and does not, now and regularly; never throws. `behind`: it lost its store or was put back. */
  offerAgain(region: string, options: { behind: boolean }): Promise<void>
  /** The ids of a region's keys that this region holds. Undefined when AWS KMS holds the keys. */
  held(primary: string, after: string | undefined): Promise<HeldKeys | undefined>
  /** Starts the periodic work: removal of keys whose deletion is due, lost replicas of keys, or the checks of keys at AWS KMS. */
  start(): void
  stop(): Promise<void>
}

export type KeySettings =
  | {
      provider: 'local'
      /** 32 bytes, base64; either this or the file that holds them. */
      masterKey?: string | undefined
      masterKeyFile?: string | undefined
    }
  | {
      provider: 'aws-kms'
      /** The region whose KMS is called. Default: this region. */
      region?: string | undefined
      endpoint?: string | undefined
      serviceKeyArn: string
      unwrappedForMinutes: number
    }

export interface KeysContext {
  region: string
  accountId: string
  clusterSecret: string
  store: Store
  clock: Clock
  events: Events
  /** Carries the messages of the local key ring to the other regions. */
  exchange: KeyExchange
}

const SWEEP_MILLISECONDS = 30_000

/** Throws KeyUnavailableError when the store's keys were created under another master key. */
export function openKeys(settings: KeySettings, context: KeysContext): Promise<RegionKeys> {
  return settings.provider === 'aws-kms' ? openKeysAtAws(settings, context) : openKeyRing(settings, context)
}

async function openKeysAtAws(
  { provider: _, region, ...settings }: Extract<KeySettings, { provider: 'aws-kms' }>,
  { region: here, clock, events }: KeysContext,
): Promise<RegionKeys> {
  const provider = await openAwsKms({ ...settings, region: region ?? here, clock, events })
  return {
    provider,
    serviceKeyArn: settings.serviceKeyArn,
    accept: async () => 'this region has no key ring of its own',
    offerAgain: async () => {},
    held: async () => undefined,
    start: () => provider.start(),
    stop: () => provider.stop(),
  }
}

async function openKeyRing(
  { masterKey, masterKeyFile }: Extract<KeySettings, { provider: 'local' }>,
  { clock, events, ...context }: KeysContext,
): Promise<RegionKeys> {
  const encoded = masterKey ?? readFileSync(masterKeyFile as string, 'utf8').trim()
  const keyRing = createLocalKeyRing({ ...context, clock, masterKey: Buffer.from(encoded, 'base64') })
  const stopping = new AbortController()
  let sweeping: Promise<void> | undefined

  const failed = (error: unknown): void => events.failed({ operation: 'key-sweep', error, requestId: clock.uuid() })
  /** The regions that have connected. A comparison repeats, because a region may not have been reachable, or lose keys later. */
  const compared = new Set<string>()
  const offerAgain = async (region: string, options: { behind: boolean }): Promise<void> => {
    compared.add(region)
    await keyRing.offerAgain(region, options).catch((error: unknown) => {
      if (!(error instanceof KeyExchangeError)) failed(error)
    })
  }

  const sweepUntilStopped = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await keyRing.sweep().catch(failed)
      await Promise.all([...compared].map((region) => offerAgain(region, { behind: false })))
      await clock.wait(SWEEP_MILLISECONDS, stopping.signal).catch(() => {})
    }
  }

  return {
    provider: keyRing,
    serviceKeyArn: await keyRing.ensureServiceKey(),
    keyRing,
    accept: async (message) => {
      try {
        await keyRing.accept(message)
        return undefined
      } catch (error) {
        if (error instanceof KeyExchangeError) return error.message
        throw error
      }
    },
    offerAgain,
    held: (primary, after) => keyRing.held(primary, after),
    start: () => {
      sweeping ??= sweepUntilStopped()
    },
    stop: async () => {
      stopping.abort()
      await sweeping
    },
  }
}
