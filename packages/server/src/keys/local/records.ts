import type { Clock } from '../../clock.ts'
import { createCache, documentBytes } from '../../store/cache.ts'
import type { Store } from '../../store/store.ts'
import type { Transaction } from '../../store/write.ts'
import type { KeyArns } from './arns.ts'
import { isDue, isLive, type KeyDraft, type KeyRecord, KeyRefusedError, type RemovedKey } from './key-record.ts'
import type { KeyMaterial } from './material.ts'
import { aliasesOf, countKeys, findKey, listKeys, lockKey, type Page, removeAlias, removeKey, saveKey } from './rows.ts'

/** A key with its material, open in memory. */
export interface OpenKey {
  record: KeyRecord
  /** By version. */
  materials: ReadonlyMap<number, Buffer>
}

/**
 * The keys of one region and the states that they go through. A key whose deletion is due no longer exists for any of
 * these functions, whether or not its row has been removed yet. All but `open`, `all` and `removeIfDue` concern the
 * customers' keys only, and throw KeyRefusedError.
 */
export interface KeyRecords {
  /** A key of any owner, from memory where possible. */
  open(id: string): Promise<OpenKey | undefined>
  get(id: string): Promise<OpenKey>
  /** In the order of ids. */
  list(page: Page): Promise<KeyRecord[]>
  /** Every row after an id, in the order of ids. */
  all(after?: string): AsyncGenerator<KeyRecord | RemovedKey>
  removeIfDue(id: string): Promise<void>
  /** The record of a new key with new material. The caller saves it. */
  draft(id: string, draft: KeyDraft, of: Pick<KeyRecord, 'owner' | 'created'>): KeyRecord
  /** Locks the key and saves what `revise` returns; `revise` throws to refuse. `now` is the time of the transaction. */
  change(id: string, revise: (record: KeyRecord, now: number) => KeyRecord): Promise<KeyRecord>
  lock(tx: Transaction, id: string): Promise<KeyRecord>
  /** Throws KeyRefusedError for a key that is disabled or pending deletion. */
  checkUsable(record: Pick<KeyRecord, 'id' | 'state'>): void
  checkNotPending(record: Pick<KeyRecord, 'id' | 'state'>): void

  create(draft: KeyDraft & { multiRegion: boolean }): Promise<KeyRecord>
  enable(id: string): Promise<void>
  disable(id: string): Promise<void>
  putPolicy(id: string, policy: string): Promise<void>
  scheduleDeletion(id: string, days: number): Promise<KeyRecord>
  cancelDeletion(id: string): Promise<void>
}

export const DAY_MILLISECONDS = 86_400_000
/** https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html */
const MAXIMUM_KEYS = 100_000

export function createKeyRecords({
  store,
  clock,
  arns: { region, keyArn },
  material,
}: {
  store: Store
  clock: Pick<Clock, 'now' | 'uuid'>
  arns: KeyArns
  material: KeyMaterial
}): KeyRecords {
  const cache = createCache<OpenKey | undefined>(
    { store, bytesOf: ({ record }) => documentBytes(record) },
    async (id) => {
      const body = await findKey(store, id)
      return body && isLive(body) ? { record: body, materials: material.open(body) } : undefined
    },
    ({ kind, key }) => (kind === 'kms-key' ? key : undefined),
  )

  const open: KeyRecords['open'] = async (id) => {
    const key = await cache.get(id)
    if (!key || !isDue(key.record, clock.now())) return key
    await removeIfDue(id)
    return undefined
  }

  const get: KeyRecords['get'] = async (id) => {
    const key = await open(id)
    if (key?.record.owner !== 'customer') throw new KeyRefusedError('key-not-found', keyArn(id))
    return key
  }

  const removeIfDue: KeyRecords['removeIfDue'] = (id) =>
    store.write(async (tx) => {
      const body = await lockKey(tx, id)
      if (!body || !isLive(body) || !isDue(body, tx.now)) return
      for (const { name } of await aliasesOf(tx, id)) await removeAlias(tx, name)
      const replica = body.multiRegion?.replicas.find((one) => one.region === region)
      if (body.multiRegion && replica) {
        await saveKey(tx, { id, state: 'Removed', primary: body.multiRegion.primary, grant: replica.grant })
      } else await removeKey(tx, id)
    })

  const lock: KeyRecords['lock'] = async (tx, id) => {
    const body = await lockKey(tx, id)
    if (!body || !isLive(body) || body.owner !== 'customer' || isDue(body, tx.now)) {
      throw new KeyRefusedError('key-not-found', keyArn(id))
    }
    return body
  }

  const change: KeyRecords['change'] = (id, revise) =>
    store.write(async (tx) => {
      const revised = revise(await lock(tx, id), tx.now)
      await saveKey(tx, revised)
      return revised
    })

  const checkNotPending: KeyRecords['checkNotPending'] = ({ id, state }) => {
    if (state === 'PendingDeletion') throw new KeyRefusedError('key-pending-deletion', keyArn(id))
    if (state === 'PendingReplicaDeletion') throw new KeyRefusedError('key-pending-replica-deletion', keyArn(id))
  }

  const draft: KeyRecords['draft'] = (id, { description, policy, tags }, { owner, created }) => ({
    id,
    owner,
    state: 'Enabled',
    created,
    description,
    policy,
    tags,
    deletion: null,
    multiRegion: null,
    materials: [material.create(id)],
  })

  const setState = async (id: string, state: 'Enabled' | 'Disabled'): Promise<void> => {
    await change(id, (record) => {
      checkNotPending(record)
      return { ...record, state }
    })
  }

  return {
    open,
    get,
    list: async ({ after, limit }) => {
      const found: KeyRecord[] = []
      const now = clock.now()
      for await (const record of listKeys(store, after)) {
        if (found.length === limit) break
        if (isLive(record) && record.owner === 'customer' && !isDue(record, now)) found.push(record)
      }
      return found
    },
    all: (after) => listKeys(store, after),
    removeIfDue,
    draft,
    change,
    lock,
    checkUsable: (record) => {
      if (record.state === 'Disabled') throw new KeyRefusedError('key-disabled', keyArn(record.id))
      checkNotPending(record)
    },
    checkNotPending,

    create: ({ multiRegion, ...rest }) =>
      store.write(async (tx) => {
        if ((await countKeys(tx)) >= MAXIMUM_KEYS) throw new KeyRefusedError('key-limit', region)
        const id = multiRegion ? `mrk-${clock.uuid().replaceAll('-', '')}` : clock.uuid()
        const record: KeyRecord = {
          ...draft(id, rest, { owner: 'customer', created: tx.now }),
          multiRegion: multiRegion ? { primary: region, replicas: [], revision: 0, untold: [] } : null,
        }
        await saveKey(tx, record)
        return record
      }),
    enable: (id) => setState(id, 'Enabled'),
    disable: (id) => setState(id, 'Disabled'),
    putPolicy: async (id, policy) => {
      await change(id, (record) => ({ ...record, policy }))
    },
    scheduleDeletion: (id, days) =>
      change(id, (record, now) => {
        checkNotPending(record)
        const waits = record.multiRegion?.primary === region && record.multiRegion.replicas.length > 0
        return {
          ...record,
          state: waits ? 'PendingReplicaDeletion' : 'PendingDeletion',
          deletion: { days, at: waits ? null : now + days * DAY_MILLISECONDS },
        }
      }),
    cancelDeletion: async (id) => {
      await change(id, (record) => {
        if (!record.deletion) throw new KeyRefusedError('key-not-pending-deletion', keyArn(id))
        return { ...record, state: 'Disabled', deletion: null }
      })
    },
  }
}
