/**
 * A bounded memory. It is kept in two halves, the older of which is forgotten as a whole: a Map that is told to forget its oldest entry looks
 * for it among all that it has forgotten since it was last rebuilt (docs/decisions/speed.md).
 */
export class Memory<V> {
  #recent = new Map<string, V>()
  #earlier = new Map<string, V>()
  readonly #half: number

  /** @param capacity the most that are remembered; of what was set or found last, half as many surely are */
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
