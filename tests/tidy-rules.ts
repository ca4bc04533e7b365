/**
 * The style guide as rules. A rule finds the places that break it and advises how to fix them. It has samples that break it and
 * samples that do not, so that a test can show that the rule can fail.
 */

/** A source file, its path relative to the root of the repository, with forward slashes. */
export interface Source {
  path: string
  text: string
}

export interface Finding {
  path: string
  line: number
  what: string
}

export interface Rule {
  name: string
  advice: string
  find(source: Source): Finding[]
  bad: Source[]
  good: Source[]
}

/** The permitted imports of a package: sibling packages, other npm packages, and the modules of Node. */
interface Reach {
  siblings: string[]
  npm: RegExp | undefined
  node: boolean
}

const anything = /./
const packageReach: Record<string, Reach> = {
  server: { siblings: [], npm: anything, node: true },
  // The drill goes through the resilient client, as its users will.
  toolkit: { siblings: ['client'], npm: /^@(aws-sdk|smithy)\//, node: true },
  client: { siblings: [], npm: undefined, node: false },
  verifier: { siblings: [], npm: undefined, node: true },
  lambda: { siblings: ['server', 'toolkit', 'client', 'verifier'], npm: /^@aws-sdk\//, node: true },
  cli: { siblings: ['server', 'toolkit', 'client', 'verifier', 'lambda'], npm: anything, node: true },
  // Private: support that the tests of all packages share.
  testing: { siblings: ['server', 'toolkit', 'client', 'verifier', 'lambda', 'cli'], npm: anything, node: true },
}

/** The packages of its caller's SDK that the client may import as types. */
const clientPeer = '@aws-sdk/client-cognito-identity-provider'

/** The folders and files of the server from top to bottom; imports go down. Names on one line are on one level. */
const serverMap = [
  ['index.ts'],
  ['server.ts'],
  ['reload.ts', 'maintenance'],
  ['config'],
  ['context.ts'],
  ['cognito'],
  ['kms'],
  ['operator'],
  ['sts'],
  ['route53'],
  ['oauth'],
  ['pages'],
  ['console'],
  ['aws'],
  ['http'],
  ['admission'],
  ['identity'],
  ['triggers'],
  ['messages'],
  ['tokens'],
  ['directory'],
  ['keys'],
  ['replication'],
  ['store'],
  ['events'],
  ['errors.ts', 'clock.ts', 'clock-samples.ts', 'bounded-cache.ts', 'base64.ts', 'configured-file.ts'],
]

/** A face imports no other face: code that several faces need belongs to aws/, http/ or admission/. */
const faces = ['cognito', 'kms', 'operator', 'sts', 'route53', 'oauth', 'pages', 'console']

/** Types only: the parts of a region. Every file may import it. */
const CONTEXT = 'packages/server/src/context.ts'

/** Tables of the store's own bookkeeping, and the files that may write to them. Every other table holds replicated rows. */
const bookkeeping: Record<string, string[]> = {
  schema_version: ['migrations.ts'],
  sqlite_stat: ['migrations.ts', 'additions.ts'],
  sqlite_stat1: ['migrations.ts', 'additions.ts'],
  changes: ['write.ts', 'changes.ts'],
  tombstones: ['apply.ts', 'changes.ts', 'copies.ts'],
  facts: ['*'],
  cursors: ['*'],
  // The table of a lock file, not of a store.
  holder: ['file-lock.ts'],
  followers: ['*'],
  copies: ['*'],
  copy_touched: ['*'],
  brakes: ['throttling.ts'],
  throttling: ['throttling-file.ts'],
}

/** The files that may write the tables of rows. Other files write through `write.ts`, which uses the other two. */
const rowWriters = ['write.ts', 'apply.ts', 'upsert.ts']

const forbiddenNames = /^(utils?|helpers?|common|services?|managers?)$/

const isTest = (path: string) => path.endsWith('.test.ts') || /(^|\/)tests?\//.test(path)
const isTypeScript = (path: string) => /\.[cm]?ts$/.test(path)
const inServer = (path: string) => path.startsWith('packages/server/src/') && isTypeScript(path) && !isTest(path)
const withinServer = (path: string) => path.slice('packages/server/src/'.length)
const packageOf = (path: string) => /^packages\/([^/]+)\/src\//.exec(path)?.[1]

/** The code without comments, with the same line numbers. */
export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' ')).replace(/(^|\s)\/\/.*$/gm, '$1')
}

