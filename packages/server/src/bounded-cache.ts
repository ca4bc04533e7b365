/** Memory of an entry besides its name and its value, rounded up. */
const ENTRY_BYTES = 100

/**
 * A cache of bounded memory. It has two generations; once the newer one is full, the older one is dropped as a whole. Evicting single
 * entries is slow: to find its oldest entry, a Map scans all entries deleted since its last rehash (docs/decisions/speed.md).
 *
 * A name must not be text from a caller, which may have any length: use a hash of it.
 */
export class BoundedCache<V> {
  #recent = new Map<string, V>()
  #earlier = new Map<string, V>()
  #recentBytes = 0
  readonly #half: number
  readonly #bytesOf: (value: V) => number

  /**
   * @param limits `bytes`: maximum memory of the entries; the cache always has the most recently used half of them. `bytesOf`: the
   * approximate memory of a value
   */
  constructor({ bytes, bytesOf = () => 0 }: { bytes: number; bytesOf?: (value: V) => number }) {
    this.#half = bytes / 2
    this.#bytesOf = bytesOf
  }

  get(name: string): V | undefined {
    const recent = this.#recent.get(name)
    if (recent !== undefined) return recent
    const earlier = this.#earlier.get(name)
    if (earlier !== undefined) this.set(name, earlier)
    return earlier
  }

  /** A value that is larger than half of the cache is not kept. */
  set(name: string, value: V): void {
    const replaced = this.#recent.get(name)
    if (replaced !== undefined) {
      this.#recent.delete(name)
      this.#recentBytes -= this.#cost(name, replaced)
    }
    const cost = this.#cost(name, value)
    if (cost > this.#half) return void this.#earlier.delete(name)
    if (this.#recentBytes + cost > this.#half) {
      this.#earlier = this.#recent
      this.#recent = new Map()
      this.#recentBytes = 0
    }
    this.#recent.set(name, value)
    this.#recentBytes += cost
  }

  #cost(name: string, value: V): number {
    return ENTRY_BYTES + name.length + this.#bytesOf(value)
  }
}
