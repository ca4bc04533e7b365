/**
 * The kinds of rows that a region keeps. A new kind is one row here: its table, its indexes, its change records, its replication
 * and its removal follow from it. Opening an existing store adds the kind (additions.ts). Regions that know different kinds
 * replicate the kinds that both know (replication/known-kinds.ts).
 *
 * scope  replicated  written by the pool's primary only, sent to every replica; the newer stamp wins
 *        shared      may be written in any region, merged by rule (merge.ts), sent in both directions
 *        regional    stays in the region that wrote it
 * owner  region      belongs to no pool
 *        pool        is removed with its pool. Shared facts about users and clients are owned by the pool, too: they must
 *                    outlive the user, or a token that one region still accepts could become valid again
 *        client      is removed with its client: index column `client_id`, or the key is the client's id
 *        user        is removed with its user: index column `sub`, or the key is the sub
 * index  searchable columns besides `pool` and `key`. New columns are only appended: on the wire they have no names
 * cached whether processes cache its rows and must be notified of changes
 * byKey  whether rows are also looked up by key alone, across all pools
 *
 * Name, scope and owner of a kind never change once it has been released. A copy copies the kinds in this order: a replica that
 * serves during a copy needs data keys before the rows sealed under them, and the sealed groups and memberships before the pool says
 * that there are no others.
 */
export interface KindRow {
  scope: 'replicated' | 'shared' | 'regional'
  owner: Owner
  index: readonly string[]
  cached: boolean
  byKey: boolean
}

export type Owner = 'region' | 'pool' | 'client' | 'user'

/** The names and attributes by which users are found; each has an index column under its own name. */
export const INDEXED_ATTRIBUTES = [
  'username',
  'email',
  'phone_number',
  'name',
  'given_name',
  'family_name',
  'preferred_username',
] as const

export type IndexedAttribute = (typeof INDEXED_ATTRIBUTES)[number]

const USER_INDEX = [...INDEXED_ATTRIBUTES, 'user_status', 'enabled'] as const

// biome-ignore format: a table
export const kinds = {
  topology:         { scope: 'replicated', owner: 'pool',   index: [],                    cached: true,  byKey: false },
  replica:          { scope: 'shared',     owner: 'pool',   index: [],                    cached: true,  byKey: false },
  'newer-data-key': { scope: 'replicated', owner: 'pool',   index: [],                    cached: true,  byKey: false },
  'sealed-group':   { scope: 'replicated', owner: 'pool',   index: [],                    cached: false, byKey: false },
  'sealed-member':  { scope: 'replicated', owner: 'user',   index: ['group', 'sub'],      cached: false, byKey: false },
  pool:             { scope: 'replicated', owner: 'pool',   index: ['name'],              cached: true,  byKey: false },
  'data-key':       { scope: 'replicated', owner: 'pool',   index: [],                    cached: true,  byKey: false },
  'signing-key':    { scope: 'replicated', owner: 'pool',   index: [],                    cached: true,  byKey: false },
  client:           { scope: 'replicated', owner: 'pool',   index: ['name'],              cached: true,  byKey: true },
  domain:           { scope: 'replicated', owner: 'pool',   index: [],                    cached: true,  byKey: true },
  user:             { scope: 'replicated', owner: 'pool',   index: USER_INDEX,            cached: false, byKey: false },
  credential:       { scope: 'replicated', owner: 'user',   index: ['sub'],               cached: false, byKey: false },
  alias:            { scope: 'replicated', owner: 'user',   index: ['sub'],               cached: false, byKey: false },
  code:             { scope: 'replicated', owner: 'user',   index: ['sub'],               cached: false, byKey: false },
  group:            { scope: 'replicated', owner: 'pool',   index: [],                    cached: false, byKey: false },
  member:           { scope: 'replicated', owner: 'user',   index: ['group_name', 'sub'], cached: false, byKey: false },
  revocation:       { scope: 'shared',     owner: 'pool',   index: [],                    cached: false, byKey: false },
  rotation:         { scope: 'shared',     owner: 'pool',   index: [],                    cached: false, byKey: false },
  'sign-out':       { scope: 'shared',     owner: 'pool',   index: [],                    cached: false, byKey: false },
  'seal-count':     { scope: 'shared',     owner: 'pool',   index: [],                    cached: false, byKey: false },
  settings:         { scope: 'regional',   owner: 'pool',   index: [],                    cached: true,  byKey: false },
  'group-removal':  { scope: 'regional',   owner: 'pool',   index: [],                    cached: false, byKey: false },
  'prefix-domain':  { scope: 'regional',   owner: 'pool',   index: [],                    cached: true,  byKey: true },
  'name-index':     { scope: 'regional',   owner: 'pool',   index: [],                    cached: false, byKey: false },
  'kms-key':        { scope: 'regional',   owner: 'region', index: [],                    cached: true,  byKey: false },
  'kms-alias':      { scope: 'regional',   owner: 'region', index: [],                    cached: true,  byKey: false },
} as const satisfies Record<string, KindRow>

export type Kind = keyof typeof kinds
export type KindOfScope<S extends KindRow['scope']> = {
  [K in Kind]: (typeof kinds)[K]['scope'] extends S ? K : never
}[Kind]
export type IndexOf<K extends Kind> = (typeof kinds)[K]['index'][number]

export const kindNames = Object.keys(kinds) as Kind[]

export const scopeOf = (kind: Kind): KindRow['scope'] => kinds[kind].scope

export const tableOf = (kind: string): string => `row_${kind.replaceAll('-', '_')}`

/** Whether the word names a kind of this build: another region or a newer build may have written others. */
export const isKind = (word: string): word is Kind => Object.hasOwn(kinds, word)

export const isCached = (word: string): boolean => isKind(word) && kinds[word].cached

/**
 * The kinds whose rows are removed with their owner. A pool owns everything in it, including the rows of its users and clients.
 */
export const kindsOwnedBy = (owner: 'pool' | 'client' | 'user'): Kind[] =>
  kindNames.filter((kind) =>
    owner === 'pool' ? (kinds[kind].owner as Owner) !== 'region' : (kinds[kind].owner as Owner) === owner,
  )

/** The index column that names the owner of a row; undefined where the key is the owner. */
export function ownerColumnOf(kind: Kind): string | undefined {
  const column = { region: undefined, pool: undefined, client: 'client_id', user: 'sub' }[kinds[kind].owner as Owner]
  return (kinds[kind].index as readonly string[]).find((name) => name === column)
}

/**
 * For tests of two builds side by side: adds kinds, or index columns of existing kinds, to this process. Call it before a store
 * is opened.
 */
export function extendKinds(rows: Readonly<Record<string, KindRow>>): void {
  Object.assign(kinds, rows)
  for (const name of Object.keys(rows)) if (!kindNames.includes(name as Kind)) kindNames.push(name as Kind)
}

/** Body of the single `topology` row of a pool. The epoch rises by one at each promotion. */
export interface Topology {
  primary: string
  epoch: number
}

/** Key of a row whose kind has one row per pool. */
export const ONLY = '-'
