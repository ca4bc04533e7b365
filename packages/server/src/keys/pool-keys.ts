import { hash } from 'node:crypto'
import { BoundedCache } from '../bounded-cache.ts'
import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import { createCache } from '../store/cache.ts'
import { ONLY } from '../store/kinds.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { cipherOf, type PoolCipher, type SealBrokenError, SealVersionError } from './pool-cipher.ts'
import { type KeyProvider, KeyUnavailableError } from './provider.ts'

export { type PoolCipher, type Purpose, SealBrokenError, SealVersionError } from './pool-cipher.ts'

/**
 * Body of a `data-key` row. It unwraps in every region that holds the material of the wrapping key. `form` is part of the encryption
 * context, so it cannot be changed without the key service.
 */
export interface DataKey {
  keyArn: string
  wrapped: string
  form?: 'sealed'
}

/** Body of a `newer-data-key` row; its key is the number of the data key, from 1. */
interface NewerDataKey {
  keyArn: string
  wrapped: string
  /** Milliseconds since the epoch. */
  created: number
  /** Whether values are sealed under it; before, every region only learns to open them. */
  active: boolean
}

export interface NewestDataKey {
  number: number
  /** Milliseconds since the epoch; undefined for the data key that the pool was created with. */
  created: number | undefined
  active: boolean
}

/** The data key of a pool, to be written in a transaction that begins later: on SQLite, waiting in it holds up all other writes. */
export interface WrappedAgain {
  /** Writes nothing and returns false when the data key has been wrapped again since. */
  write(tx: Transaction): Promise<boolean>
}

export interface PoolKeys {
  /** Throws KeyUnavailableError when the pool's KMS key is disabled or deleted: the pool stops, as in Cognito. */
  get(pool: string): Promise<PoolCipher>
  /** Whether the data key of the pool can be unwrapped; undefined if this region has no data key of the pool. */
  opens(pool: string): Promise<boolean | undefined>
  /**
   * Creates the data key of a new pool, with `form` for a pool that is sealed from the start. Call `write` in the transaction that
   * creates the pool; the cipher seals its first rows.
   */
  create(
    pool: string,
    keyArn: string,
    form?: DataKey['form'],
  ): Promise<{ cipher: PoolCipher; write(tx: Transaction): Promise<void> }>
  /** Wraps the data key of the pool under another KMS key; sealed values stay as they are. */
  rewrap(pool: string, keyArn: string): Promise<WrappedAgain>
  /**
   * Wraps the data key of the pool again, as that of a sealed pool. The cipher seals rows that prove it. Returns undefined when the
   * stored data key is that of a sealed pool already.
   */
  seal(pool: string): Promise<(WrappedAgain & { cipher: PoolCipher }) | undefined>
  /** The newest data key of a pool, read from the store. */
  newest(pool: string): Promise<NewestDataKey>
  /** A further data key for a sealed pool, which opens values from now on and seals none. Write it in a transaction. */
  createNewer(pool: string): Promise<WrappedAgain & { number: number }>
  /** Lets the data key with this number seal. Returns false when it already does, or is not the newest any more. */
  activate(tx: Transaction, pool: string, number: number): Promise<boolean>
  /** Takes the seals counted since the last call, by pool and number of the data key, where there are at least `least`. */
  takeSealCounts(least: number): SealCounts[]
  /** Adds counts that were taken and could not be saved. */
  addSealCounts(counts: readonly SealCounts[]): void
}

/** The seals of a process under one data key of a pool. */
export interface SealCounts {
  pool: string
  number: number
  count: number
}

/** A data key and its subkeys. */
const CIPHER_BYTES = 4_000
/** For about a thousand rows. */
const REPORTED_BYTES = 150_000
/** Data keys of a pool; at one rotation per day they last for two years. */
const MAXIMUM_NEWER = 1_000

