import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { nextPort } from '@twinpool/testing/dev-plane'
import { PostgresError } from '../postgres/postgres-error.ts'
import { type Check, checkDataFolder, checkNode, checkPorts, checkPostgres, checkSdk } from './checks.ts'

const main = fileURLToPath(new URL('../main.ts', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'twinpool-doctor-'))
after(() => rmSync(directory, { recursive: true, force: true }))

describe('twinpool doctor', () => {
  const run = (...args: string[]) => {
    const options = { encoding: 'utf8', cwd: directory } as const
    return spawnSync(process.execPath, [...process.execArgv, main, 'doctor', ...args], options)
  }

  it('finds no fault on a machine that has none', () => {
    const { status, stdout } = run('--json', '--port', String(nextPort()))
    const report = JSON.parse(stdout) as { ok: boolean; checks: Check[] }
    assert.deepEqual(
      report.checks.filter(({ ok }) => !ok),
      [],
    )
    assert.equal(report.ok, true)
    assert.equal(status, 0)
    assert.deepEqual(
      report.checks.map(({ name }) => name.replace(/\d+/, 'N')),
      [
        'Node',
        '@aws-sdk/client-cognito-identity-provider',
        '@aws-sdk/client-kms',
        'port N',
        'port N',
        'port N',
        'data folder',
        'PostgreSQL',
      ],
    )
    assert.deepEqual(readdirSync(directory), [], 'it leaves nothing behind')
  })

  it('prints each fault with its fix, and exits with 1', async () => {
    const port = nextPort()
    const holder = createServer().listen(port + 1, '127.0.0.1')
    await once(holder, 'listening')
    writeFileSync(join(directory, 'file'), '')
    try {
      const { status, stdout } = run('--port', String(port), '--data', join(directory, 'file', 'below'))
      assert.equal(status, 1)
      assert.match(stdout, new RegExp(`FAULT +port ${port + 1} +used by .+\\n +Fix: npm start -- --port \\d+\\n`))
      assert.match(stdout, /FAULT +data folder .*ENOTDIR.*\n +Fix: .*is a file/)
      assert.match(stdout, /2 faults were found/)
    } finally {
      rmSync(join(directory, 'file'))
      holder.close()
    }
  })

  it('exits with 2 when it cannot run', () => {
    const { status, stderr } = run('--port', 'x')
    assert.equal(status, 2)
    assert.match(stderr, /--port takes a whole number/)
  })

  it('names the fix of an old Node', () => {
    assert.equal(checkNode('24.2.0').ok, true)
    assert.deepEqual(
      { ...checkNode('20.1.0'), detail: '' },
      {
        name: 'Node',
        ok: false,
        detail: '',
        fix: 'run npm ci, which brings Node',
      },
    )
  })

  it('knows the versions of the SDK', async () => {
    for (const { detail } of await checkSdk()) assert.match(detail, /^3\.\d+\.\d+$/)
  })

  it('suggests ports that are free', async () => {
    const port = nextPort()
    const holder = createServer().listen(port, '127.0.0.1')
    await once(holder, 'listening')
    const [first, second] = await checkPorts(port, 1)
    assert.equal(first?.ok, false)
    assert.match(first?.fix ?? '', /^npm start -- --port \d+$/)
    assert.equal(second?.ok, true)
    holder.close()
  })

  it('takes a data folder that is not there yet', async () => {
    assert.equal((await checkDataFolder(join(directory, 'a', 'b'))).ok, true)
    assert.deepEqual(readdirSync(directory), [])
  })

  it('reports why PostgreSQL does not start, and the alternative', async () => {
    const check = await checkPostgres(async () => {
      throw new PostgresError('initdb: no room left')
    })
    assert.equal(check.ok, false)
    assert.match(check.detail, /no room left/)
    assert.match(check.fix ?? '', /npm start -- --store sqlite/)
  })
})