function findAll({ path, text }: Source, pattern: RegExp, what: (match: RegExpMatchArray) => string | undefined) {
  const findings: Finding[] = []
  for (const match of text.matchAll(pattern)) {
    const problem = what(match)
    if (problem !== undefined)
      findings.push({ path, line: text.slice(0, match.index).split('\n').length, what: problem })
  }
  return findings
}

const inCode = (source: Source) => ({ path: source.path, text: withoutComments(source.text) })

interface Import {
  specifier: string
  typeOnly: boolean
}

const importPattern =
  /\b(import|export)\s+(type\s+)?(?:[\w$*{}\s,]+?\s+from\s+)?'([^'\n]+)'|\bimport\(\s*'([^'\n]+)'\s*\)/g

function findImports(source: Source, what: (found: Import) => string | undefined): Finding[] {
  return findAll(inCode(source), importPattern, (match) =>
    what({ specifier: (match[3] ?? match[4]) as string, typeOnly: match[2] !== undefined }),
  )
}

function resolvePath(from: string, specifier: string): string {
  const parts = from.split('/').slice(0, -1)
  for (const step of specifier.split('/')) {
    if (step === '..') parts.pop()
    else if (step !== '.') parts.push(step)
  }
  return parts.join('/')
}

const folderInServer = (path: string) => withinServer(path).split('/')[0] as string

function levelInServer(path: string): number {
  return serverMap.findIndex((names) => names.includes(folderInServer(path)))
}

const npmName = (specifier: string) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

function siblingName(specifier: string): string | undefined {
  const name = npmName(specifier)
  if (name === 'twinpool') return 'cli'
  return name.startsWith('@twinpool/') ? name.slice('@twinpool/'.length) : undefined
}

const server = (path: string, text: string): Source => ({ path: `packages/server/src/${path}`, text })

export const rules: Rule[] = [
  {
    name: 'inside the server, imports go down the map',
    advice:
      'pass the dependency as an argument, or move the shared noun to a folder below both (tests/tidy-rules.ts, serverMap)',
    find: (source) => {
      if (!inServer(source.path)) return []
      const level = levelInServer(source.path)
      if (level < 0)
        return [{ path: source.path, line: 1, what: 'this file or folder is not on the map of the server' }]
      return findImports(source, ({ specifier, typeOnly }) => {
        if (!specifier.startsWith('.')) return undefined
        const target = resolvePath(source.path, specifier)
        if (!target.startsWith('packages/server/src/') || (target === CONTEXT && typeOnly)) return undefined
        const [from, to] = [source.path, target].map(folderInServer)
        if (from !== to && faces.includes(from as string) && faces.includes(to as string)) {
          return `imports ${withinServer(target)}, of another face`
        }
        if (levelInServer(target) >= level) return undefined
        return `imports ${withinServer(target)}, which is above it`
      })
    },
    bad: [
      server('store/users.ts', `import { signIn } from '../identity/sign-in/begin.ts'`),
      server('identity/sign-up.ts', `import type { RegionConfig } from '../config/schema.ts'`),
      server('store/users.ts', `const later = await import('../cognito/face.ts')`),
      server('oauth/token.ts', `import { validateInput } from '../console/health.ts'`),
      server('identity/sign-up.ts', `import { context } from '../context.ts'`),
      server('drawer/users.ts', ''),
    ],
    good: [
      server(
        'identity/sign-up.ts',
        `import { issue } from '../tokens/issue.ts'\nimport { CognitoError } from '../errors.ts'`,
      ),
      server('server.ts', `import { readConfig } from './config/read.ts'`),
      server('tokens/issue.ts', `import type { Context } from '../context.ts'`),
      server(
        'store/users.ts',
        `// import { signIn } from '../identity/sign-in/begin.ts'\nimport { z } from './rows.ts'`,
      ),
      server('store/users.test.ts', `import { signIn } from '../identity/sign-in/begin.ts'`),
    ],
  },
  {
    name: 'SQL lives in the store',
    advice: 'call a function of packages/server/src/store',
    find: (source) => {
      if (!inServer(source.path) || source.path.startsWith('packages/server/src/store/')) return []
      return [
        ...findImports(source, ({ specifier }) =>
          ['kysely', 'pg', 'node:sqlite'].includes(npmName(specifier)) ? `imports ${specifier}` : undefined,
        ),
        ...findAll(inCode(source), /\bsql`/g, () => 'writes SQL'),
        ...findAll(
          inCode(source),
          /\.(insertInto|updateTable|deleteFrom|selectFrom)\(/g,
          (match) => `calls ${match[1]}`,
        ),
      ]
    },
    bad: [
      server('identity/user.ts', `import { sql } from 'kysely'`),
      server('replication/apply.ts', `import type { Pool } from 'pg'`),
      server('replication/apply.ts', 'await sql`select 1`.execute(tx)'),
      server('identity/user.ts', `await tx.deleteFrom('users').execute()`),
    ],
    good: [
      server('store/rows.ts', `import { sql } from 'kysely'\nimport { DatabaseSync } from 'node:sqlite'`),
      server('identity/user.ts', `await tx.find('user', address)`),
    ],
  },
  {
    name: 'time and randomness come from the clock',
    advice:
      'take a clock (Pick<Clock, ...>) as an argument; only packages/server/src/clock.ts reads time and randomness',
    find: (source) => {
      if (!inServer(source.path) || withinServer(source.path) === 'clock.ts') return []
      const code = inCode(source)
      const direct =
        /\b(Date\.now\b|new Date\(\s*\)|new Date\b(?!\s*\()|Math\.random\b|performance\.now\b|process\.hrtime\b)/g
      const fromCrypto = /\b(?:crypto|webcrypto|globalThis)\.(random\w+|getRandomValues)/g
      const imported = /import\s*\{([^}]*)\}\s*from\s*'(?:node:)?crypto'/g
      const names = /\b(random(?:Bytes|UUID|Int|Fill|FillSync)|getRandomValues)\b/
      return [
        ...findAll(code, direct, (match) => `reads ${match[1]}`),
        ...findAll(code, fromCrypto, (match) => `reads crypto.${match[1]}`),
        ...findAll(code, imported, (match) => {
          const name = names.exec(match[1] as string)?.[1]
          return name && `imports ${name}`
        }),
      ]
    },
    bad: [
      server('tokens/issue.ts', 'const now = Date.now()'),
      server('tokens/issue.ts', 'const now = new Date()'),
      server('identity/code.ts', 'const code = Math.random()'),
      server('keys/ring.ts', `import {\n  createHash,\n  randomBytes,\n} from 'node:crypto'`),
      server('keys/ring.ts', 'const id = crypto.randomUUID()'),
    ],
    good: [
      server('clock.ts', 'export const now = () => Date.now()'),
      server('tokens/issue.ts', 'const at = new Date(clock.now())\nconst iv = clock.randomBytes(12)'),
      server('tokens/issue.ts', `import { createHash } from 'node:crypto'`),
    ],
  },
  {
    name: 'only the configuration reads the environment',
    advice: 'read it in packages/server/src/config/ and pass the value on',
    find: (source) => {
      if (!inServer(source.path) || withinServer(source.path).startsWith('config/')) return []
      return findAll(inCode(source), /\bprocess\.env\b|\benv\s*\}\s*=\s*process\b/g, () => 'reads process.env')
    },
    bad: [server('keys/ring.ts', 'const file = process.env.KEYS'), server('keys/ring.ts', 'const { env } = process')],
    good: [
      server('config/read.ts', 'const file = process.env.KEYS'),
      server('keys/ring.ts', 'const { file } = config'),
    ],
  },
  {
    name: 'files and folders are named for nouns of the domain',
    advice: 'name it after its contents: utils, helpers, common, services and managers say nothing',
    find: ({ path }) => {
      const vague = path.split('/').find((part) => forbiddenNames.test(part.replace(/\..*$/, '').toLowerCase()))
      return vague === undefined ? [] : [{ path, line: 1, what: `is, or is in, a file or folder named ${vague}` }]
    },
    bad: [
      { path: 'packages/client/src/utils.ts', text: '' },
      { path: 'packages/server/src/helpers/srp.ts', text: '' },
      { path: 'packages/testing/src/common.ts', text: '' },
    ],
    good: [{ path: 'packages/client/src/circuit.ts', text: '' }],
  },
  {
    name: 'packages depend on each other as the design says',
    advice:
      'see packageReach in tests/tidy-rules.ts: a package must install without the packages that it may not import',
    find: (source) => {
      const name = packageOf(source.path)
      if (name === undefined || isTest(source.path) || !isTypeScript(source.path)) return []
      const reach = packageReach[name]
      if (reach === undefined) return [{ path: source.path, line: 1, what: `package ${name} is not in the table` }]
      return findImports(source, ({ specifier, typeOnly }) => {
        if (specifier.startsWith('.')) {
          const inside = resolvePath(source.path, specifier).startsWith(`packages/${name}/`)
          return inside ? undefined : `reaches out of its package: ${specifier}`
        }
        const sibling = siblingName(specifier)
        if (sibling !== undefined) return reach.siblings.includes(sibling) ? undefined : `imports ${specifier}`
        if (specifier.startsWith('node:')) return reach.node ? undefined : `imports ${specifier}, which browsers lack`
        if (name === 'client' && specifier === clientPeer && typeOnly) return undefined
        return reach.npm?.test(specifier) ? undefined : `imports ${specifier}`
      })
    },
    bad: [
      { path: 'packages/verifier/src/index.ts', text: `import { decode } from 'jose'` },
      { path: 'packages/server/src/index.ts', text: `import { audit } from '@twinpool/toolkit'` },
      { path: 'packages/server/src/index.ts', text: `import { main } from 'twinpool'` },
      { path: 'packages/client/src/index.ts', text: `import { InitiateAuthCommand } from '${clientPeer}'` },
      { path: 'packages/client/src/index.ts', text: `import { once } from 'node:events'` },
      { path: 'packages/cli/src/main.ts', text: `export { start } from '../../server/src/server.ts'` },
    ],
    good: [
      { path: 'packages/client/src/index.ts', text: `import type { InitiateAuthCommand } from '${clientPeer}'` },
      { path: 'packages/cli/src/main.ts', text: `import { startServer } from '@twinpool/server'` },
      { path: 'packages/verifier/src/index.ts', text: `import { createVerify } from 'node:crypto'` },
    ],
  },
  {
    name: 'tests wait for a condition, never for a time',
    advice: 'wait for the event, poll the condition, or use a test clock',
    find: (source) => {
      if (!source.path.endsWith('.test.ts')) return []
      return [
        ...findImports(source, ({ specifier }) =>
          /timers\/promises$/.test(specifier) ? `imports ${specifier}` : undefined,
        ),
        ...findAll(inCode(source), /\bawait\s+(?:\w+\.)?(setTimeout|sleep|delay)\(/g, () => 'sleeps'),
        ...findAll(
          inCode(source),
          /new Promise[^;\n]*\bsetTimeout\(\s*(\w+|\(\)\s*=>\s*\w+\(\w*\))\s*,/g,
          () => 'sleeps',
        ),
      ]
    },
    bad: [
      { path: 'tests/a.test.ts', text: `import { setTimeout } from 'node:${'timers'}/promises'` },
      { path: 'tests/a.test.ts', text: `${'await'} setTimeout(100)` },
      { path: 'tests/a.test.ts', text: `await new ${'Promise'}((resolve) => setTimeout(resolve, 50))` },
    ],
    good: [{ path: 'tests/a.test.ts', text: `await once(server, 'listening')` }],
  },
  {
    name: 'replicated rows are written by store/write.ts alone',
    advice:
      'write through store/write.ts, which writes row and change together; bookkeeping tables are in tests/tidy-rules.ts',
    find: (source) => {
      const file = /^packages\/server\/src\/store\/(.+)$/.exec(source.path)?.[1]
      if (!inServer(source.path) || (file !== undefined && rowWriters.includes(file))) return []
      const imported = findImports(source, ({ specifier, typeOnly }) =>
        specifier.endsWith('/upsert.ts') && !typeOnly ? 'imports the statement that writes rows' : undefined,
      )
      if (file === undefined) return imported
      const statement = /\b(insert\s+into|delete\s+from|(?<!\b(?:for|do)\s+)update)\s+(\$\{[^}]*\}|"?[a-z_]+)/gi
      const builder = /\.(insertInto|updateTable|deleteFrom|replaceInto|mergeInto)\(\s*([^),]*)/g
      const judge = (match: RegExpMatchArray) => {
        const table = (match[2] as string).replaceAll(/['"`]/g, '')
        const writers = bookkeeping[table]
        return writers?.includes('*') || writers?.includes(file) ? undefined : `writes to ${table}`
      }
      return [...findAll(inCode(source), statement, judge), ...findAll(inCode(source), builder, judge), ...imported]
    },
    bad: [
      server('store/users.ts', 'await sql`insert into users (id) values (1)`'),
      server('store/users.ts', `await sql\`update \${sql.table(name)} set a = 1\``),
      server('store/users.ts', `await db.deleteFrom('r_user').execute()`),
      server('store/throttling.ts', 'await sql`delete from changes`'),
      server('replication/users.ts', `import { upsertRows } from '../store/upsert.ts'`),
    ],
    good: [
      server('store/write.ts', `await sql\`delete from \${sql.table(name)}\``),
      server(
        'store/throttling.ts',
        'await sql`insert into brakes (name) values (1) on conflict (name) do update set n = 2`',
      ),
      server('store/postgres.ts', 'await sql`select 1 from r_user for update skip locked`'),
    ],
  },
  {
    name: 'nothing names a machine or a registry',
    advice: 'use a path relative to the repository; keep omit-lockfile-registry-resolved in .npmrc',
    find: (source) => {
      if (source.path === 'package-lock.json') {
        return findAll(source, /"resolved": "([^"]*)"/g, ([, target]) =>
          /^packages\/[^/]+$/.test(target as string) ? undefined : 'names the host that a package came from',
        )
      }
      return [
        ...findAll(source, new RegExp(`(?<![\\w.-])/${'work'}/`, 'g'), () => 'names a path of one machine'),
        ...(source.path === '.npmrc' ? findAll(source, /registry\s*=/g, () => 'names a registry') : []),
      ]
    },
    bad: [
      { path: 'package-lock.json', text: `"resolved": "https://registry.example/a.tgz"` },
      { path: 'docs/a.md', text: `see /${'work'}/main` },
      { path: '.npmrc', text: 'registry=https://registry.example/' },
    ],
    good: [
      { path: 'package-lock.json', text: `"resolved": "packages/client"` },
      { path: 'docs/a.md', text: 'see ./work/ and docs/work/a' },
      { path: '.npmrc', text: 'omit-lockfile-registry-resolved=true' },
    ],
  },
]
