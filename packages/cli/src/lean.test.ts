import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)

describe('a process that restarts itself with leaner flags', {
  skip: process.platform === 'win32' && 'there is no exec',
}, () => {
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-lean-'))
  const script = join(directory, 'script.mjs')
  writeFileSync(
    script,
    `import { beginLean } from ${JSON.stringify(new URL('lean.ts', import.meta.url).href)}
beginLean()
process.stdout.write(JSON.stringify({ flags: process.execArgv, args: process.argv.slice(2), kept: process.env.KEPT }))
`,
  )
  after(() => rmSync(directory, { recursive: true, force: true }))
  const begin = async ({ flags = [], env = {} }: { flags?: string[]; env?: Record<string, string> } = {}) => {
    const { stdout, stderr } = await run(process.execPath, [...flags, script, 'serve', '--config', 'a b'], {
      env: { ...process.env, NODE_OPTIONS: '', KEPT: 'yes', ...env },
    })
    assert.equal(stderr, '')
    return JSON.parse(stdout) as { flags: string[]; args: string[]; kept: string }
  }

  it('has the flag, and keeps its own flags, arguments and environment', async () => {
    assert.deepEqual(await begin({ flags: ['--disable-warning=DEP0040'] }), {
      flags: ['--disable-warning=DEP0040', '--max-semi-space-size=8'],
      args: ['serve', '--config', 'a b'],
      kept: 'yes',
    })
  })

  it('keeps a size that is already set', async () => {
    assert.deepEqual((await begin({ flags: ['--max-semi-space-size=32'] })).flags, ['--max-semi-space-size=32'])
    assert.deepEqual((await begin({ env: { NODE_OPTIONS: '--max-semi-space-size=32' } })).flags, [])
  })
})
