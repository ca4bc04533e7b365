import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import { createCache } from '../../store/cache.ts'
import type { Store } from '../../store/store.ts'
import type { Transaction } from '../../store/write.ts'
import { type KeyProvider, KeyUnavailableError } from '../provider.ts'
import { addressOf, type EncryptionContext, openBlob, sealBlob } from './ciphertext-blob.ts'
import { createKeyMessageSeal, type KeyExchange, KeyExchangeError, type KeyMessage } from './key-exchange.ts'
import {
  type Alias,
  type AliasRecord,
  holders,
  isLive,
  type KeyRecord,
  KeyRefusedError,
  type KeyTag,
  type MultiRegion,
  type RemovedKey,
  type Replica,
} from './key-record.ts'
import { openBox, sealBox } from './sealed-box.ts'

export interface KeyDraft {
  description: string
  policy: string | null
  tags: KeyTag[]
}

/**
 * The keys of one region: rows of its store, their material sealed under the region's master key. It is a KeyProvider for
 * pools; the other functions are what the KMS API asks of it, and throw KeyRefusedError.
 */
export interface LocalKeyRing extends KeyProvider {
  readonly region: string
  readonly accountId: string
  keyArn(id: string): string
  aliasArn(name: string): string
  /**
   * Makes, once for the region, the hidden key that stands for the AWS-owned one; answers its ARN. Throws KeyUnavailableError
   * when the master key is not the one that the key was made under.
   */
  ensureServiceKey(): Promise<string>

  create(draft: KeyDraft & { multiRegion: boolean }): Promise<KeyRecord>
  get(id: string): Promise<KeyRecord>
  /** In the order of ids. */
  list(page: { after?: string | undefined; limit: number }): Promise<KeyRecord[]>
  enable(id: string): Promise<void>
  disable(id: string): Promise<void>
  putPolicy(id: string, policy: string): Promise<void>
  /** A primary key that has replicas waits for their removal first: then `deletion.at` is null. */
  scheduleDeletion(id: string, days: number): Promise<KeyRecord>
  cancelDeletion(id: string): Promise<void>
  /** Gives the key to another region; answers the record as it is there. */
  replicate(id: string, region: string, draft: KeyDraft): Promise<KeyRecord>

  createAlias(name: string, keyId: string): Promise<void>
  findAlias(name: string): Promise<Alias | undefined>
  /** In the order of names. */
  listAliases(page: { keyId?: string; after?: string | undefined; limit: number }): Promise<Alias[]>

  encrypt(id: string, plain: Buffer, context: EncryptionContext): Promise<Buffer>
  /** The blob tells its key; `expected` is the id of the only key that will do. */
  decrypt(
    blob: Buffer,
    context: EncryptionContext,
    expected?: string | undefined,
  ): Promise<{ key: KeyRecord; plain: Buffer }>

  /** Takes what another region offered; taking it twice does no harm. Throws KeyExchangeError `refused`. */
  accept(message: unknown): Promise<void>
  /**
   * For a region that comes with nothing: offers it the keys that it held, until it has taken them. What was its own begins as
   * it is here (description, policy, tags), and enabled.
   */
  offerAgain(region: string): Promise<void>
  /** Removes keys whose time has come, and tells other regions what they have not heard yet. To be called now and then. */
  sweep(): Promise<void>
}

export interface LocalKeyRingConfig {
  store: Store
  clock: Pick<Clock, 'now' | 'randomBytes' | 'uuid'>
  region: string
  accountId: string
  /** 32 bytes. Whoever has them and the database has the keys. */
  masterKey: Buffer
  /** Without these two, multi-Region keys stay where they were made. */
  exchange?: KeyExchange | undefined
  clusterSecret?: string | undefined
}

interface OpenKey {
  record: KeyRecord
  materials: ReadonlyMap<number, Buffer>
}

