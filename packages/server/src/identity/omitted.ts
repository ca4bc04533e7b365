/**
 * What an update does to a member that its caller leaves out. `kept`: it keeps its value, so that an SDK which does not know the
 * member yet cannot change it. `reset`: it gets the default of a new resource. A path such as `LambdaConfig.InboundFederation`
 * names a member of a structure that the caller gives.
 */
export interface OmittedRow<Given> {
  omitted: 'kept' | 'reset'
  /** measured: reported with a measurement of the service; text: the API reference; example: an example of it; model: the first SDK of the v3
   * line lacks it. */
  source: 'measured' | 'text' | 'example' | 'model'
  /** Computes the kept value, where the other given members matter. Returns undefined to reset the member after all. */
  keep?: (present: never, given: Given) => unknown
  /** A sentence for docs/operations-table.md. */
  note?: string
}

export type OmittedRows<Given> = Readonly<Record<string, OmittedRow<Given>>>

/** The rows of a table; the compiler requires one for each member of the input, except the names of the resource. */
export const omittedRows =
  <Given>() =>
  <Rows extends OmittedRows<Given> & Record<Exclude<keyof Given & string, ResourceName>, OmittedRow<Given>>>(
    rows: Rows,
  ): OmittedRows<Given> =>
    rows

type ResourceName = 'UserPoolId' | 'ClientId' | 'GroupName' | 'Domain'

type Structure = Readonly<Record<string, unknown>>

/** The input of an update, completed with the present values of the members that it keeps. */
export function withKept<Given extends object>(
  rows: OmittedRows<Given>,
  given: Given,
  present: { readonly [Member in keyof Given]?: unknown },
): Given {
  let complete: Structure = { ...given } as Structure
  for (const [path, { omitted, keep }] of Object.entries(rows)) {
    if (omitted === 'reset') continue
    const value = at(present as Structure, path.split('.'))
    if (value === undefined) continue
    const kept = keep ? keep(value as never, given) : value
    if (kept !== undefined) complete = filled(complete, path.split('.'), kept)
  }
  return complete as Given
}

const at = (structure: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((value, name) => (value as Structure | undefined)?.[name], structure)

/** Sets a member that is absent, unless the structure around it is absent. */
function filled(structure: Structure, [name = '', ...inner]: readonly string[], value: unknown): Structure {
  const present = structure[name]
  if (inner.length === 0) return present === undefined ? { ...structure, [name]: value } : structure
  return present === undefined ? structure : { ...structure, [name]: filled(present as Structure, inner, value) }
}
