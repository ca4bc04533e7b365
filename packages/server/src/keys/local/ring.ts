import { createHash } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import type { Store } from '../../store/store.ts'
import { type KeyProvider, KeyUnavailableError } from '../provider.ts'
import { createKeyAliases } from './aliases.ts'
import { createKeyArns } from './arns.ts'
import { addressOf, type EncryptionContext, openBlob, sealBlob } from './ciphertext-blob.ts'
import { createKeyMessageSeal, type HeldKeys, type KeyExchange } from './key-exchange.ts'
import { type Alias, holders, isDue, isLive, type KeyDraft, type KeyRecord, KeyRefusedError } from './key-record.ts'
import { createKeyMaterial, FIRST_VERSION, type RingSecrets } from './material.ts'
import { createMultiRegionKeys } from './multi-region.ts'
import { createKeyRecords, type OpenKey } from './records.ts'
import { findAlias, lockAlias, lockKey, type Page, saveAlias, saveKey } from './rows.ts'

/**
 * The keys of one region: rows of its store, their material sealed under the region's master key. It is a KeyProvider for
 * pools; the other functions serve the KMS API, and throw KeyRefusedError.
 */
export interface LocalKeyRing extends KeyProvider {
  readonly region: string
  readonly accountId: string
  keyArn(id: string): string
  aliasArn(name: string): string
  /**
   * Creates, once for the region, the hidden key that stands for the AWS-owned key, and returns its ARN. Throws
   * KeyUnavailableError when the key was created under another master key.
   */
  ensureServiceKey(): Promise<string>

  create(draft: KeyDraft & { multiRegion: boolean }): Promise<KeyRecord>
  get(id: string): Promise<KeyRecord>
  /** In the order of ids. */
  list(page: Page): Promise<KeyRecord[]>
  enable(id: string): Promise<void>
  disable(id: string): Promise<void>
  putPolicy(id: string, policy: string): Promise<void>
  /** A primary key with replicas waits until they are removed; `deletion.at` is null until then. */
  scheduleDeletion(id: string, days: number): Promise<KeyRecord>
  cancelDeletion(id: string): Promise<void>
  /** Gives the key to another region and returns the record as that region has it. */
  replicate(id: string, region: string, draft: KeyDraft): Promise<KeyRecord>

  createAlias(name: string, keyId: string): Promise<void>
  findAlias(name: string): Promise<Alias | undefined>
  /** In the order of names. */
  listAliases(page: Page & { keyId?: string }): Promise<Alias[]>

  encrypt(id: string, plain: Buffer, context: EncryptionContext): Promise<Buffer>
  /** The blob names its key; with `expected`, a blob of any other key is refused. */
  decrypt(
    blob: Buffer,
    context: EncryptionContext,
    expected?: string | undefined,
  ): Promise<{ key: KeyRecord; plain: Buffer }>

  /** Processes a message of another region's key ring, with the same result if it comes twice. Throws KeyExchangeError `refused`. */
  accept(message: unknown): Promise<void>
  /**
   * Offers a region the keys that it should hold and does not, until it has accepted them. Description, policy and tags, which were
   * that region's own, start as they are here, and the keys start enabled. `behind`: see MultiRegionKeys.
   */
  offerAgain(region: string, options: { behind: boolean }): Promise<void>
  /** One page of the ids of the keys of another primary that this region holds. */
  held(primary: string, after: string | undefined): Promise<HeldKeys>
  /** Seals all key material under the newest master key, one key per transaction, so a run that was interrupted is repeated. */
  rekey(): Promise<RekeyReport>
  /** Identifies the newest master key, and reveals nothing about it. */
  masterKeyId(): string
  /**
   * Checks that these master keys open the service key, and every key that the present ones open: `rekey` may have been interrupted.
   * Throws KeyUnavailableError.
   */
  checkMasterKeys(masterKeys: readonly Buffer[]): Promise<void>
  /** Removes keys whose deletion is due, and sends other regions what they have not accepted yet. Call it regularly. */
  sweep(): Promise<void>
}

