/**
 * Events about the keys, for logs and alarms. `pool` is the pool's first issuer. Set an alarm on `refresh-failed` with a
 * growing `ageMs`.
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
      /** Consecutive failures. */
      readonly failures: number
      /** Age of the cached keys; undefined without keys. */
      readonly ageMs: number | undefined
      /** AggregateError with one JwksError per address. */
      readonly error: unknown
    }
  /** A token named a key that is not cached, which caused a fetch. */
  | { readonly type: 'unknown-key'; readonly pool: string }