const POOL = ''
/** Not an alias that the API shows: those begin with `alias/`. */
const SERVICE_KEY = 'service-key'
const ALIAS_PREFIX = 'alias/'
const FIRST_VERSION = 1
const MATERIAL_BYTES = 32
const DAY_MILLISECONDS = 86_400_000
const PAGE = 500
const OFFER_MILLISECONDS = 60_000
/** https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html */
const MAXIMUM_KEYS = 100_000
const MAXIMUM_ALIASES_PER_KEY = 50

export function createLocalKeyRing(config: LocalKeyRingConfig): LocalKeyRing {
  const { store, clock, region, accountId, masterKey, exchange, clusterSecret } = config
  if (masterKey.length !== 32) throw new Error('the master key must be 32 bytes')
  const messages =
    clusterSecret === undefined ? undefined : createKeyMessageSeal({ clusterSecret, region, accountId, clock })

  const arn = (resource: string): string => `arn:aws:kms:${region}:${accountId}:${resource}`
  const keyArn = (id: string): string => arn(`key/${id}`)
  const idOf = (text: string): string | undefined => {
    const prefix = keyArn('')
    return text.startsWith(prefix) ? text.slice(prefix.length) : undefined
  }

  const sealMaterial = (id: string, version: number, material: Buffer): KeyRecord['materials'][number] => ({
    version,
    sealed: sealBox(masterKey, clock, material, `${keyArn(id)}\n${version}`).toString('base64'),
  })
  const openMaterials = (record: KeyRecord): Map<number, Buffer> =>
    new Map(
      record.materials.map(({ version, sealed }) => {
        const material = openBox(masterKey, Buffer.from(sealed, 'base64'), `${keyArn(record.id)}\n${version}`)
        if (!material) throw new KeyUnavailableError(`the master key of ${region} does not open ${keyArn(record.id)}`)
        return [version, material]
      }),
    )

  const cache = createCache<OpenKey | undefined>(
    { store },
    async (id) => {
      const row = await store.find('kms-key', { pool: POOL, key: id })
      const body = row && parseKey(row.body)
      return body && isLive(body) ? { record: body, materials: openMaterials(body) } : undefined
    },
    ({ kind, key }) => (kind === 'kms-key' ? key : undefined),
  )
  /** Keys that somebody holds something of, and must hear about when announcements of changes may have been missed. */
  const used = new Set<string>()

  const isDue = ({ deletion }: KeyRecord): boolean => deletion?.at != null && deletion.at <= clock.now()

  const open = async (id: string): Promise<OpenKey | undefined> => {
    const key = await cache.get(id)
    if (!key || !isDue(key.record)) return key
    await removeIfDue(id)
    return undefined
  }

  const removeIfDue = (id: string): Promise<void> =>
    store.write(async (tx) => {
      const body = await lockKey(tx, id)
      if (!body || !isLive(body) || !isDue(body)) return
      for (const { name } of await aliasesOf(tx, id)) await tx.unset('kms-alias', { pool: POOL, key: name })
      const replica = body.multiRegion?.replicas.find((one) => one.region === region)
      if (body.multiRegion && replica) {
        await save(tx, { id, state: 'Removed', primary: body.multiRegion.primary, grant: replica.grant })
      } else await tx.unset('kms-key', { pool: POOL, key: id })
    })

  /** A key that the API shows. */
  const getOpen = async (id: string): Promise<OpenKey> => {
    const key = await open(id)
    if (key?.record.owner !== 'customer') throw new KeyRefusedError('key-not-found', keyArn(id))
    return key
  }

  const checkUsable = ({ id, state }: KeyRecord): void => {
    if (state === 'Disabled') throw new KeyRefusedError('key-disabled', keyArn(id))
    checkNotPending({ id, state })
  }
  const checkNotPending = ({ id, state }: Pick<KeyRecord, 'id' | 'state'>): void => {
    if (state === 'PendingDeletion') throw new KeyRefusedError('key-pending-deletion', keyArn(id))
    if (state === 'PendingReplicaDeletion') throw new KeyRefusedError('key-pending-replica-deletion', keyArn(id))
  }

  /** Changes a key that the API shows; the change throws to refuse. */
  const change = (id: string, revise: (record: KeyRecord) => KeyRecord): Promise<KeyRecord> =>
    store.write(async (tx) => {
      const body = await lockKey(tx, id)
      if (!body || !isLive(body) || body.owner !== 'customer' || isDue(body)) {
        throw new KeyRefusedError('key-not-found', keyArn(id))
      }
      const revised = revise(body)
      await save(tx, revised)
      return revised
    })

  const fresh = (id: string, draft: KeyDraft, owner: KeyRecord['owner']): KeyRecord => ({
    id,
    owner,
    state: 'Enabled',
    created: clock.now(),
    description: draft.description,
    policy: draft.policy,
    tags: draft.tags,
    deletion: null,
    multiRegion: null,
    materials: [sealMaterial(id, FIRST_VERSION, clock.randomBytes(MATERIAL_BYTES))],
  })

  const seal = ({ record, materials }: OpenKey, plain: Buffer, context: EncryptionContext): Buffer => {
    const version = record.materials.at(-1)?.version ?? FIRST_VERSION
    return sealBlob({ keyId: record.id, version }, materials.get(version) as Buffer, clock, { plain, context })
  }

  /** A key of whichever owner, ready to be used by a pool. */
  const openUsable = async (text: string): Promise<OpenKey> => {
    const id = idOf(text)
    const key = id === undefined ? undefined : await open(id)
    if (!key) throw new KeyUnavailableError(`this region has no key ${text}`)
    if (key.record.state !== 'Enabled') throw new KeyUnavailableError(`the key ${text} is ${key.record.state}`)
    used.add(key.record.id)
    return key
  }

  /** Throws KeyRefusedError when the other region cannot be reached or does not take it. */
  const send = async (to: string, message: KeyMessage): Promise<void> => {
    if (!exchange || !messages) throw new KeyRefusedError('region-unknown', to)
    try {
      await exchange.offer(to, messages.seal(to, message))
    } catch (error) {
      if (!(error instanceof KeyExchangeError)) throw error
      throw new KeyRefusedError(REFUSALS[error.reason], to, { cause: error })
    }
  }

  /** Tells other regions what they have not heard yet; what cannot be told now is told by a later sweep. */
  const tell = async (body: KeyRecord | RemovedKey): Promise<void> => {
    /** The region, if it has taken the message. */
    const reach = (to: string, message: KeyMessage): Promise<string | undefined> =>
      send(to, message).then(
        () => to,
        (error) => {
          if (error instanceof KeyRefusedError) return undefined
          throw error
        },
      )
    if (!isLive(body)) {
      const { id, primary, grant } = body
      if (!(await reach(primary, { type: 'removed', id, region, grant }))) return
      await store.write(async (tx) => {
        const present = await lockKey(tx, id)
        if (present && !isLive(present) && present.grant === grant) await tx.unset('kms-key', { pool: POOL, key: id })
      })
      return
    }
    const { id, multiRegion } = body
    if (!multiRegion) return
    const { primary, replicas, revision, untold } = multiRegion
    const lost = replicas.filter((one) => one.lost)
    if (lost.length + untold.length === 0) return
    const offered = await Promise.all(lost.map((one) => reach(one.region, offerOf(body, one, body))))
    const list: KeyMessage = { type: 'replicas', id, primary, replicas: replicas.map(established), revision }
    const told = await Promise.all(untold.map((to) => reach(to, list)))
    await store.write(async (tx) => {
      const present = await lockKey(tx, id)
      if (!present || !isLive(present) || !present.multiRegion) return
      // A list that has changed meanwhile is still to be told.
      const heard = present.multiRegion.revision === revision ? told : []
      await save(tx, {
        ...present,
        multiRegion: {
          ...present.multiRegion,
          replicas: present.multiRegion.replicas.map((one) => (offered.includes(one.region) ? established(one) : one)),
          untold: present.multiRegion.untold.filter((to) => !heard.includes(to)),
        },
      })
    })
  }

  /** The key, for a region that is to hold it too. */
  const offerOf = (record: KeyRecord, { grant }: Replica, draft: KeyDraft & { created: number }): KeyMessage => {
    const { primary, replicas, revision } = record.multiRegion as MultiRegion
    const { description, policy, tags, created } = draft
    return {
      type: 'replica',
      id: record.id,
      ...{ grant, created, description, policy, tags },
      primary,
      replicas: replicas.map(established),
      revision,
      materials: [...openMaterials(record)].map(([version, plain]) => ({ version, plain: plain.toString('base64') })),
    }
  }

  const acceptReplica = (message: Extract<KeyMessage, { type: 'replica' }>): Promise<void> =>
    store.write(async (tx) => {
      const { id, primary, replicas, revision } = message
      const multiRegion = { primary, replicas, revision, untold: [] }
      const present = await lockKey(tx, id)
      if (present && isLive(present) && !isDue(present)) {
        const materials = openMaterials(present)
        const same = message.materials.every(({ version, plain }) => {
          const ours = materials.get(version)
          const theirs = Buffer.from(plain, 'base64')
          return ours?.length === theirs.length && timingSafeEqual(ours, theirs)
        })
        if (!same || present.multiRegion?.primary !== primary) {
          throw new KeyExchangeError('refused', `this region has another key ${id}`)
        }
        if (present.multiRegion.revision < revision) await save(tx, { ...present, multiRegion })
        return
      }
      await save(tx, {
        ...fresh(id, message, 'customer'),
        created: message.created,
        multiRegion,
        materials: message.materials.map(({ version, plain }) =>
          sealMaterial(id, version, Buffer.from(plain, 'base64')),
        ),
      })
    })

  const acceptReplicas = (message: Extract<KeyMessage, { type: 'replicas' }>): Promise<void> =>
    store.write(async (tx) => {
      const { id, primary, replicas, revision } = message
      const present = await lockKey(tx, id)
      if (!present || !isLive(present) || !present.multiRegion || present.multiRegion.revision >= revision) return
      await save(tx, { ...present, multiRegion: { primary, replicas, revision, untold: [] } })
    })

  const acceptRemoved = async (message: Extract<KeyMessage, { type: 'removed' }>): Promise<void> => {
    await store.write(async (tx) => {
      const present = await lockKey(tx, message.id)
      if (!present || !isLive(present)) return
      const { region: from, grant } = message
      const revised = withoutReplica(present, { region: from, grant })
      if (revised) await save(tx, revised)
    })
  }

  /** Undefined when the key has no such replica (any more). */
  const withoutReplica = (record: KeyRecord, { region: from, grant }: Replica): KeyRecord | undefined => {
    const { multiRegion, deletion } = record
    if (!multiRegion) return undefined
    const replicas = multiRegion.replicas.filter((one) => one.region !== from || one.grant !== grant)
    if (replicas.length === multiRegion.replicas.length) return undefined
    const freed = record.state === 'PendingReplicaDeletion' && replicas.length === 0 && deletion !== null
    return {
      ...record,
      ...(freed && {
        state: 'PendingDeletion' as const,
        deletion: { ...deletion, at: clock.now() + deletion.days * DAY_MILLISECONDS },
      }),
      multiRegion: {
        ...multiRegion,
        replicas,
        revision: multiRegion.revision + 1,
        untold: replicas.map((one) => one.region),
      },
    }
  }

  async function* listKeys(after?: string): AsyncGenerator<KeyRecord | RemovedKey> {
    let last = after
    for (;;) {
      const rows = await store.list('kms-key', { pool: POOL, after: last, limit: PAGE })
      for (const { body } of rows) yield parseKey(body)
      if (rows.length < PAGE) return
      last = rows.at(-1)?.key
    }
  }

  /** Puts a replica on the list before it is offered: whatever happens then, the primary knows of it. */
  const announceReplica = (id: string, to: string): Promise<KeyRecord> =>
    change(id, (record) => {
      checkUsable(record)
      const { multiRegion } = record
      if (multiRegion?.primary !== region) throw new KeyRefusedError('key-not-multi-region-primary', keyArn(id))
      if (to === region) throw new KeyRefusedError('region-same', to)
      const present = multiRegion.replicas.find((one) => one.region === to)
      const now = clock.now()
      // Announced by a process that did not live to offer it: offered again.
      const abandoned = present?.creatingSince !== undefined && now - present.creatingSince > OFFER_MILLISECONDS
      if (present && !abandoned) throw new KeyRefusedError('region-has-replica', to)
      const others = multiRegion.replicas.filter((one) => one !== present)
      const replica = { region: to, grant: present?.grant ?? clock.uuid(), creatingSince: now }
      return {
        ...record,
        multiRegion: {
          ...multiRegion,
          replicas: [...others, replica],
          revision: multiRegion.revision + 1,
          untold: others.map((one) => one.region),
        },
      }
    })

  return {
    region,
    accountId,
    keyArn,
    aliasArn: arn,

    find: async (text) => {
      const id = idOf(text)
      const key = id === undefined ? undefined : await open(id)
      if (!key) return undefined
      const { state, multiRegion } = key.record
      used.add(key.record.id)
      return {
        arn: text,
        enabled: state === 'Enabled',
        multiRegion: multiRegion !== null,
        regions: multiRegion
          ? [multiRegion.primary, ...holders(multiRegion).map((replica) => replica.region)]
          : [region],
      }
    },
    generateDataKey: async (text, context) => {
      const key = await openUsable(text)
      const plain = clock.randomBytes(32)
      return { plain, wrapped: seal(key, plain, context) }
    },
    wrap: async (text, plain, context) => seal(await openUsable(text), plain, context),
    unwrap: async (text, wrapped, context) => {
      const { record, materials } = await openUsable(text)
      const address = addressOf(wrapped)
      const material = address?.keyId === record.id ? materials.get(address.version) : undefined
      const plain = material && openBlob(material, wrapped, context)
      if (!plain) throw new KeyUnavailableError(`the key ${text} does not open what is said to be wrapped under it`)
      return plain
    },
    onChange: (heard) => {
      store.onChange((touched) => {
        const ids = touched ? touched.filter(({ kind }) => kind === 'kms-key').map(({ key }) => key) : used
        for (const id of ids) heard(keyArn(id))
      })
    },

    ensureServiceKey: async () => {
      const address = { pool: POOL, key: SERVICE_KEY }
      const known = await store.find('kms-alias', address)
      if (known) {
        const { keyId } = JSON.parse(known.body) as AliasRecord
        // Opened at once: with another master key no pool of this store could be read.
        await cache.get(keyId)
        return keyArn(keyId)
      }
      const id = await store.write(async (tx) => {
        const present = await tx.lock('kms-alias', address)
        if (present) return (JSON.parse(present.body) as AliasRecord).keyId
        const draft = { description: 'Protects pools that have no key of their own', policy: null, tags: [] }
        const record = fresh(clock.uuid(), draft, 'service')
        await save(tx, record)
        await saveAlias(tx, { name: SERVICE_KEY, keyId: record.id, created: record.created, updated: record.created })
        return record.id
      })
      return keyArn(id)
    },

    create: (draft) =>
      store.write(async (tx) => {
        if ((await tx.count('kms-key', { pool: POOL })) >= MAXIMUM_KEYS) throw new KeyRefusedError('key-limit', region)
        const id = draft.multiRegion ? `mrk-${clock.uuid().replaceAll('-', '')}` : clock.uuid()
        const record: KeyRecord = {
          ...fresh(id, draft, 'customer'),
          multiRegion: draft.multiRegion ? { primary: region, replicas: [], revision: 0, untold: [] } : null,
        }
        await save(tx, record)
        return record
      }),
    get: async (id) => (await getOpen(id)).record,
    list: async ({ after, limit }) => {
      const found: KeyRecord[] = []
      for await (const record of listKeys(after)) {
        if (found.length === limit) break
        if (isLive(record) && record.owner === 'customer' && !isDue(record)) found.push(record)
      }
      return found
    },
    enable: async (id) => {
      await change(id, (record) => {
        checkNotPending(record)
        return { ...record, state: 'Enabled' }
      })
    },
    disable: async (id) => {
      await change(id, (record) => {
        checkNotPending(record)
        return { ...record, state: 'Disabled' }
      })
    },
    putPolicy: async (id, policy) => {
      await change(id, (record) => ({ ...record, policy }))
    },
    scheduleDeletion: (id, days) =>
      change(id, (record) => {
        checkNotPending(record)
        const waits = record.multiRegion?.primary === region && record.multiRegion.replicas.length > 0
        return {
          ...record,
          state: waits ? 'PendingReplicaDeletion' : 'PendingDeletion',
          deletion: { days, at: waits ? null : clock.now() + days * DAY_MILLISECONDS },
        }
      }),
    cancelDeletion: async (id) => {
      await change(id, (record) => {
        if (!record.deletion) throw new KeyRefusedError('key-not-pending-deletion', keyArn(id))
        return { ...record, state: 'Disabled', deletion: null }
      })
    },
    replicate: async (id, to, draft) => {
      const record = await announceReplica(id, to)
      const { replicas } = record.multiRegion as MultiRegion
      const replica = replicas.find((one) => one.region === to) as Replica
      const created = clock.now()
      try {
        await send(to, offerOf(record, replica, { ...draft, created }))
      } catch (error) {
        await change(id, (present) => withoutReplica(present, replica) ?? present)
        throw error
      }
      const revised = await change(id, (present) => ({
        ...present,
        multiRegion: present.multiRegion && {
          ...present.multiRegion,
          replicas: present.multiRegion.replicas.map((one) => (one.grant === replica.grant ? established(one) : one)),
        },
      }))
      await tell(revised)
      return { ...record, ...draft, created, multiRegion: revised.multiRegion }
    },

    createAlias: (name, keyId) =>
      store.write(async (tx) => {
        const key = await lockKey(tx, keyId)
        if (!key || !isLive(key) || key.owner !== 'customer' || isDue(key)) {
          throw new KeyRefusedError('key-not-found', keyArn(keyId))
        }
        checkNotPending(key)
        if (await tx.lock('kms-alias', { pool: POOL, key: name })) throw new KeyRefusedError('alias-exists', arn(name))
        if ((await aliasesOf(tx, keyId)).length >= MAXIMUM_ALIASES_PER_KEY) {
          throw new KeyRefusedError('alias-limit', keyArn(keyId))
        }
        const now = clock.now()
        await saveAlias(tx, { name, keyId, created: now, updated: now })
      }),
    findAlias: async (name) => {
      if (!name.startsWith(ALIAS_PREFIX)) return undefined
      const row = await store.find('kms-alias', { pool: POOL, key: name })
      if (!row) return undefined
      const alias = JSON.parse(row.body) as AliasRecord
      return (await open(alias.keyId)) && { name, ...alias }
    },
    listAliases: async ({ keyId, after, limit }) => {
      if (keyId !== undefined) {
        await getOpen(keyId)
        const all = await aliasesOf(store, keyId)
        return all.filter(({ name }) => after === undefined || name > after).slice(0, limit)
      }
      const page = { pool: POOL, prefix: ALIAS_PREFIX, after, limit }
      const aliases = (await store.list('kms-alias', page)).map(toAlias)
      const keys = await Promise.all(aliases.map((alias) => open(alias.keyId)))
      // The time of some key has come: opening it has removed it, and its aliases.
      if (keys.includes(undefined)) return (await store.list('kms-alias', page)).map(toAlias)
      return aliases
    },

    encrypt: async (id, plain, context) => {
      const key = await getOpen(id)
      checkUsable(key.record)
      return seal(key, plain, context)
    },
    decrypt: async (blob, context, expected) => {
      const address = addressOf(blob)
      if (!address) throw new KeyRefusedError('ciphertext-invalid', '')
      if (expected !== undefined && address.keyId !== expected) {
        await getOpen(expected)
        throw new KeyRefusedError('ciphertext-of-another-key', keyArn(expected))
      }
      const { record, materials } = await getOpen(address.keyId)
      checkUsable(record)
      const material = materials.get(address.version)
      const plain = material && openBlob(material, blob, context)
      if (!plain) throw new KeyRefusedError('ciphertext-invalid', keyArn(address.keyId))
      return { key: record, plain }
    },

    accept: async (sealed) => {
      if (!messages) throw new KeyExchangeError('refused', 'this region has no cluster secret')
      const message = messages.open(sealed)
      if (message.type === 'replica') await acceptReplica(message)
      else if (message.type === 'replicas') await acceptReplicas(message)
      else await acceptRemoved(message)
    },
    offerAgain: async (to) => {
      for await (const body of listKeys()) {
        if (!isLive(body) || body.multiRegion?.primary !== region) continue
        if (!holders(body.multiRegion).some((one) => one.region === to)) continue
        const lost = await change(body.id, (record) => ({
          ...record,
          multiRegion: record.multiRegion && {
            ...record.multiRegion,
            replicas: record.multiRegion.replicas.map((one) => (one.region === to ? { ...one, lost: true } : one)),
          },
        }))
        await tell(lost)
      }
    },
    sweep: async () => {
      for await (const body of listKeys()) {
        if (isLive(body) && isDue(body)) await removeIfDue(body.id)
        const present = await store.find('kms-key', { pool: POOL, key: body.id })
        if (present) await tell(parseKey(present.body))
      }
    },
  }
}

