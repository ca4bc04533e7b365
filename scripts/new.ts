import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import {
  enums,
  operations as model,
  operationNames,
  structures,
} from '@twinpool/server/internal/cognito/shapes.generated'

/**
 * Creates the files of a new part, ready to be filled in.
 *
 *     npm run new operation <Name>     an operation of the user pools API
 *
 * Writes packages/server/src/cognito/operations/<group>/<Name>.ts and <Name>.test.ts from the service model, and adds the handler to the
 * operation's row in the table of its group. Refuses names that are not in the model, and operations that already exist, with exit code 2.
 */

class UsageError extends Error {}

interface OperationModel {
  input?: string
  output?: string
  errors: readonly string[]
}

interface Row {
  /** The table's file and text, and the row within it. */
  file: string
  text: string
  line: string
  /** `pool`, `account`, ...: the constructor of the row. */
  caller: string
  arguments: string
}

const ROW = /^ {2}(\w+): +(\w+)\(([^)]*)\),?/
const IMPORT = /^import \{ \w+ \} from '\.\/\w+\.ts'$/

/** Adds an operation under the folder of the face (`packages/server/src/cognito`). @returns the files written, relative to it */
export function addOperation(face: string, name: string): string[] {
  const operation = (model as Record<string, OperationModel>)[name]
  if (operation === undefined) {
    const near = operationNames.filter((known) => known.toLowerCase().includes(name.toLowerCase())).slice(0, 5)
    const hint = near.length > 0 ? ` Did you mean ${near.join(', ')}?` : ''
    throw new UsageError(`The service model has no operation ${name}.${hint}`)
  }
  const row = findRow(face, name)
  if (row === undefined) throw new UsageError(`${name} has no row in the table of operations.`)
  if (new RegExp(`\\b${name}\\b`).test(row.arguments)) throw new UsageError(`${name} already exists.`)
  const folder = dirname(row.file)
  const handler = join(folder, `${name}.ts`)
  const test = join(folder, `${name}.test.ts`)
  for (const file of [handler, test]) {
    if (existsSync(file)) throw new UsageError(`${relative(face, file)} already exists.`)
  }
  writeFileSync(handler, handlerSource(name, row.caller, operation))
  writeFileSync(test, testSource(name, operation))
  writeFileSync(row.file, withHandler(row, name))
  return [handler, test, row.file].map((file) => relative(face, file))
}

/** Finds the row in the table of its group. */
function findRow(face: string, name: string): Row | undefined {
  for (const file of globSync(join(face, 'operations/*/table.ts'))) {
    const text = readFileSync(file, 'utf8')
    for (const line of text.split('\n')) {
      const [, found, caller = '', args = ''] = ROW.exec(line) ?? []
      if (found === name) return { file, text, line, caller, arguments: args }
    }
  }
  return undefined
}

/** Returns the table with the import in alphabetical order, and the handler as the last argument of the row. */
function withHandler({ text, line }: Row, name: string): string {
  const statement = `import { ${name} } from './${name}.ts'`
  const pathOf = (text: string): string => / from '(.+)'$/.exec(text)?.[1] ?? ''
  const lines = text.split('\n').map((old) => (old === line ? old.replace(/\)(,?)/, `, ${name})$1`) : old))
  const after = lines.findIndex((old) => IMPORT.test(old) && pathOf(old) > pathOf(statement))
  const afterImports = lines.findLastIndex((old) => old.startsWith('import ')) + 1
  lines.splice(after >= 0 ? after : afterImports, 0, statement)
  return lines.join('\n')
}

interface Member {
  type: string
  required?: boolean
  enum?: string
}

const membersOf = (structure: string | undefined): [string, Member][] =>
  structure === undefined ? [] : Object.entries((structures as Record<string, object>)[structure] ?? {})

const CALLS: Record<string, string> = {
  account: 'AccountCall',
  pool: 'PoolCall',
  user: 'UserCall',
  client: 'ClientCall',
  token: 'TokenCall',
  session: 'SessionCall',
  feedback: 'PoolCall',
}

