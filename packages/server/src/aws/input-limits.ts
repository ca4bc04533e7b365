import { LARGEST_BODY_BYTES } from '../http/body-budget.ts'
import type { Model } from './shapes.ts'

/** Bounds of a request body. They are known from the operation, before the body is read. */
export interface InputLimits {
  bytes: number
  /** Nested lists and objects. */
  depth: number
  /** JSON values at all depths. */
  values: number
}

/** Maximum body of a call without a signature, and of one with it. */
const UNSIGNED_BYTES = 256 * 1024
const SIGNED_BYTES = LARGEST_BODY_BYTES
/** Room for white space and for members that the model does not know, which are ignored. */
const MARGIN: InputLimits = { bytes: 4_096, depth: 8, values: 200 }
const MAX_VALUES = 20_000
/** JSON may write any UTF-16 unit as `\uXXXX`. */
const UNIT_BYTES = 6
/** The longest number in use, with an exponent. */
const NUMBER_BYTES = 32
/** Documents have any shape; shapes.ts limits their depth. */
const DOCUMENT: InputLimits = { bytes: Number.POSITIVE_INFINITY, depth: 64, values: MAX_VALUES }

/** For an operation whose input has no model, or that is unknown. */
export const SMALL_INPUT: InputLimits = { bytes: 16_384, depth: MARGIN.depth, values: MARGIN.values }

/** The limits of the largest body that the model allows for a structure. */
export function inputLimits(model: Model, structure: string, { signed }: { signed: boolean }): InputLimits {
  const members = model.get(structure)
  if (!members) throw new Error(`no structure ${structure}`)
  const { bytes, depth, values } = ofMembers(members)
  return {
    bytes: Math.min(bytes + MARGIN.bytes, signed ? SIGNED_BYTES : UNSIGNED_BYTES),
    depth: depth + MARGIN.depth,
    values: Math.min(values, MAX_VALUES) + MARGIN.values,
  }
}

type Members = NonNullable<ReturnType<Model['get']>>
type Shape = NonNullable<Members[number]['of']>

/** Member names are ASCII; clients may escape them too, like any text. */
const textBytes = (units: number): number => UNIT_BYTES * units + 2

function ofMembers(members: Members): InputLimits {
  let [bytes, depth, values] = [2, 0, 1]
  for (const member of members) {
    const inner = ofShape(member)
    bytes += textBytes(member.name.length) + 2 + inner.bytes
    depth = Math.max(depth, inner.depth)
    values += inner.values
  }
  return { bytes, depth: depth + 1, values }
}

function ofShape({ type, structure, constraint, values, of, keys }: Shape): InputLimits {
  const max = constraint?.max ?? Number.POSITIVE_INFINITY
  switch (type) {
    case 'structure':
      return ofMembers(structure ?? [])
    case 'list':
    case 'map': {
      const inner = of ? ofShape(of) : SMALL_INPUT
      const key = type === 'map' ? textBytes(keys?.max ?? Number.POSITIVE_INFINITY) + 1 : 0
      return {
        bytes: 2 + max * (key + inner.bytes + 1),
        depth: inner.depth + 1,
        values: 1 + max * inner.values,
      }
    }
    case 'document':
      return DOCUMENT
    case 'string':
      return leaf(textBytes(values ? Math.max(...values.map((value) => value.length)) : max))
    case 'blob':
      return leaf(textBytes(4 * Math.ceil(max / 3)))
    default:
      return leaf(NUMBER_BYTES)
  }
}

const leaf = (bytes: number): InputLimits => ({ bytes, depth: 0, values: 1 })
