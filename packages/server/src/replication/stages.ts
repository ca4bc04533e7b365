import type { Copy } from '../store/copies.ts'
import { isKind, type Kind, kindNames, scopeOf } from '../store/kinds.ts'
import type { KnownKinds } from './known-kinds.ts'
import { TOMBSTONES } from './messages.ts'

/*
 * The stages of a copy, in order. Each kind is a stage; it is skipped while the peer does not know the kind.
 */

export const OUTLINE = 'outline'
/** After the last stage: all pages are applied. */
export const COMPLETE = 'complete'

const replicatedKinds = (): Kind[] => kindNames.filter((kind) => scopeOf(kind) === 'replicated' && kind !== 'topology')
const sharedKinds = (): Kind[] => kindNames.filter((kind) => scopeOf(kind) === 'shared')

/**
 * Tombstones last: they contain rows that moved to another kind, and a replica that serves during the copy must have the new rows
 * before it removes the old rows.
 */
const stagesFromPrimary = (): string[] => [OUTLINE, ...replicatedKinds(), ...sharedKinds(), TOMBSTONES, COMPLETE]
const stagesFromSecondary = (): string[] => [OUTLINE, ...sharedKinds(), COMPLETE]

/**
 * The stages of a copy that is restricted to some kinds. The tombstones come last: an older build that takes over the copy
 * stops at the first stage, which it does not know, and so cannot complete the copy without these kinds.
 */
export const stagesOfKinds = (kinds: readonly string[]): string[] => [
  ...[...replicatedKinds(), ...sharedKinds()].filter((kind) => kinds.includes(kind)),
  ...(replicatedKinds().some((kind) => kinds.includes(kind)) ? [TOMBSTONES] : []),
  COMPLETE,
]

/** Whether this build knows the stage: a newer build of the region may have begun the copy. */
export const isStage = (stage: string): boolean => [...stagesFromPrimary()].includes(stage)

/** Whether a copy at `stage` has completed the pages of a kind. */
export function isStageBefore(kind: Kind, stage: string): boolean {
  const stages = stagesFromPrimary()
  return stages.indexOf(kind) < stages.indexOf(stage)
}

/** The stage after the present stage of a copy, without kinds that the peer does not know. */
export function stageAfter(
  { stage, kinds }: Pick<Copy, 'stage' | 'kinds'>,
  { fromPrimary = true, known }: { fromPrimary?: boolean; known: KnownKinds },
): string {
  const stages = kinds ? stagesOfKinds(kinds) : fromPrimary ? stagesFromPrimary() : stagesFromSecondary()
  return stages.slice(stages.indexOf(stage) + 1).find((next) => !isKind(next) || known.has(next)) as string
}

/** Adds kinds to a copy: it goes back to the first of them if it has begun or passed that stage. */
export function rewindTo(copy: Copy, due: readonly Kind[]): Copy {
  const kinds = copy.kinds && [...new Set([...copy.kinds, ...due])]
  const stages = kinds ? stagesOfKinds(kinds) : stagesFromPrimary()
  const at = stages.indexOf(copy.stage)
  const first = Math.min(...due.map((kind) => stages.indexOf(kind)))
  if (at >= 0 && first > at) return { ...copy, kinds }
  // Its present stage starts again too. If a newer build put it at an unknown stage, the copy starts from its first stage.
  return { ...copy, kinds, stage: stages[at < 0 ? 0 : first] as string, after: undefined, target: undefined }
}
