import type { Touched } from './database.ts'
import type { Store } from './store.ts'

/** A read-through cache. A change by any process of the region invalidates the entry. */
export interface Cache<T> {
  get(name: string): Promise<T>
  /** Drops all entries. */
  clear(): void
}

/**
 * @param load reads the value from the store; `undefined` is not cached
 * @param staleName the entry, if any, that a changed row invalidates
 */
export function createCache<T>(
  { store, capacity = 10_000 }: { store: Pick<Store, 'onChange'>; capacity?: number },
  load: (name: string) => Promise<T>,
  staleName: (touched: Touched) => string | undefined,
): Cache<T> {
  // Promises, not values: when a row changes during its load, the promise is dropped from the map and never reused.
  const known = new Map<string, Promise<T>>()
  store.onChange((touched) => {
    if (!touched) return known.clear()
    for (const row of touched) {
      const name = staleName(row)
      if (name !== undefined) known.delete(name)
    }
  })
  return {
    get: (name) => {
      const present = known.get(name)
      if (present) return present
      if (known.size >= capacity) known.delete(known.keys().next().value as string)
      const loading = load(name)
      known.set(name, loading)
      const drop = (): void => {
        if (known.get(name) === loading) known.delete(name)
      }
      loading.then((value) => value === undefined && drop(), drop)
      return loading
    },
    clear: () => known.clear(),
  }
}
