/**
 * Each package as its users get it: packed, installed alone (with the sibling packages that it depends on) into an empty
 * folder, and run by a plain Node. Needs built packages: `node scripts/run.mjs packages` builds them and runs this test.
 */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join, sep } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { packagesInOrder } from '../scripts/build.ts'

const execute = promisify(execFile)
/** Runs a program that must end at once. */
const run = (program: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) =>
  execute(program, args, { ...options, timeout: 60_000, killSignal: 'SIGKILL' })
const packages = packagesInOrder()
const version = '0.1.0'
const scratch = await mkdtemp(join(tmpdir(), 'twinpool-packages-'))
after(() => rm(scratch, { recursive: true, force: true }))

/** The user's own Node, 20 or newer: the first on PATH that npm has not added for our scripts. */
const plainNode = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes(`node_modules${sep}`))
  .map((folder) => join(folder, 'node'))
  .find((path) => existsSync(path)) as string
const pinnedNode = process.execPath

/**
 * A clean environment: variables of npm and Node about this repository must not reach the installed package. The certificates of the
 * machine are not about the repository, and npm needs them behind a proxy.
 */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => name === 'NODE_EXTRA_CA_CERTS' || !/^(npm_|NODE_|TWINPOOL_|INIT_CWD$)/i.test(name),
  ),
)

const tarballs = new Map<string, { file: string; paths: string[] }>()

before(async () => {
  for (const { name, folder } of packages) {
    const args = ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', scratch]
    const stdout = await runNpm(args, { cwd: folder, seconds: 30 })
    const packed = JSON.parse(stdout)
    const [about] = (Array.isArray(packed) ? packed : Object.values(packed)) as [
      { filename: string; files: { path: string }[] },
    ]
    tarballs.set(name, { file: join(scratch, about.filename), paths: about.files.map(({ path }) => path) })
  }
})

function withSiblings(name: string): string[] {
  const { siblings } = packages.find((candidate) => candidate.name === name) as (typeof packages)[number]
  return [...new Set([name, ...siblings.flatMap(withSiblings)])]
}

/** Installs the package alone and returns the folder of the project that now uses it. */
async function install(name: string): Promise<string> {
  const project = join(scratch, `uses-${name.replaceAll(/\W+/g, '-')}`)
  await mkdir(project)
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  const files = withSiblings(name).map((wanted) => tarballs.get(wanted)?.file as string)
  const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', ...patience, ...files]
  await runNpm(args, { cwd: project, seconds: 180 })
  return project
}

/** By default npm waits 5 minutes for each of 3 attempts, which is longer than a test may take: it looks as if it hung. */
const patience = [
  '--fetch-timeout=20000',
  '--fetch-retries=2',
  '--fetch-retry-mintimeout=1000',
  '--fetch-retry-maxtimeout=5000',
]

/** Runs npm and returns its stdout. Fails with the cause if it fails or exceeds its deadline. */
async function runNpm(args: string[], { cwd, seconds }: { cwd: string; seconds: number }): Promise<string> {
  const [command] = args
  try {
    const running = execute('npm', args, { cwd, env: environment, timeout: seconds * 1000, killSignal: 'SIGKILL' })
    // npm must not wait for input.
    running.child.stdin?.end()
    return (await running).stdout
  } catch (error) {
    const { killed, stderr, code } = error as { killed?: boolean; stderr?: string; code?: unknown }
    const cause = killed
      ? `did not end within ${seconds} s; is the package registry reachable?`
      : `ended with ${String(code)}`
    throw new Error(`npm ${command} in ${cwd} ${cause}\n${stderr ?? ''}`)
  }
}

async function runModule(node: string, project: string, source: string): Promise<string> {
  await writeFile(join(project, 'main.js'), source)
  const { stdout } = await run(node, ['main.js'], { cwd: project, env: environment })
  return stdout.trim()
}

