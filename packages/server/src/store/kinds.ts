/**
 * The kinds of rows that a region keeps. A new kind is one row here: its table, its indexes, its change records, its replication and
 * its removal follow from it. Existing stores gain it when they are opened (additions.ts), and regions that know different kinds
 * replicate those that both know (replication/known-kinds.ts).
 *
 * scope  replicated  written by the pool's primary only, carried to every replica; the newer stamp wins
 *        shared      may be written in any region, merged by rule, carried in both directions
 *        regional    stays in the region that wrote it
 * owner  region      belongs to no pool
 *        pool        is removed with its pool. Shared facts about users and clients are owned by the pool, too: they must outlive the user,
 *                    or a token that one region still takes for valid could come alive again
 *        client      is removed with its client: index column `client_id`, or the key is the client's id
 *        user        is removed with its user: index column `sub`, or the key is the sub
 * index  columns beside the body that can be searched; `key` and `pool` always can. Only ever appended to: on the wire they have no names
 * cached whether processes keep it in memory and must be notified when it changes
 * byKey  whether it is also looked up by its key alone, over all pools
 *
 * Name, scope and owner of a kind never change once it has been released.
 */
export interface KindRow {
  scope: 'replicated' | 'shared' | 'regional'
  owner: Owner
  index: readonly string[]
  cached: boolean
  byKey: boolean
}

export type Owner = 'region' | 'pool' | 'client' | 'user'

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
  topology:         { scope: 'replicated', owner: 'pool',   index: [],                    cached: true,  byKey: false },
  replica:          { scope: 'shared',     owner: 'pool',   index: [],                    cached: true,  byKey: false },
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
  'sealed-group':   { scope: 'replicated', owner: 'pool',   index: [],                    cached: false, byKey: false },
  'sealed-member':  { scope: 'replicated', owner: 'user',   index: ['group', 'sub'],      cached: false, byKey: false },
  settings:         { scope: 'regional',   owner: 'pool',   index: [],                    cached: true,  byKey: false },
  'prefix-domain':  { scope: 'regional',   owner: 'pool',   index: [],                    cached: true,  byKey: true },
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

/** Whether the word names a kind: what comes over a wire or out of a log is only text. */
export const isKind = (word: string): word is Kind => Object.hasOwn(kinds, word)

export const isCached = (word: string): boolean => isKind(word) && kinds[word].cached

/** The kinds whose rows go with their owner. What goes with a pool is everything in it, its users' and clients' rows included. */
export const kindsOwnedBy = (owner: 'pool' | 'client' | 'user'): Kind[] =>
  kindNames.filter((kind) =>
    owner === 'pool' ? (kinds[kind].owner as Owner) !== 'region' : (kinds[kind].owner as Owner) === owner,
  )

/** The index column that names the owner of a row; undefined where the key does. */
export function ownerColumnOf(kind: Kind): string | undefined {
  const column = { region: undefined, pool: undefined, client: 'client_id', user: 'sub' }[kinds[kind].owner as Owner]
  return (kinds[kind].index as readonly string[]).find((name) => name === column)
}

/**
 * Makes this process a build with more kinds, or with more index columns of those that there are. For tests of what happens between two builds; to
 * be called before a store is opened.
 */
export function extendKinds(rows: Readonly<Record<string, KindRow>>): void {
  Object.assign(kinds, rows)
  for (const name of Object.keys(rows)) if (!kindNames.includes(name as Kind)) kindNames.push(name as Kind)
}

/** Body of the only row of kind `topology` that a pool has. The epoch rises by one at each promotion. */
export interface Topology {
  primary: string
  epoch: number
}

/** Key of the rows of which a pool has exactly one. */
export const ONLY = '-'
