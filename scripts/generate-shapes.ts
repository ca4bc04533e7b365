/**
 * Writes the input and output shapes of the AWS APIs that Twinpool speaks, from the schemas that the AWS SDK ships.
 *
 *   node scripts/generate-shapes.ts           writes the files
 *   node scripts/generate-shapes.ts --check   writes nothing; exit code 1 if a committed file is stale
 *
 * The SDK keeps names, types, required members and the sensitive trait in its runtime schemas; which enum a member has
 * and which errors an operation documents, it keeps only in its type declarations. Lengths, ranges and patterns are in
 * neither: those are kept by hand, in `constraints.ts` beside each generated file.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

interface Source {
  readonly sdk: string
  readonly target: string
  readonly about: string
  /** Default: every operation of the SDK. */
  readonly operations?: readonly string[]
  /** The SDK has one numeric type; these are not 32-bit integers. */
  readonly longs: readonly string[]
}

const root = fileURLToPath(new URL('..', import.meta.url))
const require = createRequire(import.meta.url)

const sources: readonly Source[] = [
  {
    sdk: '@aws-sdk/client-cognito-identity-provider',
    target: 'packages/server/src/cognito/shapes.generated.ts',
    about: 'Amazon Cognito user pools',
    longs: ['UserImportJobType.FailedUsers', 'UserImportJobType.ImportedUsers', 'UserImportJobType.SkippedUsers'],
  },
  {
    sdk: '@aws-sdk/client-kms',
    target: 'packages/server/src/kms/shapes.generated.ts',
    about: 'AWS KMS, as far as user pools need it',
    operations: [
      'CancelKeyDeletion',
      'CreateAlias',
      'CreateKey',
      'Decrypt',
      'DescribeKey',
      'DisableKey',
      'EnableKey',
      'Encrypt',
      'GenerateDataKey',
      'GenerateDataKeyWithoutPlaintext',
      'GetKeyPolicy',
      'ListAliases',
      'ListKeys',
      'PutKeyPolicy',
      'ReplicateKey',
      'ScheduleKeyDeletion',
    ],
    longs: [],
  },
]

/** The kinds of static schema, and the flags and codes of the simple ones (`@smithy/core/schema`). */
const kind = { simple: 0, list: 1, map: 2, structure: 3, union: 4, operation: 9 }
const listOf = 0b0100_0000
const mapOf = 0b1000_0000
const sensitiveTrait = 0b1000
const unit = 'unit'
const simpleTypes: Record<number, string> = {
  0: 'string',
  1: 'integer',
  2: 'boolean',
  4: 'timestamp',
  15: 'document',
  21: 'blob',
}

interface Member {
  type: string
  required?: true
  sensitive?: true
  enum?: string
  structure?: string
  of?: Member
}

type Traits = number | Record<string, unknown>
// A schema is a tuple whose form depends on its first element, or a number, or a function that returns either.
// biome-ignore lint/suspicious/noExplicitAny: the SDK publishes these tuples without types
type Schema = any

const isSensitive = (traits: Traits): boolean =>
  typeof traits === 'number' ? (traits & sensitiveTrait) !== 0 : Boolean(traits.sensitive)

class Reader {
  readonly structures = new Map<string, Record<string, Member>>()
  readonly enumNames = new Set<string>()
  readonly #source: Source
  readonly #enumMembers: Map<string, string>

  constructor(source: Source, enumMembers: Map<string, string>) {
    this.#source = source
    this.#enumMembers = enumMembers
  }

  /** Records a structure with everything that it refers to; undefined for an operation without input or output. */
  structure(reference: Schema): string | undefined {
    const schema = typeof reference === 'function' ? reference() : reference
    if (schema === unit) return undefined
    if (schema[0] !== kind.structure) throw new Error(`not a structure: ${schema[2]} (a union would need new code)`)
    const [, , name, , memberNames, memberSchemas, requiredCount = 0] = schema
    if (this.structures.has(name)) return name
    const members: Record<string, Member> = {}
    this.structures.set(name, members)
    for (const [index, memberName] of (memberNames as string[]).entries()) {
      const path = `${name}.${memberName}`
      const { type, ...rest } = this.member(memberSchemas[index], path)
      members[memberName] = { type, ...(index < requiredCount ? { required: true } : {}), ...rest }
    }
    return name
  }

