import { z } from 'zod'
import { schema } from './schema.ts'

/** The part of JSON Schema that describes a configuration. https://json-schema.org/draft/2020-12 */
export interface MemberSchema {
  type?: string
  description?: string
  const?: string
  enum?: string[]
  default?: unknown
  pattern?: string
  minimum?: number
  maximum?: number
  properties?: Record<string, MemberSchema>
  additionalProperties?: MemberSchema | false
  required?: string[]
  items?: MemberSchema
  prefixItems?: MemberSchema[]
  anyOf?: MemberSchema[]
  oneOf?: MemberSchema[]
}

/** The configuration file as JSON Schema. */
export const configurationSchema = (): MemberSchema => z.toJSONSchema(schema, { io: 'input' }) as MemberSchema

export const variantsOf = (node: MemberSchema): readonly MemberSchema[] => node.oneOf ?? node.anyOf ?? []

/** The names of the members that the object at a path may have; `input` decides between variants. */
export function knownMembers(path: readonly PropertyKey[], input: unknown): string[] {
  let nodes = [configurationSchema()]
  let value = input
  for (const step of path) {
    nodes = fitting(nodes, value).flatMap((node) => {
      const next = node.properties?.[String(step)] ?? (node.additionalProperties || undefined) ?? node.items
      return next ? [next] : []
    })
    value = (value as Record<PropertyKey, unknown> | undefined)?.[step]
  }
  return [...new Set(fitting(nodes, value).flatMap(({ properties = {} }) => Object.keys(properties)))]
}

/** Resolves variants: those whose constant members (`engine`, `provider`) have the value in the input, else all. */
function fitting(nodes: readonly MemberSchema[], value: unknown): readonly MemberSchema[] {
  return nodes.flatMap((node) => {
    const variants = variantsOf(node)
    if (variants.length === 0) return [node]
    const chosen = variants.filter(({ properties = {} }) =>
      Object.entries(properties).some(
        ([name, { const: wanted }]) =>
          wanted !== undefined && (value as Record<string, unknown> | null)?.[name] === wanted,
      ),
    )
    return chosen.length > 0 ? chosen : variants
  })
}

/** The known name that a misspelt one was probably meant to be. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, distance: distanceOf(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const [best] = ranked
  return best && best.distance <= Math.max(2, best.candidate.length / 3) ? best.candidate : undefined
}

/** Levenshtein distance: insertions, deletions and replacements of characters. */
function distanceOf(a: string, b: string): number {
  // A name from the file may be of any length.
  if (a.length > 100) return Number.POSITIVE_INFINITY
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
