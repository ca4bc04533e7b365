/**
 * The shapes of an AWS JSON API, and the check of a request body against them.
 *
 * A service is three tables: `structures` and `enums`, generated from the SDK, and `constraints`, maintained by hand. `model`
 * joins them once; `validateShape` then checks a parsed JSON body against one structure. This file knows no service and no
 * error names: each face maps the result to its own errors.
 *
 * The check is linear in the size of the body (every pattern must be linear too); the shapes bound its depth. input-limits.ts
 * computes from the same shapes how large a body can be.
 */

export type ShapeType =
  | 'string'
  | 'integer'
  | 'long'
  | 'double'
  | 'boolean'
  | 'timestamp'
  | 'blob'
  | 'document'
  | 'list'
  | 'map'
  | 'structure'

export interface Member {
  readonly type: ShapeType
  readonly required?: true
  /** Messages must not repeat the value. */
  readonly sensitive?: true
  /** The name of the enum, for a string with fixed values. */
  readonly enum?: string
  /** The name of the structure, for a structure. */
  readonly structure?: string
  /** The elements of a list or the values of a map; the keys of a map are strings. */
  readonly of?: Member
}

export type Structures = Readonly<Record<string, Readonly<Record<string, Member>>>>
export type Enums = Readonly<Record<string, readonly string[]>>

export interface OperationShape {
  readonly input?: string
  readonly output?: string
  readonly errors: readonly string[]
}

export interface Constraint {
  /** Minimum value of a number; minimum length of any other type (strings in UTF-16 units, blobs in bytes). */
  readonly min?: number
  readonly max?: number
  /** The pattern as the service writes it in its messages. */
  readonly pattern?: string
  /** Whether a string matches `pattern`. Must take linear time. */
  readonly matches?: (value: string) => boolean
}

/**
 * Constraints by `Member` (in every structure) or `Structure.Member` (which takes precedence). A suffix selects the parts of
 * a member: `Member[]` the elements of a list, `Member{key}` and `Member{value}` the keys and values of a map.
 */
export type Constraints = Readonly<Record<string, Constraint>>

export interface ModelTables {
  readonly structures: Structures
  readonly enums: Enums
  /** Documented values that are missing from the SDK's enums. */
  readonly enumAdditions?: Enums
  readonly constraints: Constraints
  /** For strings (including map keys and values) that have neither a constraint nor an enum. */
  readonly unconstrained?: Constraint
  /** For lists and maps that have no constraint. */
  readonly unconstrainedSize?: Constraint
  /** Secret members that the SDK does not mark as sensitive; messages must not repeat them. */
  readonly sensitiveMembers?: readonly string[]
}

interface Checked {
  readonly type: ShapeType
  readonly sensitive: boolean
  readonly constraint: Constraint | undefined
  readonly values: readonly string[] | undefined
  readonly structure: readonly NamedMember[] | undefined
  readonly of: Checked | undefined
  readonly keys: Constraint | undefined
}

interface NamedMember extends Checked {
  readonly name: string
  readonly path: string
  readonly required: boolean
}

export type Model = ReadonlyMap<string, readonly NamedMember[]>

export type Validation =
  | { readonly kind: 'valid'; readonly value: Record<string, unknown> }
  /** The JSON has another type than the shape (SerializationException in AWS). */
  | { readonly kind: 'malformed'; readonly message: string }
  /** The types are correct, but a constraint is violated; `message` is `<n> validation errors detected: ...`. */
  | { readonly kind: 'invalid'; readonly violations: readonly string[]; readonly message: string }

// A body of a megabyte can violate a million constraints; the first few are enough for a caller.
const maximumViolations = 20
const maximumEcho = 1024
const maximumDocumentDepth = 64

