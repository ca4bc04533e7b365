/**
 * Runs the tests, on SQLite and on one PostgreSQL that is started for them and stopped afterwards.
 *
 *     npm test                                   everything
 *     npm test -- packages/client store          only files whose path contains one of the words
 *     npm test -- --engine sqlite                one engine
 *     npm test -- --test-name-pattern=SRP        flags of `node --test` are passed on
 *
 * The tests find the superuser URL in TWINPOOL_TEST_POSTGRES (each makes databases of its own) and the engines in
 * TWINPOOL_TEST_ENGINES. A TWINPOOL_TEST_POSTGRES that is already set is used as it is.
 */
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { type Postgres, startPostgres } from 'twinpool/internal/postgres/start'
import { handOver } from './hand-over.mjs'

const root = join(import.meta.dirname, '..')
const engines = ['sqlite', 'postgres']

/** Needs built packages and the npm cache: `node scripts/run.mjs packages` runs it. */
const onlyWhenNamed = 'tests/packages.test.ts'

interface Wish {
  words: string[]
  engines: string[]
  flags: string[]
}

function parse(args: string[]): Wish {
  const wish: Wish = { words: [], engines: [], flags: [] }
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string
    if (arg === '--engine') wish.engines.push(args[++index] ?? '')
    else if (arg.startsWith('--engine=')) wish.engines.push(arg.slice('--engine='.length))
    else if (arg.startsWith('-')) wish.flags.push(arg)
    else wish.words.push(arg.replace(/^\.\//, ''))
  }
  const unknown = wish.engines.find((engine) => !engines.includes(engine))
  if (unknown !== undefined) throw new Error(`--engine takes ${engines.join(' or ')}, not "${unknown}"`)
  if (wish.engines.length === 0) wish.engines = engines
  return wish
}

function testFiles(words: string[]): string[] {
  const files = globSync(['packages/*/src/**/*.test.ts', '{tests,scripts}/**/*.test.ts'], { cwd: root })
  return files
    .sort()
    .filter((file) => (words.length === 0 ? file !== onlyWhenNamed : words.some((word) => file.includes(word))))
    .filter((file) => file !== onlyWhenNamed || words.includes(onlyWhenNamed))
}

async function main(): Promise<number> {
  const wish = parse(process.argv.slice(2))
  const files = testFiles(wish.words)
  if (files.length === 0) throw new Error(`no test file's path contains ${wish.words.join(' or ')}`)

  const given = process.env.TWINPOOL_TEST_POSTGRES
  let postgres: Postgres | undefined
  if (wish.engines.includes('postgres') && !given && !files.every((file) => file === onlyWhenNamed)) {
    postgres = await startPostgres()
  }
  try {
    const env = {
      ...process.env,
      TWINPOOL_TEST_ENGINES: wish.engines.join(','),
      TWINPOOL_TEST_POSTGRES: postgres?.url ?? given ?? '',
    }
    const limits = ['--test-concurrency=2', '--test-timeout=240000', '--test-reporter=spec']
    return await handOver(process.execPath, [...process.execArgv, '--test', ...limits, ...wish.flags, ...files], {
      cwd: root,
      env,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  } finally {
    await postgres?.stop()
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`twinpool: ${(error as Error).message}\n`)
  process.exitCode = 2
}
