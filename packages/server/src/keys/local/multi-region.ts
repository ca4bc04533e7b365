import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import type { Store } from '../../store/store.ts'
import type { KeyArns } from './arns.ts'
import {
  type HeldKeys,
  type KeyExchange,
  KeyExchangeError,
  type KeyMessage,
  type KeyMessageSeal,
  OTHER_SECRET,
} from './key-exchange.ts'
import {
  holders,
  isDue,
  isLive,
  type KeyDraft,
  type KeyRecord,
  KeyRefusedError,
  type MultiRegion,
  type RemovedKey,
  type Replica,
} from './key-record.ts'
import type { KeyMaterial } from './material.ts'
import { DAY_MILLISECONDS, type KeyRecords } from './records.ts'
import { findKey, lockKey, removeKey, saveKey } from './rows.ts'

/**
 * Multi-Region keys: the same id and material in several regions, each with its own state, description, policy and
 * tags. The primary region keeps the list of replicas and sends it to them; a replica reports its own removal.
 * Every message may arrive late, twice or never: `notify` sends it again until the other region has accepted it.
 */
export interface MultiRegionKeys {
  /** Gives the key to another region and returns the record as that region has it. Throws KeyRefusedError. */
  replicate(id: string, region: string, draft: KeyDraft): Promise<KeyRecord>
  /** Processes a message of another region. Throws KeyExchangeError `refused`. */
  accept(message: unknown): Promise<void>
  /** Sends what other regions have not accepted yet; a failed delivery is left to the next call. */
  notify(id: string): Promise<void>
  /**
   * Offers a region the keys of this primary that were replicated to it and that it no longer holds, until it has accepted them.
   * Throws KeyExchangeError if the region cannot be asked. A region that cannot report its keys is offered all of them, if `behind`:
   * it lost its store or was put back.
   */
  offerAgain(region: string, options: { behind: boolean }): Promise<void>
  /** The ids of the keys of another primary that this region holds. */
  held(primary: string, after: string | undefined): Promise<HeldKeys>
}

const HELD_PAGE = 1_000

/** An offer that is still open after this time was made by a process that has died since, and may be repeated. */
const OFFER_MILLISECONDS = 60_000

const REFUSALS = {
  'unknown-region': 'region-unknown',
  unreachable: 'region-unreachable',
  refused: 'region-refused',
} as const satisfies Record<KeyExchangeError['reason'], string>

type MessageOf<Type extends KeyMessage['type']> = Extract<KeyMessage, { type: Type }>

