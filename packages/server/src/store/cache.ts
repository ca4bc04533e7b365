import type { Touched } from './database.ts'
import type { Store } from './store.ts'

/** A read-through cache. A change by any process of the region invalidates the entry. */
export interface Cache<T> {
  get(name: string): Promise<T>
  /** Drops all entries. */
  clear(): void
}

/** The approximate memory of a parsed document: its members and their names take several times as much as its text. */
export const documentBytes = (document: unknown): number => 4 * JSON.stringify(document).length

/** Maximum memory of the values of a cache. */
const CAPACITY_BYTES = 16_000_000
/** Memory of an entry besides its value, rounded up. */
const ENTRY_BYTES = 300

/**
 * @param bytesOf the approximate memory of a value
 * @param load reads the value from the store; `undefined` is not cached
 * @param staleName the entry, if any, that a changed row invalidates
 */
export function createCache<T>(
  {
    store,
    bytesOf,
    capacityBytes = CAPACITY_BYTES,
  }: { store: Pick<Store, 'onChange'>; bytesOf: (value: NonNullable<T>) => number; capacityBytes?: number },
  load: (name: string) => Promise<T>,
  staleName: (touched: Touched) => string | undefined,
): Cache<T> {
  // Promises, not values: when a row changes during its load, the promise is dropped from the map and never reused.
  const known = new Map<string, { loading: Promise<T>; bytes: number }>()
  let total = 0
  const remove = (name: string): void => {
    total -= known.get(name)?.bytes ?? 0
    known.delete(name)
  }
  const clear = (): void => {
    known.clear()
    total = 0
  }
  const dropOldest = (): void => {
    while (total > capacityBytes && known.size > 1) remove(known.keys().next().value as string)
  }
  store.onChange((touched) => {
    if (!touched) return clear()
    for (const row of touched) {
      const name = staleName(row)
      if (name !== undefined) remove(name)
    }
  })
  return {
    get: (name) => {
      const present = known.get(name)
      if (present) return present.loading
      const entry = { loading: load(name), bytes: ENTRY_BYTES }
      known.set(name, entry)
      total += entry.bytes
      const settle = (value: T | undefined): void => {
        if (known.get(name) !== entry) return
        const bytes = value === undefined || value === null ? undefined : bytesOf(value)
        if (bytes === undefined) remove(name)
        else {
          entry.bytes += bytes
          total += bytes
          dropOldest()
        }
      }
      entry.loading.then(settle, () => settle(undefined))
      return entry.loading
    },
    clear,
  }
}