const established = ({ region, grant }: Replica): Replica => ({ region, grant })

const REFUSALS = {
  'unknown-region': 'region-unknown',
  unreachable: 'region-unreachable',
  refused: 'region-refused',
} as const satisfies Record<KeyExchangeError['reason'], string>

const parseKey = (body: string): KeyRecord | RemovedKey => JSON.parse(body) as KeyRecord | RemovedKey

async function lockKey(tx: Transaction, id: string): Promise<KeyRecord | RemovedKey | undefined> {
  const row = await tx.lock('kms-key', { pool: POOL, key: id })
  return row && parseKey(row.body)
}

const save = (tx: Transaction, body: KeyRecord | RemovedKey): Promise<void> =>
  tx.set('kms-key', { pool: POOL, key: body.id, body: JSON.stringify(body) })

const saveAlias = (tx: Transaction, { name, ...record }: Alias): Promise<void> =>
  tx.set('kms-alias', { pool: POOL, key: name, body: JSON.stringify(record satisfies AliasRecord) })

const toAlias = ({ key, body }: { key: string; body: string }): Alias => ({
  name: key,
  ...(JSON.parse(body) as AliasRecord),
})

async function aliasesOf(db: Pick<Transaction, 'list'>, keyId: string): Promise<Alias[]> {
  const found: Alias[] = []
  let after: string | undefined
  for (;;) {
    const rows = await db.list('kms-alias', { pool: POOL, prefix: ALIAS_PREFIX, after, limit: PAGE })
    found.push(...rows.map(toAlias).filter((alias) => alias.keyId === keyId))
    if (rows.length < PAGE) return found
    after = rows.at(-1)?.key
  }
}
