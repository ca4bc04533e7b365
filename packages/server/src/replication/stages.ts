import type { Copy } from '../store/copies.ts'
import { isKind, type Kind, kindNames, scopeOf } from '../store/kinds.ts'
import type { KnownKinds } from './known-kinds.ts'
import { TOMBSTONES } from './messages.ts'

/*
 * What a copy goes through, in this order. A kind is a stage, and is passed over as long as the peer does not know it.
 */

export const OUTLINE = 'outline'
/** Past the last stage: all pages are in. */
export const COMPLETE = 'complete'

const replicatedKinds = (): Kind[] => kindNames.filter((kind) => scopeOf(kind) === 'replicated' && kind !== 'topology')
const sharedKinds = (): Kind[] => kindNames.filter((kind) => scopeOf(kind) === 'shared')

/** Tombstones first: the later they came, the longer a removed row could show. */
const stagesFromPrimary = (): string[] => [OUTLINE, TOMBSTONES, ...replicatedKinds(), ...sharedKinds(), COMPLETE]
const stagesFromSecondary = (): string[] => [OUTLINE, ...sharedKinds(), COMPLETE]

/**
 * Of some kinds only. The tombstones come last: an older build that takes the copy over stops at the first stage, which it does not know,
 * and cannot complete it without these kinds.
 */
export const stagesOfKinds = (kinds: readonly string[]): string[] => [
  ...[...replicatedKinds(), ...sharedKinds()].filter((kind) => kinds.includes(kind)),
  ...(replicatedKinds().some((kind) => kinds.includes(kind)) ? [TOMBSTONES] : []),
  COMPLETE,
]

/** Whether this build knows the stage: a newer one of the region may have begun the copy. */
export const isStage = (stage: string): boolean => [...stagesFromPrimary()].includes(stage)

/** The stage after the one that a copy is at; of what its peer does not know there is nothing to be had. */
export function stageAfter(
  { stage, kinds }: Pick<Copy, 'stage' | 'kinds'>,
  { fromPrimary = true, known }: { fromPrimary?: boolean; known: KnownKinds },
): string {
  const stages = kinds ? stagesOfKinds(kinds) : fromPrimary ? stagesFromPrimary() : stagesFromSecondary()
  return stages.slice(stages.indexOf(stage) + 1).find((next) => !isKind(next) || known.has(next)) as string
}

/** A copy that is to include these kinds as well: it goes back to the first of them that it has left behind. */
export function rewindTo(copy: Copy, due: readonly Kind[]): Copy {
  const kinds = copy.kinds && [...new Set([...copy.kinds, ...due])]
  const stages = kinds ? stagesOfKinds(kinds) : stagesFromPrimary()
  const at = stages.indexOf(copy.stage)
  const first = Math.min(...due.map((kind) => stages.indexOf(kind)))
  if (at >= 0 && first > at) return { ...copy, kinds }
  // Also to the beginning of the one that it is at; and of where it is in a newer build's order nothing can be said.
  return { ...copy, kinds, stage: stages[at < 0 ? 0 : first] as string, after: undefined, target: undefined }
}