describe('every package', () => {
  for (const { name, folder } of packages) {
    it(`${name} ships the files that it needs, and neither sources nor tests`, async () => {
      const { paths } = tarballs.get(name) as { paths: string[] }
      const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
      const entry = manifest.exports?.['.'] ?? {}
      for (const path of [entry.types, entry.default, ...Object.values<string>(manifest.bin ?? {})].filter(Boolean)) {
        assert.ok(paths.includes(path.replace(/^\.\//, '')), `${name} names ${path}, which it does not ship`)
      }
      const strays = paths.filter((path) => /(\.test\.|^src\/|tsconfig|\.tsbuildinfo)/.test(path))
      assert.deepEqual(strays, [])
      for (const path of paths.filter((path) => /^dist\/.*\.js$/.test(path))) {
        const source = /\bfrom '\.[^']*\.ts'|\bimport\('\.[^']*\.ts'\)/.exec(await readFile(join(folder, path), 'utf8'))
        assert.ok(source === null, `${path} imports a source file: ${source?.[0]}`)
      }
    })

    it(`${name} has the common version, and depends on sibling packages of that version`, async () => {
      const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
      assert.equal(manifest.version, version)
      const siblings = packages.find((candidate) => candidate.name === name)?.siblings ?? []
      for (const sibling of siblings) assert.equal(manifest.dependencies[sibling], version)
    })
  }
})

describe('installed alone, with a plain Node', () => {
  for (const name of ['@twinpool/verifier', '@twinpool/toolkit', '@twinpool/lambda']) {
    it(`${name} can be imported`, async () => {
      const project = await projectOf(name)
      const source = `console.log(typeof await import('${name}'))`
      assert.equal(await runModule(plainNode, project, source), 'object')
    })
  }

  it('@twinpool/client ships declarations that its users compile against', async () => {
    const project = await projectOf('@twinpool/client')
    const source = `
      import { createTwinpoolClient, type TwinpoolState } from '@twinpool/client'
      export const options: Parameters<typeof createTwinpoolClient>[0] = { regions: {}, primary: 'us-west-2' }
      export const broken: TwinpoolState = 7`
    await writeFile(join(project, 'main.ts'), source)
    const compiler = join(import.meta.dirname, '..', 'node_modules', 'typescript', 'bin', 'tsc')
    const flags = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--types',
      '',
      '--skipLibCheck',
    ]
    await assert.rejects(run(pinnedNode, [compiler, ...flags, 'main.ts'], { cwd: project, env: environment }), {
      stdout: /^main\.ts\(4,20\): error TS2322: [^\n]*\n$/,
    })
  })

  it('@twinpool/client sends through the SDK clients of its caller, and does not install the server', async () => {
    const project = await projectOf('@twinpool/client')
    const source = `
      import { CognitoIdentityProviderClient, GetUserCommand } from '@aws-sdk/client-cognito-identity-provider'
      import { createTwinpoolClient } from '@twinpool/client'
      const region = (name) => {
        const sdk = new CognitoIdentityProviderClient({
          region: name, credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, maxAttempts: 1,
          requestHandler: { handle: async () => ({ response: {
            statusCode: 200, headers: {}, body: new TextEncoder().encode(JSON.stringify({ Username: 'ann', UserAttributes: [] })),
          } }) },
        })
        return sdk
      }
      const regions = { 'us-west-2': region('us-west-2'), 'us-east-1': region('us-east-1') }
      const pool = createTwinpoolClient({ regions, primary: 'us-west-2' })
      const { Username } = await pool.send(new GetUserCommand({ AccessToken: 'token' }))
      pool.close()
      console.log(Username)`
    assert.equal(await runModule(plainNode, project, source), 'ann')
    assert.deepEqual(await readdir(join(project, 'node_modules', '@twinpool')), ['client'])
  })
})

describe('installed alone, with Node 24', () => {
  it('@twinpool/server can be imported', async () => {
    const project = await projectOf('@twinpool/server')
    assert.equal(await runModule(pinnedNode, project, `console.log(typeof await import('@twinpool/server'))`), 'object')
  })

  it('twinpool prints its version, and refuses an older Node', async () => {
    const project = await projectOf('twinpool')
    const command = join(project, 'node_modules', '.bin', 'twinpool')
    const { stdout } = await run(pinnedNode, [command, '--version'], { cwd: project, env: environment })
    assert.equal(stdout.trim(), version)

    const { stdout: major } = await run(plainNode, ['-p', 'parseInt(process.versions.node)'])
    if (Number(major) >= 24) return
    await assert.rejects(run(plainNode, [command, '--version'], { cwd: project, env: environment }), {
      code: 2,
      stderr: /^twinpool needs Node 24 or newer; this is Node .*\n$/,
    })
  })

  it('twinpool dev starts two regions and stops them again', { timeout: 60_000 }, async () => {
    const project = await projectOf('twinpool')
    const command = join(project, 'node_modules', '.bin', 'twinpool')
    const args = ['dev', '--ephemeral', '--json', '--port', String(await freePorts(3))]
    const plane = spawn(pinnedNode, [command, ...args], {
      cwd: project,
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(plane, 'exit')
    try {
      const lines = createInterface({ input: plane.stdout })
      const [line] = await Promise.race([
        once(lines, 'line'),
        ended.then(() => assert.fail('it ended before it was ready')),
      ])
      const ready = JSON.parse(line)
      assert.equal(ready.event, 'ready')
      const endpoints = Object.values(ready.regions as Record<string, { endpoint: string }>).map((at) => at.endpoint)
      assert.equal(endpoints.length, 2)
      for (const endpoint of endpoints) assert.equal((await fetch(`${endpoint}/health`)).status, 200)
      plane.kill('SIGTERM')
      assert.deepEqual(await ended, [0, null])
      for (const endpoint of endpoints) await assert.rejects(fetch(`${endpoint}/health`))
    } finally {
      plane.kill('SIGKILL')
    }
  })
})

const projects = new Map<string, Promise<string>>()
function projectOf(name: string): Promise<string> {
  const project = projects.get(name) ?? install(name)
  projects.set(name, project)
  return project
}

/** The first of a range of this many ports that are free now. */
async function freePorts(count: number): Promise<number> {
  for (let first = 19_400; ; first += count) {
    const free = await Promise.all(Array.from({ length: count }, (_, index) => isFree(first + index)))
    if (free.every(Boolean)) return first
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer()
  const outcome = once(probe, 'listening').then(
    () => true,
    () => false,
  )
  probe.listen(port, '127.0.0.1')
  const free = await outcome
  probe.close()
  return free
}
