import type { Clock } from '../clock.ts'
import { readConfiguredFile } from '../configured-file.ts'
import type { Events } from '../events/events.ts'
import type { Store } from '../store/store.ts'
import { openAwsKms } from './aws-kms.ts'
import { type HeldKeys, type KeyExchange, KeyExchangeError } from './local/key-exchange.ts'
import type { RingSecrets } from './local/material.ts'
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
  /** Checks new secrets; the returned function replaces the old ones. Throws if they do not open the keys. */
  prepareSecrets(settings: KeySettings, clusterSecrets: readonly string[]): Promise<() => void>
  /** Starts the periodic work: removal of keys whose deletion is due, lost replicas of keys, or the checks of keys at AWS KMS. */
  start(): void
  stop(): Promise<void>
}

export type KeySettings =
  | {
      provider: 'local'
      /** 32 bytes, base64, newest first; either this or the files that hold them. */
      masterKey?: string | [string, string] | undefined
      masterKeyFile?: string | [string, string] | undefined
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
  clusterSecrets: readonly string[]
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
    prepareSecrets: async () => () => {},
    start: () => provider.start(),
    stop: () => provider.stop(),
  }
}

async function openKeyRing(
  settings: Extract<KeySettings, { provider: 'local' }>,
  { clock, events, clusterSecrets, ...context }: KeysContext,
): Promise<RegionKeys> {
  const secrets: RingSecrets = { masterKeys: readMasterKeys(settings), clusterSecrets }
  const keyRing = createLocalKeyRing({ ...context, clock, secrets })
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
    prepareSecrets: async (next, clusterSecrets) => {
      // Another provider needs a restart.
      const masterKeys = next.provider === 'local' ? readMasterKeys(next) : secrets.masterKeys
      await keyRing.checkMasterKeys(masterKeys)
      return () => Object.assign(secrets, { masterKeys, clusterSecrets } satisfies RingSecrets)
    },
    start: () => {
      sweeping ??= sweepUntilStopped()
    },
    stop: async () => {
      stopping.abort()
      await sweeping
    },
  }
}

const MASTER_KEY_BYTES = 32

/** The master keys, newest first. Throws an error that names the member of the configuration. */
export function readMasterKeys({ masterKey, masterKeyFile }: Extract<KeySettings, { provider: 'local' }>): Buffer[] {
  if (masterKey !== undefined) return [masterKey].flat().map((text) => Buffer.from(text, 'base64'))
  return [masterKeyFile as string | string[]].flat().map((file) => {
    const text = readConfiguredFile('keys.masterKeyFile', file).toString('utf8').trim()
    const key = Buffer.from(text, 'base64')
    if (key.length !== MASTER_KEY_BYTES) throw new Error(`keys.masterKeyFile: ${file} must hold 32 bytes in base64`)
    return key
  })
}