export function createPoolKeys({
  store,
  provider,
  clock,
  events,
}: {
  store: Store
  provider: KeyProvider
  clock: Pick<Clock, 'randomBytes'>
  events: Pick<Events, 'noted'>
}): PoolKeys {
  /** The rows that were reported recently: a row that nobody repairs is read again and again. */
  const reported = new BoundedCache<true>({ bytes: REPORTED_BYTES })
  const isReported = (text: string): boolean => {
    const name = hash('sha256', text, 'base64')
    if (reported.get(name)) return true
    reported.set(name, true)
    return false
  }
  const reportBroken = (binding: string, error: SealBrokenError): void => {
    const [pool, kind, key] = binding.split('\n')
    // The notification of a new data key may be late or lost: the next call reads the keys again, once for each number.
    if (error instanceof SealVersionError && error.dataKey !== undefined && !isReported(`${pool}\n${error.dataKey}`)) {
      ciphers.clear()
    }
    if (isReported(binding)) return
    events.noted('row-unreadable', { pool, kind, key, why: error.message })
  }
  /** Seals by pool and number of the data key, since they were last taken. */
  const counts = new Map<string, SealCounts>()
  const counterOf = (pool: string, number: number): ((seals?: number) => void) => {
    const name = `${pool}\n${number}`
    return (seals = 1) => {
      const entry = counts.get(name)
      if (entry) entry.count += seals
      else counts.set(name, { pool, number, count: seals })
    }
  }
  const ciphers = createCache<PoolCipher>(
    { store, bytesOf: () => CIPHER_BYTES },
    async (pool) => {
      const { dataKey } = await findDataKey(pool)
      const rows = await listNewer(pool)
      const [first, ...others] = await Promise.all([
        unwrap(pool, dataKey),
        ...rows.map(({ number, body }) => unwrapNewer(pool, number, body)),
      ])
      const newer = new Map(rows.map(({ number }, at) => [number, others[at] as Buffer]))
      const sealing = rows.findLast(({ body }) => body.active)?.number ?? 0
      return cipherOf(
        { first: first as Buffer, newer, sealing },
        // A newer data key is wrapped as that of a sealed pool.
        {
          clock,
          isSealed: dataKey.form === 'sealed' || rows.length > 0,
          countSeal: counterOf(pool, sealing),
          reportBroken,
        },
      )
    },
    ({ kind, pool }) => (kind === 'data-key' || kind === 'newer-data-key' ? pool : undefined),
  )
  provider.onChange(() => ciphers.clear())

  /** Throws KeyUnavailableError. */
  const findDataKey = async (pool: string): Promise<{ body: string; dataKey: DataKey }> => {
    const row = await store.find('data-key', { pool, key: ONLY })
    if (!row) throw new KeyUnavailableError(`the pool ${pool} has no data key`)
    return { body: row.body, dataKey: parseDataKey(pool, row.body) }
  }
  const unwrap = (pool: string, { keyArn, wrapped, form }: DataKey): Promise<Buffer> =>
    provider.unwrap(localArn(keyArn, provider.region), Buffer.from(wrapped, 'base64'), contextOf(pool, form))
  const listNewer = async (pool: string) =>
    (await store.list('newer-data-key', { pool, limit: MAXIMUM_NEWER })).map((row) => {
      return { number: Number(row.key), body: parseKeyBody(pool, row.body) as unknown as NewerDataKey, text: row.body }
    })
  const unwrapNewer = (pool: string, number: number, { keyArn, wrapped }: NewerDataKey): Promise<Buffer> =>
    provider.unwrap(
      localArn(keyArn, provider.region),
      Buffer.from(wrapped, 'base64'),
      contextOf(pool, 'sealed', number),
    )
  const writeNewer = (tx: Transaction, pool: string, number: number, body: NewerDataKey) =>
    tx.put('newer-data-key', { pool, key: keyOfNumber(number), body: JSON.stringify(body) })
  const write = (tx: Transaction, pool: string, { wrapped, ...rest }: Omit<DataKey, 'wrapped'> & { wrapped: Buffer }) =>
    tx.put('data-key', {
      pool,
      key: ONLY,
      body: JSON.stringify({ ...rest, wrapped: wrapped.toString('base64') } satisfies DataKey),
    })
  const wrapAgain = async (
    pool: string,
    { body, plain, dataKey: { keyArn, form } }: { body: string; plain: Buffer; dataKey: Omit<DataKey, 'wrapped'> },
  ): Promise<WrappedAgain> => {
    const wrapped = await provider.wrap(keyArn, plain, contextOf(pool, form))
    return {
      write: async (tx) => {
        const present = await tx.lock('data-key', { pool, key: ONLY })
        if (present?.body !== body) return false
        await write(tx, pool, { keyArn, wrapped, ...(form && { form }) })
        return true
      },
    }
  }

  return {
    get: (pool) => ciphers.get(pool),
    opens: async (pool) => {
      try {
        await ciphers.get(pool)
        return true
      } catch (error) {
        if (!(error instanceof KeyUnavailableError)) throw error
        return (await store.find('data-key', { pool, key: ONLY })) ? false : undefined
      }
    },
    create: async (pool, keyArn, form) => {
      const { plain, wrapped } = await provider.generateDataKey(keyArn, contextOf(pool, form))
      return {
        cipher: cipherOf(
          { first: plain },
          { clock, isSealed: form === 'sealed', countSeal: counterOf(pool, 0), reportBroken },
        ),
        write: (tx) => write(tx, pool, { keyArn, wrapped, ...(form && { form }) }),
      }
    },
    rewrap: async (pool, keyArn) => {
      const { body, dataKey } = await findDataKey(pool)
      const plain = await unwrap(pool, dataKey)
      const first = await wrapAgain(pool, { body, plain, dataKey: { ...dataKey, keyArn } })
      const newer = await Promise.all(
        (await listNewer(pool)).map(async ({ number, body, text }) => {
          const wrapped = await provider.wrap(
            keyArn,
            await unwrapNewer(pool, number, body),
            contextOf(pool, 'sealed', number),
          )
          return { number, text, body: { ...body, keyArn, wrapped: wrapped.toString('base64') } }
        }),
      )
      return {
        write: async (tx) => {
          await tx.lock('data-key', { pool, key: ONLY })
          const present = await tx.list('newer-data-key', { pool, limit: MAXIMUM_NEWER })
          // A data key that was added or activated since would stay under the old KMS key.
          if (present.map(({ body }) => body).join() !== newer.map(({ text }) => text).join()) return false
          if (!(await first.write(tx))) return false
          for (const { number, body } of newer) await writeNewer(tx, pool, number, body)
          return true
        },
      }
    },
    seal: async (pool) => {
      const { body, dataKey } = await findDataKey(pool)
      if (dataKey.form === 'sealed') return undefined
      const plain = await unwrap(pool, dataKey)
      const keyArn = localArn(dataKey.keyArn, provider.region)
      const wrapped = await wrapAgain(pool, { body, plain, dataKey: { keyArn, form: 'sealed' } })
      return {
        ...wrapped,
        cipher: cipherOf({ first: plain }, { clock, isSealed: true, countSeal: counterOf(pool, 0), reportBroken }),
      }
    },
    newest: async (pool) => {
      const newest = (await listNewer(pool)).at(-1)
      if (!newest) return { number: 0, created: undefined, active: true }
      return { number: newest.number, created: newest.body.created, active: newest.body.active }
    },
    createNewer: async (pool) => {
      const { dataKey } = await findDataKey(pool)
      if (dataKey.form !== 'sealed') throw new Error(`the pool ${pool} is not sealed`)
      const number = ((await listNewer(pool)).at(-1)?.number ?? 0) + 1
      if (number > MAXIMUM_NEWER) throw new Error(`the pool ${pool} has ${MAXIMUM_NEWER} data keys`)
      const keyArn = localArn(dataKey.keyArn, provider.region)
      const { wrapped } = await provider.generateDataKey(keyArn, contextOf(pool, 'sealed', number))
      const text = wrapped.toString('base64')
      return {
        number,
        write: async (tx) => {
          // The lock of the data key excludes a change of the KMS key.
          const present = await tx.lock('data-key', { pool, key: ONLY })
          if (!present || localArn(parseDataKey(pool, present.body).keyArn, provider.region) !== keyArn) return false
          if (await tx.lock('newer-data-key', { pool, key: keyOfNumber(number) })) return false
          await writeNewer(tx, pool, number, { keyArn, wrapped: text, created: tx.now, active: false })
          return true
        },
      }
    },
    activate: async (tx, pool, number) => {
      await tx.lock('data-key', { pool, key: ONLY })
      const row = await tx.lock('newer-data-key', { pool, key: keyOfNumber(number) })
      const body = row && (parseKeyBody(pool, row.body) as unknown as NewerDataKey)
      if (!body || body.active) return false
      await writeNewer(tx, pool, number, { ...body, active: true })
      return true
    },
    takeSealCounts: (least) => {
      const taken = [...counts].filter(([, { count }]) => count >= least)
      for (const [name] of taken) counts.delete(name)
      return taken.map(([, entry]) => entry)
    },
    addSealCounts: (taken) => {
      for (const { pool, number, count } of taken) counterOf(pool, number)(count)
    },
  }
}

/** Throws KeyUnavailableError for a body that no build wrote: the pool stops, as with a key that does not unwrap. */
const parseDataKey = (pool: string, body: string): DataKey => parseKeyBody(pool, body)

function parseKeyBody(pool: string, body: string): DataKey {
  let parsed: Partial<DataKey> | null = null
  try {
    parsed = JSON.parse(body) as Partial<DataKey> | null
  } catch {}
  if (typeof parsed?.keyArn === 'string' && typeof parsed.wrapped === 'string') return parsed as DataKey
  throw new KeyUnavailableError(`the data key of the pool ${pool} is damaged`)
}

const contextOf = (pool: string, form: DataKey['form'], number = 0): Record<string, string> => ({
  'twinpool:user-pool': pool,
  ...(form && { 'twinpool:form': form }),
  ...(number > 0 && { 'twinpool:data-key': String(number) }),
})

/** In the order of the numbers. */
const keyOfNumber = (number: number): string => String(number).padStart(5, '0')

/**
 * The ARN of a key in another region: a replica key has the id and material of its primary key, and an ARN of its own region.
 * https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html
 */
export function localArn(keyArn: string, region: string): string {
  const parts = keyArn.split(':')
  parts[3] = region
  return parts.join(':')
}
