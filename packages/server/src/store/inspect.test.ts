import assert from 'node:assert/strict'
import { linkSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { systemClock } from '../clock.ts'
import { inspectStore } from './inspect.ts'
import { openStore } from './store.ts'

describe('a store that is looked at without being opened', () => {
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-inspect-'))
  const file = join(directory, 'region.db')
  const config = { engine: 'sqlite', file } as const
  after(() => rmSync(directory, { recursive: true, force: true }))

  it('is refused for the reason for which a region refuses it: two names of one file', async () => {
    await (await openStore(config, { clock: systemClock, region: 'us-west-2' })).close()
    const found = await inspectStore(config)
    assert.equal(found.holder, undefined)
    await found.close()
    linkSync(file, join(directory, 'other.db'))
    const refused = /region\.db has 2 hard links/
    await assert.rejects(openStore(config, { clock: systemClock, region: 'us-west-2' }), refused)
    await assert.rejects(inspectStore(config), refused)
  })
})
