/** A region reports to its peers whether a process of the first release still serves it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { systemClock } from '@twinpool/server/internal/clock'
import { createPeers } from '@twinpool/server/internal/replication/replication'
import { engines, startRegions } from '@twinpool/testing/regions'
import { sql } from 'kysely'

const secret = randomBytes(32).toString('base64')

for (const engine of engines) {
  describe(`a region with processes of two builds, on ${engine}`, () => {
    it('reports the older process as long as it is connected to the database', async () => {
      const plane = await startRegions({ engine, config: { cluster: { secret } } })
      const { name, endpoint, region } = plane.secondary
      const peers = createPeers({
        ...{ secrets: [secret], region: plane.primary.name, bases: { [name]: endpoint } },
        ...{ clock: systemClock, throttling: { once: async () => true } },
      })
      const reported = () => peers.all.get(name)?.hasOlderProcesses()
      assert.equal(await reported(), false)
      if (engine === 'postgres') {
        await region.context.store.transaction(async (connection) => {
          // The name of the listening connection of the first release.
          await sql`set local application_name = 'twinpool-listen'`.execute(connection)
          assert.equal(await reported(), true)
        })
        assert.equal(await reported(), false)
      }
      await plane.stop()
      await assert.rejects(reported() as Promise<boolean>, { name: 'PeerError' })
    })
  })
}