/** Joins the tables of a service. Throws if a table references a structure or an enum that does not exist. */
export function model(tables: ModelTables): Model {
  const { structures, enums, enumAdditions = {}, constraints, unconstrained, unconstrainedSize } = tables
  const secret = new Set(tables.sensitiveMembers)
  const done = new Map<string, NamedMember[]>()

  const valuesOf = (name: string): readonly string[] => {
    const values = enums[name]
    if (values === undefined) throw new Error(`no enum ${name}`)
    return [...values, ...(enumAdditions[name] ?? [])].sort()
  }

  const constraintOf = (structure: string, member: string, suffix: string): Constraint | undefined =>
    constraints[`${structure}.${member}${suffix}`] ?? constraints[`${member}${suffix}`]

  const check = (
    member: Member,
    at: { structure: string; name: string; suffix: string; sensitive: boolean },
  ): Checked => {
    const { structure, name, suffix } = at
    const sensitive = at.sensitive || member.sensitive === true
    const values = member.enum === undefined ? undefined : valuesOf(member.enum)
    const isFreeText = member.type === 'string' && values === undefined
    const isCollection = member.type === 'list' || member.type === 'map'
    const inner = member.type === 'map' ? '{value}' : '[]'
    return {
      type: member.type,
      sensitive,
      values,
      constraint:
        constraintOf(structure, name, suffix) ??
        (isFreeText ? unconstrained : isCollection ? unconstrainedSize : undefined),
      structure: member.structure === undefined ? undefined : compile(member.structure, sensitive),
      of: member.of && check(member.of, { ...at, suffix: suffix + inner, sensitive }),
      keys: member.type === 'map' ? (constraintOf(structure, name, `${suffix}{key}`) ?? unconstrained) : undefined,
    }
  }

  const compile = (structure: string, sensitive: boolean): readonly NamedMember[] => {
    const key = sensitive ? `${structure} (sensitive)` : structure
    const found = done.get(key)
    if (found !== undefined) return found
    const members = structures[structure]
    if (members === undefined) throw new Error(`no structure ${structure}`)
    const compiled: NamedMember[] = []
    done.set(key, compiled)
    for (const [name, member] of Object.entries(members)) {
      const at = { structure, name, suffix: '', sensitive: sensitive || secret.has(name) }
      const path = name.charAt(0).toLowerCase() + name.slice(1)
      compiled.push({ name, path, required: member.required === true, ...check(member, at) })
    }
    return compiled
  }

  for (const structure of Object.keys(structures)) compile(structure, false)
  return done
}

/**
 * Checks a parsed JSON body against a structure and returns its value: unknown members are dropped, nulls count as absent,
 * blobs become Buffers, timestamps stay epoch seconds. Maps have no prototype, so a caller's key never collides with an
 * inherited one.
 */
export function validateShape(shapes: Model, structureName: string, input: unknown): Validation {
  const members = shapes.get(structureName)
  if (members === undefined) throw new Error(`no structure ${structureName}`)
  const reader = new ShapeReader()
  try {
    const value = reader.structure(members, input, '')
    const { violations } = reader
    if (violations.length === 0) return { kind: 'valid', value }
    const count = violations.length === 1 ? '1 validation error' : `${violations.length} validation errors`
    return { kind: 'invalid', violations, message: `${count} detected: ${violations.join('; ')}` }
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', message: error.message }
    throw error
  }
}

class Malformed extends Error {}

const typeNames: Partial<Record<ShapeType, string>> = {
  string: 'a String',
  integer: 'an Integer',
  long: 'a Long',
  double: 'a Double',
  boolean: 'a Boolean',
  timestamp: 'a Timestamp',
  blob: 'a Blob',
}

// The wording of AWS's JSON reader.
const foundList = 'Start of list found where not expected'
const foundStructure = 'Start of structure or map found where not expected.'

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

class ShapeReader {
  readonly violations: string[] = []

  structure(members: readonly NamedMember[], input: unknown, path: string): Record<string, unknown> {
    if (Array.isArray(input)) throw new Malformed(foundList)
    if (!isObject(input)) throw new Malformed('Expected structure or null')
    const output: Record<string, unknown> = {}
    for (const member of members) {
      const value = Object.hasOwn(input, member.name) ? input[member.name] : undefined
      const memberPath = path === '' ? member.path : `${path}.${member.path}`
      if (value !== undefined && value !== null) output[member.name] = this.value(member, value, memberPath)
      else if (member.required) this.#violate('Value null', memberPath, notNull)
    }
    return output
  }

  value(shape: Checked, input: unknown, path: string): unknown {
    switch (shape.type) {
      case 'structure':
        return this.structure(shape.structure ?? [], input, path)
      case 'list':
        return this.#list(shape, input, path)
      case 'map':
        return this.#map(shape, input, path)
      case 'document':
        return checkedDocument(input)
      default: {
        const value = scalar(shape.type, input)
        for (const rule of brokenRules(shape, value)) this.#violate(shownValue(shape, value), path, rule)
        return value
      }
    }
  }