/** Without `exchange` and `messages`, keys stay in the region where they were created. */
export function createMultiRegionKeys({
  store,
  clock,
  arns: { region, keyArn },
  records,
  material,
  exchange,
  messages,
}: {
  store: Store
  clock: Pick<Clock, 'now' | 'uuid'>
  arns: KeyArns
  records: KeyRecords
  material: KeyMaterial
  exchange: KeyExchange | undefined
  messages: KeyMessageSeal | undefined
}): MultiRegionKeys {
  // ---- sending

  /** Throws KeyRefusedError when the other region is unreachable or does not accept the message. */
  const send = async (to: string, message: KeyMessage): Promise<void> => {
    const seals = messages?.seals(to, message) ?? []
    if (!exchange || seals.length === 0) throw new KeyRefusedError('region-unknown', to)
    for (const [at, sealed] of seals.entries()) {
      try {
        return await exchange.offer(to, sealed)
      } catch (error) {
        if (!(error instanceof KeyExchangeError)) throw error
        if (error.message === OTHER_SECRET && at < seals.length - 1) continue
        throw new KeyRefusedError(REFUSALS[error.reason], to, { cause: error })
      }
    }
  }

  const isAccepted = (to: string, message: KeyMessage): Promise<boolean> =>
    send(to, message).then(
      () => true,
      (error) => {
        if (error instanceof KeyRefusedError) return false
        throw error
      },
    )

  /** Returns the regions that accepted their message. */
  const sendAll = async (deliveries: readonly { to: string; message: KeyMessage }[]): Promise<Set<string>> => {
    const accepted = await Promise.all(
      deliveries.map(async ({ to, message }) => ((await isAccepted(to, message)) ? [to] : [])),
    )
    return new Set(accepted.flat())
  }

  /** The message that gives a region the key. */
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
      materials: [...material.open(record)].map(([version, plain]) => ({ version, plain: plain.toString('base64') })),
    }
  }

  const notify = async (body: KeyRecord | RemovedKey): Promise<void> =>
    isLive(body) ? notifyReplicas(body) : notifyPrimary(body)

  const notifyPrimary = async ({ id, primary, grant }: RemovedKey): Promise<void> => {
    if (!(await isAccepted(primary, { type: 'removed', id, region, grant }))) return
    await store.write(async (tx) => {
      const present = await lockKey(tx, id)
      if (present && !isLive(present) && present.grant === grant) await removeKey(tx, id)
    })
  }

  const notifyReplicas = async (body: KeyRecord): Promise<void> => {
    const { id, multiRegion } = body
    if (!multiRegion) return
    const { primary, replicas, revision, untold } = multiRegion
    const lost = replicas.filter((one) => one.lost)
    if (lost.length + untold.length === 0) return
    const restored = await sendAll(
      lost.map((replica) => ({ to: replica.region, message: offerOf(body, replica, body) })),
    )
    const list: KeyMessage = { type: 'replicas', id, primary, replicas: replicas.map(established), revision }
    const informed = await sendAll(untold.map((to) => ({ to, message: list })))
    await store.write(async (tx) => {
      const present = await lockKey(tx, id)
      if (!present || !isLive(present) || !present.multiRegion) return
      // If the list has changed since, the new one is still to be sent.
      const isCurrent = present.multiRegion.revision === revision
      await saveKey(tx, {
        ...present,
        multiRegion: {
          ...present.multiRegion,
          replicas: present.multiRegion.replicas.map((one) => (restored.has(one.region) ? established(one) : one)),
          untold: present.multiRegion.untold.filter((to) => !isCurrent || !informed.has(to)),
        },
      })
    })
  }

  /** Adds the replica to the list before it is offered, so that the primary knows it whether or not the offer succeeds. */
  const announceReplica = (id: string, to: string): Promise<KeyRecord> =>
    records.change(id, (record, now) => {
      records.checkUsable(record)
      const { multiRegion } = record
      if (multiRegion?.primary !== region) throw new KeyRefusedError('key-not-multi-region-primary', keyArn(id))
      if (to === region) throw new KeyRefusedError('region-same', to)
      const present = multiRegion.replicas.find((one) => one.region === to)
      const isAbandoned = present?.creatingSince !== undefined && now - present.creatingSince > OFFER_MILLISECONDS
      if (present && !isAbandoned) throw new KeyRefusedError('region-has-replica', to)
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

  // ---- receiving

  const acceptReplica = (message: MessageOf<'replica'>): Promise<void> =>
    store.write(async (tx) => {
      const { id, primary, replicas, revision } = message
      const multiRegion = { primary, replicas, revision, untold: [] }
      const present = await lockKey(tx, id)
      // This replica was deleted here, and the primary will be notified: a repeated offer must not bring it back.
      if (present && grantOf(present) === message.grant && (!isLive(present) || isDue(present, tx.now))) return
      if (present && isLive(present) && !isDue(present, tx.now)) {
        if (!hasMaterials(present, message.materials) || present.multiRegion?.primary !== primary) {
          throw new KeyExchangeError('refused', `this region has another key ${id}`)
        }
        if (present.multiRegion.revision < revision) await saveKey(tx, { ...present, multiRegion })
        return
      }
      await saveKey(tx, {
        ...records.draft(id, message, { owner: 'customer', created: message.created }),
        multiRegion,
        materials: message.materials.map(({ version, plain }) =>
          material.seal(id, version, Buffer.from(plain, 'base64')),
        ),
      })
    })

  const grantOf = (body: KeyRecord | RemovedKey): string | undefined =>
    isLive(body) ? body.multiRegion?.replicas.find((one) => one.region === region)?.grant : body.grant

  const hasMaterials = (record: KeyRecord, materials: MessageOf<'replica'>['materials']): boolean => {
    const ours = material.open(record)
    return materials.every(({ version, plain }) => {
      const mine = ours.get(version)
      const theirs = Buffer.from(plain, 'base64')
      return mine?.length === theirs.length && timingSafeEqual(mine, theirs)
    })
  }

  const acceptReplicas = (message: MessageOf<'replicas'>): Promise<void> =>
    store.write(async (tx) => {
      const { id, primary, replicas, revision } = message
      const present = await lockKey(tx, id)
      if (!present || !isLive(present) || !present.multiRegion || present.multiRegion.revision >= revision) return
      await saveKey(tx, { ...present, multiRegion: { primary, replicas, revision, untold: [] } })
    })

  const acceptRemoved = (message: MessageOf<'removed'>): Promise<void> =>
    store.write(async (tx) => {
      const present = await lockKey(tx, message.id)
      if (!present || !isLive(present)) return
      const { region: from, grant } = message
      const revised = withoutReplica(present, { region: from, grant }, tx.now)
      if (revised) await saveKey(tx, revised)
    })

  /** Undefined when the key has no such replica. The removal of the last replica starts a pending deletion of the key. */
  const withoutReplica = (record: KeyRecord, { region: from, grant }: Replica, now: number): KeyRecord | undefined => {
    const { multiRegion, deletion } = record
    if (!multiRegion) return undefined
    const replicas = multiRegion.replicas.filter((one) => one.region !== from || one.grant !== grant)
    if (replicas.length === multiRegion.replicas.length) return undefined
    const canBegin = record.state === 'PendingReplicaDeletion' && replicas.length === 0 && deletion !== null
    return {
      ...record,
      ...(canBegin && {
        state: 'PendingDeletion' as const,
        deletion: { ...deletion, at: now + deletion.days * DAY_MILLISECONDS },
      }),
      multiRegion: {
        ...multiRegion,
        replicas,
        revision: multiRegion.revision + 1,
        untold: replicas.map((one) => one.region),
      },
    }
  }

  return {
    replicate: async (id, to, draft) => {
      const record = await announceReplica(id, to)
      const { replicas } = record.multiRegion as MultiRegion
      const replica = replicas.find((one) => one.region === to) as Replica
      const created = clock.now()
      try {
        await send(to, offerOf(record, replica, { ...draft, created }))
      } catch (error) {
        await records.change(id, (present, now) => withoutReplica(present, replica, now) ?? present)
        throw error
      }
      const revised = await records.change(id, (present) =>
        withReplicas(present, (one) => (one.grant === replica.grant ? established(one) : one)),
      )
      await notify(revised)
      return { ...record, ...draft, created, multiRegion: revised.multiRegion }
    },
    accept: async (sealed) => {
      if (!messages) throw new KeyExchangeError('refused', 'this region has no cluster secret')
      const message = messages.open(sealed)
      if (message.type === 'replica') await acceptReplica(message)
      else if (message.type === 'replicas') await acceptReplicas(message)
      else await acceptRemoved(message)
    },
    notify: async (id) => {
      const body = await findKey(store, id)
      if (body) await notify(body)
    },
    held: async (primary, after) => {
      const ids: string[] = []
      for await (const body of records.all(after)) {
        // A key whose removal the primary has not received yet counts: it must not be offered again.
        if ((isLive(body) ? body.multiRegion?.primary : body.primary) !== primary) continue
        ids.push(body.id)
        if (ids.length === HELD_PAGE) return { ids, next: body.id }
      }
      return { ids, next: null }
    },
    offerAgain: async (to, { behind }) => {
      const held = await exchange?.held(to).catch((error: unknown) => {
        if (behind && error instanceof KeyExchangeError) return undefined
        throw error
      })
      if (!held && !behind) return
      for await (const body of records.all()) {
        if (!isLive(body) || body.multiRegion?.primary !== region || held?.has(body.id)) continue
        if (!holders(body.multiRegion).some((one) => one.region === to)) continue
        const revised = await records.change(body.id, (record) =>
          withReplicas(record, (one) => (one.region === to ? { ...one, lost: true } : one)),
        )
        await notify(revised)
      }
    },
  }
}

/** A replica without the marks of its primary's own bookkeeping. */
const established = ({ region, grant }: Replica): Replica => ({ region, grant })

const withReplicas = (record: KeyRecord, revise: (replica: Replica) => Replica): KeyRecord => ({
  ...record,
  multiRegion: record.multiRegion && { ...record.multiRegion, replicas: record.multiRegion.replicas.map(revise) },
})
