import { findPeerKinds, putPeerKinds } from '../store/cursors.ts'
import { firstKinds } from '../store/first-kinds.ts'
import { type Kind, kindNames, kinds, scopeOf } from '../store/kinds.ts'
import type { Store } from '../store/store.ts'

/*
 * Regions are upgraded one after another, so two replicating regions may run different builds. Each reports the kinds that it
 * knows, with their index columns: the follower in its request for the feed, the supplier in its greeting. Only kinds that both
 * know are replicated. A region that reports nothing runs the first release.
 */

/** Replicated and shared kinds, each with its index columns in order. */
export type KnownKinds = ReadonlyMap<string, readonly string[]>

/** The kinds that the first release knows. */
export const FIRST_RELEASE_KINDS: KnownKinds = new Map(
  Object.entries(firstKinds)
    .filter(([, { travels }]) => travels)
    .map(([kind, { index }]) => [kind, index]),
)

/** The kinds that this build knows. */
export const kindsOfThisBuild = (): KnownKinds =>
  new Map(kindNames.filter((kind) => scopeOf(kind) !== 'regional').map((kind) => [kind, kinds[kind].index]))

/** Two builds disagree about the columns of a kind, so neither can read the other's rows. */
export class KindsConflictError extends Error {
  constructor(kind: string) {
    super(`the other region has different index columns for ${kind}`)
    this.name = 'KindsConflictError'
  }
}

/**
 * The kinds that both builds know. Columns are only ever appended, so one list is a prefix of the other; if not, throws
 * KindsConflictError.
 */
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

/** The kinds in `now` that are new or have new columns. */
export const gainedKinds = (before: KnownKinds, now: KnownKinds): string[] =>
  [...now].filter(([kind, columns]) => (before.get(kind)?.length ?? -1) < columns.length).map(([kind]) => kind)

/**
 * The difference from the first release as text, empty for none: `device.sub*user.username.….zone`, with `-` before an unknown
 * kind.
 */
export function formatKinds(known: KnownKinds): string {
  const words = [...known].map(wordOf).filter((word) => !FIRST_WORDS.has(word))
  for (const kind of FIRST_RELEASE_KINDS.keys()) if (!known.has(kind)) words.push(`-${kind}`)
  return words.sort().join('*')
}

/** The reverse of formatKinds; no text means the first release. */
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

/** Saves the kinds that a peer knows, for all processes of the region. */
export async function savePeerKinds(store: Store, peer: string, known: KnownKinds): Promise<void> {
  const text = formatKinds(known)
  if ((await findPeerKinds(store.db, peer)) === text) return
  await store.transaction((connection) => putPeerKinds(connection, peer, text))
}

/** Whether a peer knows these kinds; undefined if it has not reported its kinds yet. */
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
