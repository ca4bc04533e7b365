/**
 * Runs the tests, on SQLite and on one PostgreSQL that is started for them and stopped afterwards.
 *
 *     npm test                                   everything
 *     npm test -- packages/client store          only files whose path contains one of the words
 *     npm test -- --engine sqlite                one engine
 *     npm test -- --test-name-pattern=SRP        flags of `node --test` are passed on
 *
 * The tests find the superuser URL in TWINPOOL_TEST_POSTGRES (each creates its own databases, copies of the one that
 * TWINPOOL_TEST_POSTGRES_MODEL names), the engines in TWINPOOL_TEST_ENGINES, and a bundle of the `twinpool` command in
 * TWINPOOL_TEST_PROGRAM. A TWINPOOL_TEST_POSTGRES that is already set is used as it is.
 */
import { globSync, mkdtempSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bundleProgram } from '@twinpool/testing/bundle'
import { createModelDatabase, dropDatabase, easePassword, type TestDatabase } from '@twinpool/testing/databases'
import { type Postgres, startPostgres } from 'twinpool/internal/postgres/start'
import { handOver } from './hand-over.mjs'

const root = join(import.meta.dirname, '..')
const engines = ['sqlite', 'postgres']

/** They need built packages and the npm cache, or minutes: `npm run packages` and `npm run patroni` run them. */
const onlyWhenNamed = ['tests/packages.test.ts', 'tests/replication/patroni.test.ts']

/**
 * Files run in groups, one process per group, because loading the server and the SDK takes a second of CPU time. These
 * have a process each, because they are about processes, their flags or their memory, or change the table of kinds.
 */
const alone =
  /^packages\/cli\/|^tests\/(torture|packages|readme|upgrade)|\/(bounded-cache|surface|lean|known-kinds)\.test\.ts$/
const GROUPS = 10

/** No test stops this server, and its data is discarded after the tests: it needs neither crash safety nor vacuum. */
const settings = { autovacuum: 'off', jit: 'off' }

/** Files in memory take a third of the CPU time of files on a disk; the tests create and remove hundreds of stores and databases. */
const memoryFiles = '/dev/shm'
const ROOM_BYTES = 6 * 1024 ** 3

/** Resolve modules, and track the running test, in less CPU time. */
const preloads = ['preload-resolution', 'preload-test-scopes'].map(
  (name) => pathToFileURL(join(root, `packages/testing/src/${name}.ts`)).href,
)

interface TestRequest {
  words: string[]
  engines: string[]
  flags: string[]
}

function parse(args: string[]): TestRequest {
  const request: TestRequest = { words: [], engines: [], flags: [] }
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string
    if (arg === '--engine') request.engines.push(args[++index] ?? '')
    else if (arg.startsWith('--engine=')) request.engines.push(arg.slice('--engine='.length))
    else if (arg.startsWith('-')) request.flags.push(arg)
    else request.words.push(arg.replace(/^\.\//, ''))
  }
  const unknown = request.engines.find((engine) => !engines.includes(engine))
  if (unknown !== undefined) throw new Error(`--engine takes ${engines.join(' or ')}, not "${unknown}"`)
  if (request.engines.length === 0) request.engines = engines
  return request
}

function testFiles(words: string[]): string[] {
  const files = globSync(['packages/*/src/**/*.test.ts', '{tests,scripts}/**/*.test.ts'], { cwd: root })
  return files
    .sort()
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .filter((file) => !onlyWhenNamed.includes(file) || words.includes(file))
}

/** Writes a file per group that imports the test files of the group as suites. Resolves with all files to run. */
function group(files: readonly string[], directory: string): string[] {
  const together = files.filter((file) => !alone.test(file))
  if (together.length < 2 * GROUPS) return [...files]
  const groups = Array.from({ length: GROUPS }, () => ({ files: [] as string[], bytes: 0 }))
  const sized = together.map((file) => ({ file, bytes: statSync(join(root, file)).size }))
  for (const { file, bytes } of sized.sort((one, other) => other.bytes - one.bytes)) {
    const smallest = groups.reduce((least, next) => (next.bytes < least.bytes ? next : least))
    smallest.files.push(file)
    smallest.bytes += bytes
  }
  const written = groups.map(({ files }, at) => {
    const suites = files.map((file) => ({ file, url: pathToFileURL(join(root, file)).href }))
    const path = join(directory, `group-${at + 1}.mjs`)
    writeFileSync(
      path,
      `import { describe } from 'node:test'
for (const { file, url } of ${JSON.stringify(suites)}) describe(file, () => import(url))
`,
    )
    return path
  })
  return [...written, ...files.filter((file) => alone.test(file))]
}

/** The directory for temporary files of the tests. */
function temporaryDirectory(): string {
  try {
    const { bavail, bsize } = statfsSync(memoryFiles)
    if (bavail * bsize >= ROOM_BYTES) return memoryFiles
  } catch {
    // Not on this system.
  }
  return tmpdir()
}

async function main(): Promise<number> {
  const request = parse(process.argv.slice(2))
  const files = testFiles(request.words)
  if (files.length === 0) throw new Error(`no test file's path contains ${request.words.join(' or ')}`)

  const given = process.env.TWINPOOL_TEST_POSTGRES
  const wanted = request.engines.includes('postgres') && !files.every((file) => onlyWhenNamed.includes(file))
  process.env.TMPDIR = temporaryDirectory()
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-tests-'))
  let postgres: Postgres | undefined
  let model: TestDatabase | undefined
  try {
    if (wanted && !given) postgres = await startPostgres({ durable: false, settings })
    if (postgres) await easePassword(postgres.url)
    const url = postgres?.url ?? given
    if (wanted && url) model = await createModelDatabase(url)
    const env = {
      ...process.env,
      TWINPOOL_TEST_ENGINES: request.engines.join(','),
      TWINPOOL_TEST_POSTGRES: url ?? '',
      TWINPOOL_TEST_POSTGRES_MODEL: model?.name ?? '',
      TWINPOOL_TEST_PROGRAM: await bundleProgram(),
    }
    const limits = ['--test-concurrency=2', '--test-timeout=240000', '--test-reporter=spec']
    const program = [
      ...process.execArgv,
      ...preloads.flatMap((url) => ['--import', url]),
      '--test',
      ...limits,
      ...request.flags,
      ...group(files, directory),
    ]
    return await handOver(process.execPath, program, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] })
  } finally {
    if (model && given) await dropDatabase(model, { server: given })
    await postgres?.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`twinpool: ${(error as Error).message}\n`)
  process.exitCode = 2
}
