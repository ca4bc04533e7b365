/** Pseudo-random choices: the same seed gives the same sequence. */
export interface Random {
  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number
  /** An integer from `least` to `most`, inclusive. */
  between(least: number, most: number): number
  chance(probability: number): boolean
  pick<T>(list: readonly T[]): T
  /** One of the keys, with a probability proportional to its weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K
}

/** Mulberry32, seeded with a hash (FNV-1a) of seed and name; each name gives its own sequence. */
export function createRandom(seed: number, name: string): Random {
  let state = 0x811c9dc5
  for (const byte of Buffer.from(`${seed}/${name}`)) state = Math.imul(state ^ byte, 0x01000193)
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    below,
    between: (least, most) => least + below(most - least + 1),
    chance: (probability) => next() < probability,
    pick: (list) => list[below(list.length)] as (typeof list)[number],
    weighted: <K extends string>(weights: Readonly<Record<K, number>>) => {
      const rows = Object.entries(weights) as [K, number][]
      let left = next() * rows.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [key, weight] of rows) {
        left -= weight
        if (left < 0) return key
      }
      return rows[0]?.[0] as K
    },
  }
}