  #list(shape: Checked, input: unknown, path: string): unknown[] {
    if (!Array.isArray(input)) throw new Malformed(isObject(input) ? foundStructure : 'Expected list or null')
    const { of } = shape
    if (of === undefined) return []
    this.#length(shape, input, input.length, path)
    if (isTooLong(shape, input.length)) return []
    if (of.type === 'structure' || of.type === 'list' || of.type === 'map') {
      return input.map((element, index) => {
        const elementPath = `${path}.${index + 1}.member`
        if (element !== null && element !== undefined) return this.value(of, element, elementPath)
        this.#violate('Value null', elementPath, notNull)
        return undefined
      })
    }
    const output = input.map((element) => (element === null ? null : scalar(of.type, element)))
    if (output.some((element) => element === null || isBroken(of, element))) {
      this.#violate(
        shownValue(shape, output),
        path,
        `Member must satisfy constraint: [${[...rules(of), notNull].join(', ')}]`,
      )
    }
    return output
  }

  #map(shape: Checked, input: unknown, path: string): Record<string, unknown> {
    if (Array.isArray(input)) throw new Malformed(foundList)
    if (!isObject(input)) throw new Malformed('Expected map or null')
    const { of } = shape
    const output: Record<string, unknown> = Object.create(null)
    if (of === undefined) return output
    const keys = Object.keys(input).filter((key) => input[key] !== null && input[key] !== undefined)
    this.#length(shape, undefined, keys.length, path)
    if (isTooLong(shape, keys.length)) return output
    let badKey = false
    let badValue = false
    for (const key of keys) {
      const element = input[key]
      checkText(key)
      if (shape.keys !== undefined && failures(shape.keys, key, key.length).length > 0) badKey = true
      if (of.type === 'structure' || of.type === 'list' || of.type === 'map') {
        output[key] = this.value(of, element, `${path}.${key.slice(0, maximumEcho)}.member`)
      } else {
        const value = scalar(of.type, element)
        if (isBroken(of, value)) badValue = true
        output[key] = value
      }
    }
    // Maps hold user input: messages never repeat it.
    const list = (constraint: Constraint | undefined) => (constraint === undefined ? [] : constraintRules(constraint))
    if (badKey) this.#violate('Value', path, `Map keys must satisfy constraint: [${list(shape.keys).join(', ')}]`)
    if (badValue) this.#violate('Value', path, `Map value must satisfy constraint: [${rules(of).join(', ')}]`)
    return output
  }

  #length(shape: Checked, input: readonly unknown[] | undefined, length: number, path: string): void {
    if (shape.constraint === undefined) return
    for (const rule of failures(shape.constraint, undefined, length))
      this.#violate(shownValue(shape, input), path, rule)
  }

  #violate(value: string, path: string, rule: string): void {
    if (this.violations.length >= maximumViolations) return
    this.violations.push(`${value} at '${path}' failed to satisfy constraint: ${rule}`)
  }
}

/** The elements of a list or map above its maximum are not checked: the input is refused in any case. */
const isTooLong = ({ constraint }: Checked, length: number): boolean =>
  constraint?.max !== undefined && length > constraint.max

const notNull = 'Member must not be null'
const atLeast = (min: number, of: 'length' | 'value') => `Member must have ${of} greater than or equal to ${min}`
const atMost = (max: number, of: 'length' | 'value') => `Member must have ${of} less than or equal to ${max}`
const matching = (pattern: string) => `Member must satisfy regular expression pattern: ${pattern}`
const oneOf = (values: readonly string[]) => `Member must satisfy enum value set: [${values.join(', ')}]`

function failures(
  { min, max, pattern, matches }: Constraint,
  text: string | undefined,
  size: number,
  of: 'length' | 'value' = 'length',
): string[] {
  const broken: string[] = []
  if (max !== undefined && size > max) broken.push(atMost(max, of))
  if (min !== undefined && size < min) broken.push(atLeast(min, of))
  if (pattern !== undefined && text !== undefined && matches?.(text) === false) broken.push(matching(pattern))
  return broken
}

function brokenRules({ constraint, values }: Checked, value: unknown): string[] {
  if (typeof value === 'string') {
    const broken = constraint === undefined ? [] : failures(constraint, value, value.length)
    if (values !== undefined && !values.includes(value)) broken.unshift(oneOf(values))
    return broken
  }
  if (constraint === undefined) return []
  if (typeof value === 'number') return failures(constraint, undefined, value, 'value')
  return value instanceof Uint8Array ? failures(constraint, undefined, value.length) : []
}

const isBroken = (shape: Checked, value: unknown): boolean => brokenRules(shape, value).length > 0

/** All rules of a value: for the elements of a list or map AWS names every rule, not only the violated ones. */
function rules(shape: Checked): string[] {
  const { constraint, values } = shape
  return [
    ...(values === undefined ? [] : [oneOf(values)]),
    ...(constraint === undefined ? [] : constraintRules(constraint)),
  ]
}