  member(reference: Schema, path: string): Member {
    let schema = reference
    let sensitive = false
    for (;;) {
      if (typeof schema === 'function') schema = schema()
      else if (Array.isArray(schema) && schema.length === 2) {
        sensitive ||= isSensitive(schema[1])
        schema = schema[0]
      } else if (Array.isArray(schema) && schema[0] === kind.simple) {
        sensitive ||= isSensitive(schema[3])
        schema = schema[4]
      } else break
    }
    if (Array.isArray(schema)) sensitive ||= isSensitive(schema[3])
    return { ...this.#type(schema, path), ...(sensitive ? { sensitive: true } : {}) }
  }

  #type(schema: Schema, path: string): Member {
    if (typeof schema === 'number') {
      if (schema & mapOf) return { type: 'map', of: this.#type(schema & ~mapOf, path) }
      if (schema & listOf) return { type: 'list', of: this.#type(schema & ~listOf, path) }
      const type = simpleTypes[schema]
      if (type === undefined) throw new Error(`${path}: unknown simple schema ${schema}`)
      if (type === 'integer' && this.#source.longs.includes(path)) return { type: 'long' }
      const enumName = type === 'string' ? this.#enumMembers.get(path) : undefined
      if (enumName === undefined) return { type }
      this.enumNames.add(enumName)
      return { type, enum: enumName }
    }
    switch (schema[0]) {
      case kind.list:
        return { type: 'list', of: this.member(schema[4], path) }
      case kind.map:
        return { type: 'map', of: this.member(schema[5], path) }
      default:
        return { type: 'structure', structure: this.structure(schema) }
    }
  }
}

/** `Structure.Member` -> enum, for members that are an enum, a list of it or a map to it. */
function enumMembersOf(declarations: string, enums: ReadonlySet<string>): Map<string, string> {
  const found = new Map<string, string>()
  const withoutComments = declarations.replace(/\/\*[\s\S]*?\*\//g, '')
  for (const [, structure, body] of withoutComments.matchAll(/export interface (\w+)[^{]*\{([\s\S]*?)\n\}/g)) {
    for (const [, member, type] of (body ?? '').matchAll(/^ {4}(\w+)\??: (.+);$/gm)) {
      const name = (type ?? '')
        .replace(' | undefined', '')
        .replace(/^Partial<(.*)>$/, '$1')
        .replace(/^\(?(.*?)\)?\[\]$/, '$1')
        .replace(/^Record<string, (.*)>$/, '$1')
        .replace(' | undefined', '')
      if (enums.has(name)) found.set(`${structure}.${member}`, name)
    }
  }
  return found
}

async function generate(source: Source): Promise<string> {
  const home = dirname(dirname(require.resolve(source.sdk)))
  const { version } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8'))
  const exported: Record<string, Schema> = await import(pathToFileURL(join(home, 'dist-cjs', 'index.js')).href)

  const modelsHome = join(home, 'dist-types', 'models')
  const read = async (folder: string, file: string) => readFile(join(folder, file), 'utf8')
  const modelFiles = (await readdir(modelsHome)).filter((file) => /^models_\d+\.d\.ts$/.test(file)).sort()
  const declarations = (await Promise.all(modelFiles.map((file) => read(modelsHome, file)))).join('\n')
  const enumNames = new Set(
    [...(await read(modelsHome, 'enums.d.ts')).matchAll(/^export declare const (\w+): \{/gm)].map(
      ([, name]) => name ?? '',
    ),
  )

  const reader = new Reader(source, enumMembersOf(declarations, enumNames))
  const operations: Record<string, { input?: string; output?: string; errors: string[] }> = {}
  const errors: Record<string, number> = {}
  const schemas = Object.entries(exported).filter(([name, value]) => name.endsWith('$') && Array.isArray(value))
  const known = new Map(schemas.map(([, schema]) => [schema[2] as string, schema]))

  for (const name of source.operations ??
    schemas
      .filter(([, s]) => s[0] === kind.operation)
      .map(([, s]) => s[2])
      .sort()) {
    const schema = known.get(name)
    if (schema?.[0] !== kind.operation) throw new Error(`${source.sdk} has no operation ${name}`)
    const command = await read(join(home, 'dist-types', 'commands'), `${name}Command.d.ts`)
    const thrown = [...command.matchAll(/@throws \{@link (\w+)\} \((?:client|server) fault\)/g)].map(([, e]) => e ?? '')
    for (const error of thrown) errors[error] = known.get(error)?.[3]?.httpError ?? 400
    operations[name] = { input: reader.structure(schema[4]), output: reader.structure(schema[5]), errors: thrown }
  }

  const structures = Object.fromEntries([...reader.structures].sort(([a], [b]) => (a < b ? -1 : 1)))
  const enums = Object.fromEntries(
    [...reader.enumNames].sort().map((name) => [name, Object.values(exported[name]).sort()]),
  )
  const sortedErrors = Object.fromEntries(Object.entries(errors).sort(([a], [b]) => (a < b ? -1 : 1)))
  const shapesModule = relative(dirname(join(root, source.target)), join(root, 'packages/server/src/aws/shapes.ts'))

  return `// Written by scripts/generate-shapes.ts from ${source.sdk} ${version}; edit that, not this.
// The API of ${source.about}: every operation's input and output structures, their enums, the errors documented.
import type { Enums, OperationShape, Structures } from '${shapesModule.startsWith('.') ? shapesModule : `./${shapesModule}`}'

/** Every operation: its input and output structure (absent: none), and the errors that the SDK documents for it. */
export const operations = {
${rows(operations)}
} as const satisfies Record<string, OperationShape>

export type OperationName = keyof typeof operations

export const operationNames = Object.keys(operations) as readonly OperationName[]

/** Errors that the API models, and the HTTP status that the SDK records for each. */
export const errorStatuses = {
${rows(sortedErrors)}
} as const satisfies Record<string, number>

export const enums = {
${rows(enums)}
} as const satisfies Enums

export const structures: Structures = {
${Object.entries(structures)
  .map(([name, members]) =>
    Object.keys(members).length === 0 ? `  ${name}: {},` : `  ${name}: {\n${rows(members, 4)}\n  },`,
  )
  .join('\n')}
}
`
}

function rows(record: Record<string, unknown>, indent = 2): string {
  return Object.entries(record)
    .map(([name, value]) => `${' '.repeat(indent)}${name}: ${literal(value)},`)
    .join('\n')
}

function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  if (typeof value !== 'object' || value === null) return String(value)
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
  return `{ ${entries.map(([name, entry]) => `${name}: ${literal(entry)}`).join(', ')} }`
}

const check = process.argv.includes('--check')
let stale = false
for (const source of sources) {
  const text = await generate(source)
  const file = join(root, source.target)
  const committed = await readFile(file, 'utf8').catch(() => '')
  if (committed === text) continue
  if (check) {
    stale = true
    console.error(`${source.target} is stale: run npm run generate`)
  } else {
    await writeFile(file, text)
    console.log(`wrote ${source.target}`)
  }
}
if (stale) process.exitCode = 1