export interface LocalKeyRingConfig {
  store: Store
  clock: Pick<Clock, 'now' | 'randomBytes' | 'uuid'>
  region: string
  accountId: string
  secrets: RingSecrets
  /** Without it, multi-Region keys stay in the region where they were created. */
  exchange?: KeyExchange | undefined
}

export interface RekeyReport {
  keys: number
  resealed: number
  /** ARNs of the keys that no configured master key opens. */
  unreadable: string[]
}

/** An alias that the API does not show: API aliases begin with `alias/`. */
export const SERVICE_KEY = 'service-key'

export function createLocalKeyRing(config: LocalKeyRingConfig): LocalKeyRing {
  const { store, clock, region, accountId, secrets, exchange } = config
  const arns = createKeyArns({ region, accountId })
  const { keyArn, aliasArn } = arns
  const material = createKeyMaterial({ secrets, clock, arns })
  const records = createKeyRecords({ store, clock, arns, material })
  const aliases = createKeyAliases({ store, arns, records })
  const messages = createKeyMessageSeal({ secrets, region, accountId, clock })
  const multiRegion = createMultiRegionKeys({ store, clock, arns, records, material, exchange, messages })

  /** Keys that this process has used: listeners are notified of all of them when notifications of changes may have been lost. */
  const used = new Set<string>()

  const seal = ({ record, materials }: OpenKey, plain: Buffer, context: EncryptionContext): Buffer => {
    const version = record.materials.at(-1)?.version ?? FIRST_VERSION
    return sealBlob({ keyId: record.id, version }, materials.get(version) as Buffer, clock, { plain, context })
  }

  const find = async (arn: string): Promise<OpenKey | undefined> => {
    const id = arns.idOf(arn)
    return id === undefined ? undefined : records.open(id)
  }

  /** The key of an ARN, whether of a customer or of the service, ready for a pool's use. */
  const openForPool = async (arn: string): Promise<OpenKey> => {
    const key = await find(arn)
    if (!key) throw new KeyUnavailableError(`this region has no key ${arn}`)
    if (key.record.state !== 'Enabled') throw new KeyUnavailableError(`the key ${arn} is ${key.record.state}`)
    used.add(key.record.id)
    return key
  }

  const provider: KeyProvider = {
    region,
    find: async (arn) => {
      const key = await find(arn)
      if (!key) return undefined
      const { id, state, multiRegion } = key.record
      used.add(id)
      return {
        arn,
        enabled: state === 'Enabled',
        multiRegion: multiRegion !== null,
        regions: multiRegion
          ? [multiRegion.primary, ...holders(multiRegion).map((replica) => replica.region)]
          : [region],
      }
    },
    generateDataKey: async (arn, context) => {
      const key = await openForPool(arn)
      const plain = clock.randomBytes(32)
      return { plain, wrapped: seal(key, plain, context) }
    },
    wrap: async (arn, plain, context) => seal(await openForPool(arn), plain, context),
    unwrap: async (arn, wrapped, context) => {
      const { record, materials } = await openForPool(arn)
      const address = addressOf(wrapped)
      const opening = address?.keyId === record.id ? materials.get(address.version) : undefined
      const plain = opening && openBlob(opening, wrapped, context)
      if (!plain) throw new KeyUnavailableError(`the wrapped data key cannot be unwrapped with the key ${arn}`)
      return plain
    },
    onChange: (listener) => {
      store.onChange((touched) => {
        const ids = touched ? touched.filter(({ kind }) => kind === 'kms-key').map(({ key }) => key) : used
        for (const id of ids) listener(keyArn(id))
      })
    },
  }

  const ensureServiceKey = async (): Promise<string> => {
    const known = await findAlias(store, SERVICE_KEY)
    if (known) {
      // Opened at the start: under another master key, no pool of this store could be read.
      await records.open(known.keyId)
      return keyArn(known.keyId)
    }
    const id = await store.write(async (tx) => {
      const present = await lockAlias(tx, SERVICE_KEY)
      if (present) return present.keyId
      const draft = { description: 'Protects pools that have no key of their own', policy: null, tags: [] }
      const record = records.draft(clock.uuid(), draft, { owner: 'service', created: tx.now })
      await saveKey(tx, record)
      await saveAlias(tx, { name: SERVICE_KEY, keyId: record.id, created: record.created, updated: record.created })
      return record.id
    })
    return keyArn(id)
  }

  return {
    ...provider,
    accountId,
    keyArn,
    aliasArn,
    ensureServiceKey,

    create: records.create,
    get: async (id) => (await records.get(id)).record,
    list: records.list,
    enable: records.enable,
    disable: records.disable,
    putPolicy: records.putPolicy,
    scheduleDeletion: records.scheduleDeletion,
    cancelDeletion: records.cancelDeletion,
    replicate: multiRegion.replicate,

    createAlias: aliases.create,
    findAlias: aliases.find,
    listAliases: aliases.list,

    encrypt: async (id, plain, context) => {
      const key = await records.get(id)
      records.checkUsable(key.record)
      return seal(key, plain, context)
    },
    decrypt: async (blob, context, expected) => {
      const address = addressOf(blob)
      if (!address) throw new KeyRefusedError('ciphertext-invalid', '')
      if (expected !== undefined && address.keyId !== expected) {
        await records.get(expected)
        throw new KeyRefusedError('ciphertext-of-another-key', keyArn(expected))
      }
      const { record, materials } = await records.get(address.keyId)
      records.checkUsable(record)
      const opening = materials.get(address.version)
      const plain = opening && openBlob(opening, blob, context)
      if (!plain) throw new KeyRefusedError('ciphertext-invalid', keyArn(address.keyId))
      return { key: record, plain }
    },

    accept: multiRegion.accept,
    offerAgain: multiRegion.offerAgain,
    held: multiRegion.held,
    rekey: async () => {
      const report: RekeyReport = { keys: 0, resealed: 0, unreadable: [] }
      for await (const { id } of records.all()) {
        const resealed = await store.write(async (tx) => {
          const record = await lockKey(tx, id)
          if (!record || !isLive(record)) return 'none'
          const materials = attempt(() => material.reseal(record))
          if (materials instanceof KeyUnavailableError) return 'unreadable'
          if (!materials) return 'present'
          await saveKey(tx, { ...record, materials })
          return 'resealed'
        })
        if (resealed !== 'none') report.keys += 1
        if (resealed === 'resealed') report.resealed += 1
        if (resealed === 'unreadable') report.unreadable.push(keyArn(id))
      }
      return report
    },
    masterKeyId: () => masterKeyIdOf(secrets.masterKeys[0] as Buffer),
    checkMasterKeys: async (masterKeys) => {
      const next = createKeyMaterial({ secrets: { masterKeys }, clock, arns })
      const serviceKey = await findAlias(store, SERVICE_KEY)
      for await (const record of records.all()) {
        if (!isLive(record)) continue
        const problem = attempt(() => next.open(record))
        if (!(problem instanceof KeyUnavailableError)) continue
        const opensNow = !(attempt(() => material.open(record)) instanceof KeyUnavailableError)
        if (opensNow || record.id === serviceKey?.keyId) throw problem
      }
    },
    sweep: async () => {
      for await (const body of records.all()) {
        if (isLive(body) && isDue(body, clock.now())) await records.removeIfDue(body.id)
        await multiRegion.notify(body.id)
      }
    },
  }
}

/** The result, or the KeyUnavailableError that was thrown. */
function attempt<T>(work: () => T): T | KeyUnavailableError {
  try {
    return work()
  } catch (error) {
    if (error instanceof KeyUnavailableError) return error
    throw error
  }
}

/** A master key has 32 random bytes, so a hash of it reveals nothing. */
export const masterKeyIdOf = (masterKey: Buffer): string =>
  createHash('sha256').update('twinpool/master-key-id').update(masterKey).digest('hex').slice(0, 16)
