import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { type DevProcess, startDevProcess } from '@twinpool/testing/dev-plane'

const root = new URL('..', import.meta.url)
const readme = readFileSync(new URL('README.md', root), 'utf8')
const run = promisify(execFile)

describe('the README', () => {
  let dev: DevProcess
  before(async () => {
    dev = await startDevProcess({ fromSource: true })
  })
  after(() => dev?.stop())

  it('has an example that runs unchanged', async () => {
    const [, example = ''] = /```ts\n(.*?)```/s.exec(readme) ?? []
    const code = example.replace('http://127.0.0.1:9400', dev.ready.control)
    assert.notEqual(code, example)
    const { stdout } = await run(
      process.execPath,
      ['--conditions=twinpool-source', '--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', code],
      { cwd: root },
    )
    assert.match(stdout, /UserSub: '[0-9a-f-]{36}'/)
  })
})