function constraintRules({ min, max, pattern }: Constraint): string[] {
  return [
    ...(max === undefined ? [] : [atMost(max, 'length')]),
    ...(min === undefined ? [] : [atLeast(min, 'length')]),
    ...(pattern === undefined ? [] : [matching(pattern)]),
  ]
}

function shownValue(shape: Checked, value: unknown): string {
  if (shape.sensitive || shape.of?.sensitive || value === undefined || value instanceof Uint8Array) return 'Value'
  if (!Array.isArray(value)) return `Value '${echo(String(value))}'`
  if (value.length > 0 && shape.of?.type !== 'string') return 'Value'
  return `Value '[${echo(value.slice(0, maximumEcho).map(String).join(', '))}]'`
}

const echo = (text: string): string => (text.length <= maximumEcho ? text : `${text.slice(0, maximumEcho)}...`)

function scalar(type: ShapeType, input: unknown): unknown {
  if (Array.isArray(input)) throw new Malformed(foundList)
  if (isObject(input)) throw new Malformed(foundStructure)
  switch (type) {
    case 'string':
      if (typeof input === 'string') return checkText(input)
      break
    case 'boolean':
      if (typeof input === 'boolean') return input
      break
    case 'integer':
      if (Number.isInteger(input) && (input as number) === ((input as number) | 0)) return input
      break
    case 'long':
      if (Number.isSafeInteger(input)) return input
      break
    case 'double':
    case 'timestamp':
      if (Number.isFinite(input)) return input
      break
    case 'blob':
      if (typeof input === 'string' && isBase64(input)) return Buffer.from(input, 'base64')
      break
  }
  throw new Malformed(`${token(input)} can not be converted to ${typeNames[type]}`)
}

/** Refuses a lone surrogate: it has no encoding in UTF-8, so it would be stored and returned as another text. */
function checkText(text: string): string {
  if (!text.isWellFormed()) throw new Malformed('Text has a lone surrogate')
  return text
}

function token(input: unknown): string {
  if (typeof input === 'string') return 'STRING_VALUE'
  if (typeof input === 'number') return 'NUMBER_VALUE'
  return input === true ? 'TRUE_VALUE' : 'FALSE_VALUE'
}

const isBase64 = (text: string): boolean => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)

/**
 * Accepts any JSON, with a bounded depth (so that recursive code cannot overflow the stack), without `__proto__`, and without values
 * that JSON cannot write again (a lone surrogate, a number that is too great).
 */
function checkedDocument(input: unknown): unknown {
  let level: unknown[] = [input]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maximumDocumentDepth) throw new Malformed('Document is nested too deeply')
    const next: unknown[] = []
    for (const value of level) {
      if (typeof value === 'string') checkText(value)
      else if (typeof value === 'number') scalar('double', value)
      else if (Array.isArray(value)) for (const element of value) next.push(element)
      else if (isObject(value)) {
        for (const [key, element] of Object.entries(value)) {
          checkText(key)
          if (key === '__proto__') throw new Malformed('Document has a member of a reserved name')
          next.push(element)
        }
      }
    }
    level = next
  }
  return input
}

/** An SDK command class; only the types of its input and output are used. The SDK is not loaded at run time. */
type CommandClass = abstract new (...args: never[]) => unknown

type SdkInput<Class extends CommandClass> = InstanceType<Class> extends { readonly input: infer I } ? I : never
type SdkOutput<Class extends CommandClass> =
  InstanceType<Class> extends {
    resolveMiddleware(...args: never[]): (...args: never[]) => Promise<{ output: infer O }>
  }
    ? O
    : never

/** The SDK writes a required member as `Member: T | undefined` and an optional one as `Member?: T | undefined`. */
type Read<T> = T extends Date
  ? number
  : T extends Uint8Array
    ? Buffer
    : T extends readonly (infer Element)[]
      ? Read<Element>[]
      : T extends object
        ? { [K in keyof T]: object extends Pick<T, K> ? Read<T[K]> : Read<Exclude<T[K], undefined>> }
        : T

/**
 * The input of an operation as `validateShape` returns it: required members are present, blobs are Buffers, timestamps are
 * epoch seconds.
 */
export type InputOf<Class extends CommandClass> = Read<SdkInput<Class>>

/** The output of a handler in the SDK's types (timestamps are Dates, blobs are bytes); undefined for an operation without output. */
export type OutputOf<Class extends CommandClass> = keyof Omit<SdkOutput<Class>, '$metadata'> extends never
  ? Record<string, never> | undefined
  : Omit<SdkOutput<Class>, '$metadata'>
