/** Faults that prevent the start of a region, and the messages about them. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { freePorts } from '@twinpool/testing/regions'
import { MASTER_KEY, NotServedError, type ServedOptions, serveRegion } from '@twinpool/testing/served-region'

/** Starts a region that cannot start. Returns its last output. */
async function exitMessage(options: ServedOptions): Promise<string> {
  const error = await serveRegion(options).then(
    async (region) => {
      await region.stop()
      throw new Error('it started')
    },
    (error: unknown) => error,
  )
  assert.ok(error instanceof NotServedError, String(error))
  assert.equal(error.code, 2)
  assert.doesNotMatch(error.words, /\n\s+at /, 'the output contains a stack trace')
  return error.words
}

describe('a region that cannot start exits with 2 and reports why', () => {
  let directory: string
  let file: string

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'twinpool-fault-'))
    file = join(directory, 'region.db')
    await (await serveRegion({ config: { store: { engine: 'sqlite', file } } })).stop()
  })
  after(() => rmSync(directory, { recursive: true, force: true }))

  it('the port is in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    const { promise, resolve } = Promise.withResolvers<void>()
    taken.once('listening', resolve)
    await promise
    const { port } = taken.address() as { port: number }
    assert.match(
      await exitMessage({ config: { listen: { port } } }),
      /the port is taken: choose another in listen\.port/,
    )
    taken.close()
  })

  it('the configuration is not JSON, or not valid for a region: one line per mistake, without values', async () => {
    assert.match(await exitMessage({ text: '{"region": ' }), /region\.json is not JSON/)
    const words = await exitMessage({
      text: JSON.stringify({ region: 'nowhere', keys: { provider: 'local', masterKey: 'c2hvcnQ=' }, colour: 'red' }),
    })
    for (const member of ['region', 'store', 'credentials', 'cluster', 'colour'])
      assert.match(words, new RegExp(member))
    assert.doesNotMatch(words, /c2hvcnQ=/)
  })

  it('the store is damaged, or the file is not a store', async () => {
    const head = join(directory, 'head.db')
    copyFileSync(file, head)
    writeFileSync(head, randomBytes(4096), { flag: 'r+' })
    assert.match(await exitMessage({ config: { store: { engine: 'sqlite', file: head } } }), /not a database/)

    const middle = join(directory, 'middle.db')
    const bytes = readFileSync(file)
    writeFileSync(middle, Buffer.concat([bytes.subarray(0, 100), randomBytes(bytes.length - 100)]))
    assert.match(await exitMessage({ config: { store: { engine: 'sqlite', file: middle } } }), /malformed/)
  })

  it('the master key is missing or wrong', async () => {
    const store = { engine: 'sqlite', file } as const
    const lost = { provider: 'local', masterKeyFile: join(directory, 'master.key') } as const
    assert.match(await exitMessage({ config: { store, keys: lost } }), /master\.key/)
    const other = { provider: 'local', masterKey: randomBytes(32).toString('base64') } as const
    assert.match(await exitMessage({ config: { store, keys: other } }), /the master key of us-west-2 does not open/)
    // The failed attempts have damaged nothing.
    const right = { provider: 'local', masterKey: MASTER_KEY } as const
    const region = await serveRegion({ config: { store, keys: right } })
    assert.equal((await region.health()).code, 200)
    await region.stop()
  })

  it('PostgreSQL is not reachable', async () => {
    const [port] = await freePorts(1)
    const store = { engine: 'postgres', url: `postgres://postgres:secret@127.0.0.1:${port}/twinpool` } as const
    const words = await exitMessage({ config: { store } })
    assert.match(words, new RegExp(`ECONNREFUSED 127\\.0\\.0\\.1:${port}`))
    assert.doesNotMatch(words, /secret/)
  })
})
