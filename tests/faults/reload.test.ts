/** SIGHUP and SIGTERM of a region, and the commands that an operator runs beside it, on real processes. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { CognitoIdentityProviderClient, ListUserPoolsCommand } from '@aws-sdk/client-cognito-identity-provider'
import { createPool } from '@twinpool/testing/pools'
import { programArguments } from '@twinpool/testing/program'
import { credentials, freePorts, until } from '@twinpool/testing/regions'
import { NotServedError, type ServedRegion, serveRegion } from '@twinpool/testing/served-region'

const run = promisify(execFile)

interface Ended {
  code: number
  stdout: string
  stderr: string
}

/** Runs a command of `twinpool` to its end. */
const command = (...args: string[]): Promise<Ended> =>
  run(process.execPath, [...programArguments(), ...args]).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: Ended) => error,
  )

describe('a running region', () => {
  const [old, fresh] = [randomBytes(32), randomBytes(32)].map((key) => key.toString('base64')) as [string, string]
  let region: ServedRegion
  let store: { engine: 'sqlite'; file: string }
  let directory: string
  before(async () => {
    region = await serveRegion({ config: { keys: { provider: 'local', masterKey: old } } })
    store = region.config.store as typeof store
    directory = join(region.configFile, '..')
  })
  after(() => region?.stop())

  /** Writes the configuration, sends SIGHUP, and waits for one more event of this name. */
  const reload = async (text: string, event: 'reloaded' | 'reload-failed'): Promise<void> => {
    const count = () => region.log.split(`"event":"${event}"`).length
    const before = count()
    writeFileSync(region.configFile, text)
    region.process.kill('SIGHUP')
    await until(() => count() > before, { what: event })
  }
  const withMembers = (more: object): string => JSON.stringify({ ...region.config, ...more })
  const listPools = (pair: { accessKeyId: string; secretAccessKey: string }) =>
    new CognitoIdentityProviderClient({
      region: region.name,
      endpoint: region.endpoint,
      credentials: { ...pair },
      maxAttempts: 1,
    }).send(new ListUserPoolsCommand({ MaxResults: 1 }))

  it('keeps a second process off its store, and names itself', async () => {
    const second = serveRegion({ config: { ...region.config, listen: { port: 0 } } })
    await assert.rejects(second, (error) => {
      assert.ok(error instanceof NotServedError)
      assert.match(
        error.words,
        new RegExp(`in use by process ${region.process.pid}, port ${region.config.listen?.port}`),
      )
      return true
    })
  })

  it('takes new credentials at SIGHUP, and reports members that need a restart', async () => {
    const other = { accessKeyId: 'AKIATWINPOOLTESTING1', secretAccessKey: 'another-secret-for-tests-0123456789' }
    await assert.rejects(listPools(other), { name: 'UnrecognizedClientException' })
    await reload(withMembers({ credentials: [other], accountId: '111111111111' }), 'reloaded')
    await listPools(other)
    await assert.rejects(listPools(credentials), { name: 'UnrecognizedClientException' })
    await region.logged(/"needRestart":\["accountId"\]/)
    await reload(withMembers({}), 'reloaded')
    await listPools(credentials)
  })

  it('keeps its settings when the file, or a file that it names, has a mistake', async () => {
    await reload('{ "region": ', 'reload-failed')
    await reload(withMembers({ log: { levl: 'info' } }), 'reload-failed')
    await region.logged(/log\.levl: unknown member; did you mean level/)
    const masterKeyFile = join(directory, 'none.key')
    await reload(withMembers({ keys: { provider: 'local', masterKeyFile } }), 'reload-failed')
    await region.logged(/keys\.masterKeyFile: .*none\.key: ENOENT/)
    await reload(withMembers({ keys: { provider: 'local', masterKey: fresh } }), 'reload-failed')
    await listPools(credentials)
    await createPool(region)
    writeFileSync(region.configFile, withMembers({}))
  })

  it('moves to a new master key: SIGHUP, rekey, and the old one can go', async () => {
    const rekey = (...more: string[]) => command('rekey', '--config', region.configFile, ...more)
    const both = withMembers({ keys: { provider: 'local', masterKey: [fresh, old] } })
    writeFileSync(region.configFile, both)
    const early = await rekey()
    assert.equal(early.code, 2)
    assert.match(early.stderr, /send it SIGHUP/)
    await reload(both, 'reloaded')
    await createPool(region)
    const done = await rekey('--json')
    assert.deepEqual(
      [done.code, JSON.parse(done.stdout)],
      [0, { keys: 1, resealed: 1, unreadableKeyArns: [], by: 'region' }],
    )
    assert.equal(JSON.parse((await rekey('--json')).stdout).resealed, 0)
    await reload(withMembers({ keys: { provider: 'local', masterKey: fresh } }), 'reloaded')
    await createPool(region)
    await reload(withMembers({ keys: { provider: 'local', masterKey: old } }), 'reload-failed')
  })

  it('reads its configuration again at a SIGHUP during its start: the file may have changed since it was read', async () => {
    const signal = join(directory, 'signal.mjs')
    writeFileSync(
      signal,
      // Before the store is open. With PostgreSQL or AWS KMS that takes a while; with SQLite no real signal could arrive then.
      `process.on('newListener', (name) => {
         if (name === 'SIGHUP') queueMicrotask(() => process.emit('SIGHUP', 'SIGHUP'))
       })`,
    )
    const early = await serveRegion({ imports: [signal] })
    try {
      await early.logged(/"event":"reloaded"/)
    } finally {
      await early.stop()
    }
  })

  it('is found in order by `check`, which finds what a start would refuse', async () => {
    const check = async (text: string) => {
      writeFileSync(region.configFile, text)
      const { code, stdout } = await command('check', '--config', region.configFile, '--json')
      const { findings } = JSON.parse(stdout) as { findings: { member: string; ok: boolean; detail: string }[] }
      return {
        code,
        failed: Object.fromEntries(findings.filter(({ ok }) => !ok).map((one) => [one.member, one.detail])),
      }
    }
    const keys = { provider: 'local', masterKey: fresh }
    assert.deepEqual(await check(withMembers({ keys })), { code: 0, failed: {} })
    const [unused] = await freePorts(1)
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const taken = other.address() as AddressInfo
    const broken = await check(
      withMembers({
        keys: { provider: 'local', masterKey: old },
        region: 'eu-west-1',
        issuerBase: 'http://127.0.0.1:1',
        peers: { 'us-east-1': { endpoint: `http://127.0.0.1:${unused}` } },
        messages: { kind: 'inbox', url: 'http://127.0.0.1:1/' },
        tls: { certificateFile: 'none.pem', keyFile: 'none.pem' },
        management: { port: taken.port },
        audit: { file: join(directory, 'none', 'audit.jsonl') },
      }),
    )
    other.close()
    assert.equal(broken.code, 1)
    assert.deepEqual(Object.keys(broken.failed).sort(), [
      'audit.file',
      'keys',
      // Another region serves there.
      'listen',
      'management',
      'messages',
      'peers.us-east-1',
      'store',
      'tls',
    ])
    assert.match(broken.failed.management as string, /EADDRINUSE/)
    assert.equal(broken.failed['peers.us-east-1'], `http://127.0.0.1:${unused}: ECONNREFUSED`)
    assert.match(broken.failed['audit.file'] as string, /ENOENT/)
    assert.match(broken.failed.store as string, /belongs to the region us-west-2/)
    assert.match(broken.failed.tls as string, /tls\.certificateFile: none\.pem: ENOENT/)
    const misspelt = await check(withMembers({ paritty: 'aws' }))
    assert.deepEqual(misspelt, { code: 1, failed: { paritty: 'unknown member; did you mean parity?' } })
    rmSync(region.configFile)
    assert.equal((await command('check', '--config', region.configFile)).code, 1)
    assert.equal((await command('check')).code, 2)
  })

  it('returns 503 from /health at SIGTERM and still serves calls; a stopped one is rekeyed by the command', async () => {
    const served = await serveRegion({
      config: { keys: { provider: 'local', masterKey: old }, shutdown: { noticeSeconds: 3 } },
    })
    const exited = once(served.process, 'exit')
    served.process.kill('SIGTERM')
    const health = await until(async () => {
      const found = await served.health()
      return found.code === 503 && found
    })
    assert.deepEqual(health.checks.process, { ok: false, detail: 'the region is stopping' })
    await createPool(served)
    assert.deepEqual(await exited, [0, null])
    writeFileSync(
      served.configFile,
      JSON.stringify({ ...served.config, keys: { provider: 'local', masterKey: [fresh, old] } }),
    )
    const { code, stdout } = await command('rekey', '--config', served.configFile, '--json')
    assert.deepEqual([code, JSON.parse(stdout)], [0, { keys: 1, resealed: 1, unreadableKeyArns: [], by: 'command' }])
    const neither = { ...served.config, keys: { provider: 'local', masterKey: randomBytes(32).toString('base64') } }
    writeFileSync(served.configFile, JSON.stringify(neither))
    assert.equal((await command('rekey', '--config', served.configFile)).code, 1)
    const file = join(directory, 'misspelt.db')
    writeFileSync(served.configFile, JSON.stringify({ ...served.config, store: { engine: 'sqlite', file } }))
    const misspelt = await command('rekey', '--config', served.configFile)
    assert.equal(misspelt.code, 2)
    assert.match(misspelt.stderr, /store\.file: .*misspelt\.db: there is no store of a region/)
    assert.equal(existsSync(file), false)
    await served.stop()
  })
})
