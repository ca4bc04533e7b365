/** A replica whose key is missing is reported, but not before its first copy needs the key. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { engines } from '@twinpool/testing/regions'
import { openTestStore } from '@twinpool/testing/stores'
import { type Copy, putCopy, removeCopies } from '../store/copies.ts'
import { createKeyWatch } from './key-watch.ts'
import { COMPLETE } from './stages.ts'

const POOL = 'us-west-2_A'
const REGION = 'us-east-1'

for (const engine of engines) {
  it(`on ${engine}, a replica without its key is reported once its first copy has all rows`, async () => {
    const opened = await openTestStore(engine, { clock: { now: () => 1 }, region: REGION })
    try {
      const { store } = opened
      const replica = { region: REGION, status: 'CREATING', version: 1 }
      await store.write((tx) => tx.share('replica', { pool: POOL, key: REGION, body: JSON.stringify(replica) }))
      const copyAt = (stage: string): Copy => ({
        ...{ pool: POOL, peer: 'us-west-2', generation: '1', stage, after: undefined, done: 0, total: 1, swept: 0 },
        ...{ started: 1, asOf: undefined, target: undefined, witness: { position: 1, mark: '' } },
      })
      let opens = false
      const noted: unknown[] = []
      const watch = createKeyWatch({
        ...{ store, region: REGION, opensPool: async () => opens },
        events: { noted: (event, details) => noted.push([event, details]), closedReplicas: () => {} },
      })

      await store.transaction((connection) => putCopy(connection, copyAt('user')))
      await watch.check()
      assert.equal(watch.closed, 0)

      await store.transaction((connection) => putCopy(connection, copyAt(COMPLETE)))
      await watch.check()
      await watch.check()
      assert.equal(watch.closed, 1)

      await store.transaction((connection) => removeCopies(connection, POOL))
      opens = true
      await watch.check()
      assert.deepEqual(noted, [
        ['replica-key-unavailable', { pool: POOL }],
        ['replica-key-available', { pool: POOL }],
      ])
    } finally {
      await opened.close()
    }
  })
}