function handlerSource(name: string, caller: string, { input, output, errors }: OperationModel): string {
  const call = CALLS[caller]
  if (call === undefined) throw new Error(`scripts/new.ts lists no call for rows of ${caller}(...)`)
  const members = membersOf(input).map(([member, { required }]) => (required ? member : `${member}?`))
  const facts = [
    ...wrap('Input: ', members),
    ...wrap(
      'Output: ',
      membersOf(output).map(([member]) => member),
    ),
    ...wrap('Errors: ', errors),
    `https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_${name}.html`,
  ]
  return `import { CognitoError } from '../../../errors.ts'
import type { ${call} } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

/**
${facts.map((line) => ` * ${line}`).join('\n')}
 */
export const ${name}: Handler<'${name}', ${call}> = async (_context, _call, _input) => {
  throw new CognitoError('NotImplementedException')
}
`
}

/** Wraps one fact over several lines. */
function wrap(label: string, names: readonly string[]): string[] {
  if (names.length === 0) return [`${label}none`]
  const lines = [label]
  for (const [at, name] of names.entries()) {
    const word = at === names.length - 1 ? name : `${name},`
    const last = lines.at(-1) as string
    if (last.length + word.length > 110) lines.push(`  ${word}`)
    else lines[lines.length - 1] = last.endsWith(' ') ? `${last}${word}` : `${last} ${word}`
  }
  return lines
}

function testSource(name: string, { input }: OperationModel): string {
  const required = membersOf(input).filter(([, { required }]) => required)
  const hasPool = required.some(([member]) => member === 'UserPoolId')
  const sample = required.map(([member, shape]) => (member === 'UserPoolId' ? member : `${member}: ${sampleOf(shape)}`))
  return `import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { ${name}Command } from '@aws-sdk/client-cognito-identity-provider'
${hasPool ? "import { createPool } from '@twinpool/testing/pools'\n" : ''}import { engines, type Plane, startRegions } from '@twinpool/testing/regions'

for (const engine of engines) {
  describe(\`${name} on \${engine}\`, () => {
    let plane: Plane
${hasPool ? '    let UserPoolId: string\n' : ''}    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
${hasPool ? '      UserPoolId = await createPool(plane.primary)\n' : ''}    })
    after(() => plane.stop())

    it('returns what the documentation says', { todo: 'write this test, then the handler' }, async () => {
      const output = await plane.primary.cognito.send(
        new ${name}Command({${sample.length > 0 ? ` ${sample.join(', ')} ` : ''}}),
      )
      assert.ok(output)
    })
  })
}
`
}

const SAMPLES: Record<string, string> = {
  string: "'a'",
  integer: '1',
  long: '1',
  boolean: 'true',
  timestamp: 'new Date(0)',
  blob: 'new Uint8Array()',
  list: '[]',
}
/** A value that the compiler accepts. */
function sampleOf({ type, enum: name }: Member): string {
  const [value] = name === undefined ? [] : ((enums as Record<string, readonly string[]>)[name] ?? [])
  return value === undefined ? (SAMPLES[type] ?? '{} as never') : `'${value}'`
}

if (import.meta.main) {
  try {
    const [kind, name, ...rest] = process.argv.slice(2)
    if (kind !== 'operation' || name === undefined || rest.length > 0) {
      throw new UsageError('Usage: npm run new operation <Name>')
    }
    const face = join(import.meta.dirname, '../packages/server/src/cognito')
    const written = addOperation(face, name)
    const biome = join(import.meta.dirname, '../node_modules/@biomejs/biome/bin/biome')
    const files = written.map((file) => join(face, file))
    const check = spawnSync(process.execPath, [biome, 'check', '--write', ...files], { encoding: 'utf8' })
    if (check.status !== 0) process.stderr.write(check.stderr)
    for (const file of written) process.stdout.write(`wrote packages/server/src/cognito/${file}\n`)
    process.stdout.write(`
Next: write the test and the handler, then run

    npm test -- ${name} --engine sqlite
    npm run generate
`)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 2
  }
}
