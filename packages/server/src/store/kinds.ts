/**
 * The kinds of rows that a region keeps. A new kind is one row here: its table, its indexes, its change records and its
 * replication follow from it.
 *
 * scope  replicated  written by the pool's primary only, carried to every replica; the newer stamp wins
 *        shared      may be written in any region, merged by rule, carried in both directions
 *        regional    stays in the region that wrote it
 * index  columns beside the body that can be searched; `key` and `pool` always can
 * cached whether processes keep it in memory and must be told when it changes
 * byKey  whether it is also looked up by its key alone, over all pools
 */
export interface KindRow {
  scope: 'replicated' | 'shared' | 'regional'
  index: readonly string[]
  cached: boolean
  byKey: boolean
}

const USER_INDEX = [
  'username',
  'email',
  'phone_number',
  'name',
  'given_name',
  'family_name',
  'preferred_username',
  'user_status',
  'enabled',
] as const

// biome-ignore format: a table
export const kinds = {
  topology:         { scope: 'replicated', index: [],                    cached: true,  byKey: false },
  replica:          { scope: 'shared',     index: [],                    cached: true,  byKey: false },
  pool:             { scope: 'replicated', index: ['name'],              cached: true,  byKey: false },
  'data-key':       { scope: 'replicated', index: [],                    cached: true,  byKey: false },
  'signing-key':    { scope: 'replicated', index: [],                    cached: true,  byKey: false },
  client:           { scope: 'replicated', index: ['name'],              cached: true,  byKey: true },
  domain:           { scope: 'replicated', index: [],                    cached: true,  byKey: true },
  user:             { scope: 'replicated', index: USER_INDEX,            cached: false, byKey: false },
  credential:       { scope: 'replicated', index: ['sub'],               cached: false, byKey: false },
  alias:            { scope: 'replicated', index: ['sub'],               cached: false, byKey: false },
  code:             { scope: 'replicated', index: ['sub'],               cached: false, byKey: false },
  group:            { scope: 'replicated', index: [],                    cached: false, byKey: false },
  member:           { scope: 'replicated', index: ['group_name', 'sub'], cached: false, byKey: false },
  revocation:       { scope: 'shared',     index: [],                    cached: false, byKey: false },
  rotation:         { scope: 'shared',     index: [],                    cached: false, byKey: false },
  'sign-out':       { scope: 'shared',     index: [],                    cached: false, byKey: false },
  settings:         { scope: 'regional',   index: [],                    cached: true,  byKey: false },
  'prefix-domain':  { scope: 'regional',   index: [],                    cached: true,  byKey: true },
  'kms-key':        { scope: 'regional',   index: [],                    cached: true,  byKey: false },
  'kms-alias':      { scope: 'regional',   index: [],                    cached: true,  byKey: false },
} as const satisfies Record<string, KindRow>

export type Kind = keyof typeof kinds
export type KindOfScope<S extends KindRow['scope']> = {
  [K in Kind]: (typeof kinds)[K]['scope'] extends S ? K : never
}[Kind]
export type IndexOf<K extends Kind> = (typeof kinds)[K]['index'][number]

export const kindNames = Object.keys(kinds) as Kind[]

export const scopeOf = (kind: Kind): KindRow['scope'] => kinds[kind].scope

export const tableOf = (kind: Kind): string => `row_${kind.replaceAll('-', '_')}`

/** Whether the word names a kind: what comes over a wire or out of a log is only text. */
export const isKind = (word: string): word is Kind => Object.hasOwn(kinds, word)

/** Body of the only row of kind `topology` that a pool has. The epoch rises by one at each promotion. */
export interface Topology {
  primary: string
  epoch: number
}

/** Key of the rows of which a pool has exactly one. */
export const ONLY = '-'
