import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'

const preload = new URL('preload-test-scopes.ts', import.meta.url).href

const suites = `
import { before, describe, it } from 'node:test'
const turn = () => new Promise((resolve) => setImmediate(resolve))
const pause = async () => { for (let turns = 0; turns < 20; turns++) await turn() }
describe('imported', () => import('./later.mjs'))
describe('suite', () => {
  before(async () => {})
  it('nests', async (t) => {
    await t.test('inner', () => it('innermost', () => {}))
  })
  it('rejects', async () => {
    Promise.reject(new Error('nobody waits'))
    await pause()
  })
  it('passes', () => {})
  it('throws in a callback', async () => {
    await null
    setImmediate(() => { throw new Error('in a callback') })
    await pause()
  })
  it('throws too late', async () => {
    setImmediate(() => { throw new Error('too late') })
  })
  it('waits', pause)
})
`
const later = `
import { describe, it } from 'node:test'
await new Promise((resolve) => setImmediate(resolve))
describe('late', () => it('is found', () => {}))
`

describe('the test runner with the scopes of the preload', () => {
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-scopes-'))
  after(() => rmSync(directory, { recursive: true, force: true }))

  /** The report in TAP without stacks, durations and places, and the exit code. */
  function report(...flags: string[]): string {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const program = [...flags, '--test', '--test-reporter=tap', join(directory, 'suite.test.mjs')]
    const { stdout, status } = spawnSync(process.execPath, program, { env, encoding: 'utf8' })
    return `${stdout
      .replaceAll(/^ *(duration_ms:|# duration_ms).*$/gm, '')
      .replaceAll(/^ *stack: \|-\n(?: {2,}.*\n)*?(?= *\.\.\.)/gm, '')}${status}`
  }

  it('reports the same tests in the same places, and the same failures, as without', () => {
    writeFileSync(join(directory, 'suite.test.mjs'), suites)
    writeFileSync(join(directory, 'later.mjs'), later)
    const plain = report()
    assert.equal(report('--import', preload), plain)
    for (const words of [
      'not ok 2 - rejects',
      'not ok 4 - throws in a callback',
      'ok 1 - is found',
      'ok 1 - innermost',
    ]) {
      assert.ok(plain.includes(words), plain)
    }
  })
})
