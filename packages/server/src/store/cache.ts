import type { Touched } from './database.ts'
import type { Store } from './store.ts'

/** Reads through a memory of rows; what changes in the region, in whichever process, is forgotten here. */
export interface Cache<T> {
  get(name: string): Promise<T>
  /** Forgets everything. */
  clear(): void
}

/**
 * @param load reads the value from the store; `undefined` is not remembered
 * @param dropped which name, if any, a touched row makes stale
 */
export function createCache<T>(
  { store, capacity = 10_000 }: { store: Pick<Store, 'onChange'>; capacity?: number },
  load: (name: string) => Promise<T>,
  dropped: (touched: Touched) => string | undefined,
): Cache<T> {
  // Promises, not values: a load that a change overtakes is dropped from the map before it ends, and so is never reused.
  const known = new Map<string, Promise<T>>()
  store.onChange((touched) => {
    if (!touched) return known.clear()
    for (const row of touched) {
      const name = dropped(row)
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
      const forget = (): void => {
        if (known.get(name) === loading) known.delete(name)
      }
      loading.then((value) => value === undefined && forget(), forget)
      return loading
    },
    clear: () => known.clear(),
  }
}
