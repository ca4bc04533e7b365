/** `twinpool serve` and `twinpool dev` as users stop them: by Ctrl-C in a terminal. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { nextPort } from '@twinpool/testing/dev-plane'
import { programArguments } from '@twinpool/testing/program'
import { until } from '@twinpool/testing/regions'

const directory = mkdtempSync(join(tmpdir(), 'twinpool-serve-'))
after(() => rmSync(directory, { recursive: true, force: true }))

interface Run {
  child: ChildProcess
  /** What it has printed since it was up. */
  said(): string
  ended: Promise<unknown>
}

/** Runs the command until it has printed `up`. */
async function run(args: readonly string[], up: string): Promise<Run> {
  const child = spawn(process.execPath, [...programArguments(), ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  await until(() => out.includes(up) || child.exitCode !== null, { what: up })
  const from = out.length
  return { child, said: () => out.slice(from), ended }
}

function serve(port: number): Promise<Run> {
  const file = join(directory, `${port}.json`)
  const config = {
    region: 'us-west-2',
    listen: { port },
    store: { engine: 'sqlite', file: join(directory, `${port}.db`) },
    credentials: [{ accessKeyId: 'AKIAEXAMPLE000000000', secretAccessKey: randomBytes(30).toString('base64') }],
    keys: { provider: 'local', masterKey: randomBytes(32).toString('base64') },
    cluster: { secret: randomBytes(32).toString('base64') },
  }
  writeFileSync(file, JSON.stringify(config))
  return run(['serve', '--config', file], 'health: ')
}

const STOPPING = (seconds: number): string =>
  `stopping: draining connections (up to ${seconds} s); a second Ctrl-C stops at once\n`

describe('Ctrl-C', () => {
  it('stops a region, which says so', async () => {
    const { child, said, ended } = await serve(nextPort())
    child.kill('SIGINT')
    assert.equal(await ended, 0)
    assert.equal(said(), `${STOPPING(5)}stopped\n`)
  })

  it('stops a development plane, which says so', async () => {
    const args = ['dev', '--ephemeral', '--port', String(nextPort())]
    const { child, said, ended } = await run(args, 'Ctrl-C stops it.\n\n')
    child.kill('SIGINT')
    assert.equal(await ended, 0)
    assert.equal(said(), `${STOPPING(10)}stopped\n`)
  })

  it('once more ends a region that drains its connections at once', async () => {
    const port = nextPort()
    const { child, said, ended } = await serve(port)
    const call = connect(port, '127.0.0.1')
    await once(call, 'connect')
    call.on('error', () => {})
    // A call that stays in progress: its body does not arrive. The response to Expect shows that the region has the head.
    call.write('POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n')
    await once(call, 'data')
    child.kill('SIGINT')
    await until(() => said() === STOPPING(5), { what: 'the first line' })
    // Signals in the first second count as the same Ctrl-C.
    await until(() => child.exitCode !== null || !child.kill('SIGINT'), { what: 'the end' })
    assert.equal(await ended, 130)
    assert.equal(said(), `${STOPPING(5)}stopped at once, without draining connections\n`)
    call.destroy()
  })
})
