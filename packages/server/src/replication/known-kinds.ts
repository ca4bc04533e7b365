import { findPeerKinds, putPeerKinds } from '../store/cursors.ts'
import { firstKinds } from '../store/first-kinds.ts'
import { type Kind, kindNames, kinds, scopeOf } from '../store/kinds.ts'
import type { Store } from '../store/store.ts'

/*
 * Regions are upgraded one after another, so two that replicate may be of different builds. Each says which kinds it knows, with their index
 * columns: the follower in its request for the feed, the supplier in its greeting. What both know flows. A region that says nothing is of the first
 * release.
 */

/** Kinds that travel, and the index columns of each in their order. */
export type KnownKinds = ReadonlyMap<string, readonly string[]>

/** What a region of the first release knows. */
export const FIRST_RELEASE_KINDS: KnownKinds = new Map(
  Object.entries(firstKinds)
    .filter(([, { travels }]) => travels)
    .map(([kind, { index }]) => [kind, index]),
)

/** What this build knows. */
export const kindsOfThisBuild = (): KnownKinds =>
  new Map(kindNames.filter((kind) => scopeOf(kind) !== 'regional').map((kind) => [kind, kinds[kind].index]))

/** Two builds disagree about a column: neither could read the other's rows. */
export class KindsConflictError extends Error {
  constructor(kind: string) {
    super(`the other region has other index columns of ${kind}`)
    this.name = 'KindsConflictError'
  }
}

/** What two builds both know. Columns are only ever appended, so one list begins with the other; throws KindsConflictError where it does not. */
export function commonKinds(a: KnownKinds, b: KnownKinds): KnownKinds {
  const both = new Map<string, readonly string[]>()
  for (const [kind, columns] of a) {
    const others = b.get(kind)
    if (!others) continue
    const shorter = columns.length < others.length ? columns : others
    if (shorter.some((name, at) => name !== columns[at] || name !== others[at])) throw new KindsConflictError(kind)
    both.set(kind, shorter)
  }
  return both
}

/** The kinds that are new, or have new columns. */
export const gainedKinds = (before: KnownKinds, now: KnownKinds): string[] =>
  [...now].filter(([kind, columns]) => (before.get(kind)?.length ?? -1) < columns.length).map(([kind]) => kind)

/** What differs from the first release, as one word: `device.sub*user.username.….zone`, `-` before a kind that is not known; empty for none. */
export function formatKinds(known: KnownKinds): string {
  const words = [...known].map(wordOf).filter((word) => !FIRST_WORDS.has(word))
  for (const kind of FIRST_RELEASE_KINDS.keys()) if (!known.has(kind)) words.push(`-${kind}`)
  return words.sort().join('*')
}

/** Nothing stands for the first release. */
export function parseKinds(text: string | undefined): KnownKinds {
  if (!text) return FIRST_RELEASE_KINDS
  const known = new Map(FIRST_RELEASE_KINDS)
  for (const word of text.split('*')) {
    const [kind = '', ...columns] = word.split('.')
    if (kind.startsWith('-')) known.delete(kind.slice(1))
    else known.set(kind, columns)
  }
  return known
}

const wordOf = ([kind, columns]: readonly [string, readonly string[]]): string => [kind, ...columns].join('.')
const FIRST_WORDS = new Set([...FIRST_RELEASE_KINDS].map(wordOf))

/** Remembers what a peer knows, for all processes of the region. */
export async function savePeerKinds(store: Store, peer: string, known: KnownKinds): Promise<void> {
  const text = formatKinds(known)
  if ((await findPeerKinds(store.db, peer)) === text) return
  await store.transaction((connection) => putPeerKinds(connection, peer, text))
}

/** Whether a peer knows these kinds; undefined when it has not said yet. */
export async function peerKnows(
  { db }: Pick<Store, 'db'>,
  peer: string,
  wanted: readonly Kind[],
): Promise<boolean | undefined> {
  const text = await findPeerKinds(db, peer)
  if (text === undefined) return undefined
  const known = parseKinds(text)
  return wanted.every((kind) => known.has(kind))
}
