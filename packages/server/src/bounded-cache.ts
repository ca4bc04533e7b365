/**
 * A cache of bounded size. It has two generations; once the newer one is full, the older one is dropped as a whole. Evicting single
 * entries is slow: to find its oldest entry, a Map scans all entries deleted since its last rehash (docs/decisions/speed.md).
 */
export class BoundedCache<V> {
  #recent = new Map<string, V>()
  #earlier = new Map<string, V>()
  readonly #half: number

  /** @param capacity maximum number of entries; the cache always has the most recently used half of them */
  constructor(capacity: number) {
    this.#half = Math.ceil(capacity / 2)
  }

  get(name: string): V | undefined {
    const recent = this.#recent.get(name)
    if (recent !== undefined) return recent
    const earlier = this.#earlier.get(name)
    if (earlier !== undefined) this.set(name, earlier)
    return earlier
  }

  set(name: string, value: V): void {
    if (this.#recent.size >= this.#half && !this.#recent.has(name)) {
      this.#earlier = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(name, value)
  }
}
