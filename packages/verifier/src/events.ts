/**
 * What happens to the keys, for logs and alarms. `pool` is the pool's first issuer; `refresh-failed` with a growing `ageMs` is
 * the one to be woken by.
 */
export type VerifierEvent =
  | { readonly type: 'seeded'; readonly pool: string; readonly keyIds: readonly string[] }
  | { readonly type: 'seed-failed'; readonly pool: string; readonly error: unknown }
  | {
      readonly type: 'refreshed'
      readonly pool: string
      readonly address: string
      readonly keyIds: readonly string[]
      readonly added: readonly string[]
      readonly withdrawn: readonly string[]
      readonly tookMs: number
    }
  | {
      readonly type: 'refresh-failed'
      readonly pool: string
      /** In a row. */
      readonly failures: number
      /** Of the keys at hand; undefined without any. */
      readonly ageMs: number | undefined
      /** AggregateError of one JwksError for each address. */
      readonly error: unknown
    }
  /** A token named a key that is not at hand, and the keys are fetched because of it. */
  | { readonly type: 'unknown-key'; readonly pool: string }
