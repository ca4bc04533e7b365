/** A region removes expired shared facts on its own, and checksums do not depend on it. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { GlobalSignOutCommand, RevokeTokenCommand } from '@aws-sdk/client-cognito-identity-provider'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser } from '@twinpool/testing/pools'
import { engines, startRegions, until } from '@twinpool/testing/regions'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { systemClock } from '../clock.ts'
import { addRows, removeUnchanged } from '../store/apply.ts'
import { ONLY } from '../store/kinds.ts'
import { checksumOf } from './checksum.ts'
import { createPurger } from './purger.ts'

const region = 'us-west-2'
const pools = [`${region}_a`, `${region}_b`] as const
const ADA = { username: 'ada' }
const HOUR = 3_600_000
const END = 1_700_000_000_000
/** More than one page. */
const FACTS = 1_300

for (const engine of engines) {
  describe(`expired shared facts: ${engine}`, () => {
    const clock = { now: () => END }
    let opened: TestStore

    before(async () => {
      opened = await openTestStore(engine, { clock, region })
      for (const pool of pools) {
        await opened.store.write(async (tx) => {
          await tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: region, epoch: 1 }) })
          const facts = Array.from({ length: FACTS }, (_, at) => ({
            pool,
            key: `family-${at}`,
            body: JSON.stringify({ expires: at % 2 === 0 ? END : END + 2 * HOUR }),
            fields: {},
            stamp: { epoch: 0, seq: 0 },
          }))
          await addRows(tx.connection, 'revocation', facts)
          const rotation = { generation: 1, at: 1, expires: END }
          await tx.share('rotation', { pool, key: 'family-1', body: JSON.stringify(rotation) })
          await tx.share('sign-out', { pool, key: 'sub', body: JSON.stringify({ before: 1 }) })
        })
      }
    })
    after(() => opened.close())

    const counts = async () => {
      const count = (kind: 'revocation' | 'rotation' | 'sign-out') =>
        Promise.all(pools.map((pool) => opened.store.count(kind, { pool })))
      return [await count('revocation'), await count('rotation'), await count('sign-out')]
    }
    const all = [
      [FACTS, FACTS],
      [1, 1],
      [1, 1],
    ]

    it('stay for an hour, but no longer count in checksums', async () => {
      const purger = createPurger({ store: opened.store, clock: { now: () => END + HOUR - 1 } })
      for (let time = 0; time < 8; time += 1) assert.equal(await purger.purge(), 0)
      assert.deepEqual(await counts(), all)
      assert.equal((await checksumOf(opened.store, pools[0], END - 1)).rows.revocation, FACTS)
      const { rows } = await checksumOf(opened.store, pools[0], END)
      assert.deepEqual([rows.revocation, rows.rotation, rows['sign-out']], [FACTS / 2, 0, 1])
    })

    it('are not removed if they were merged with a newer fact since they were read', async () => {
      const { store } = opened
      const [pool] = pools
      const read = await store.find('revocation', { pool, key: 'family-0' })
      assert.ok(read)
      const later = { pool, key: 'family-0', body: JSON.stringify({ expires: END + 2 * HOUR }) }
      await store.write((tx) => tx.share('revocation', later))
      await store.transaction((connection) => removeUnchanged(connection, 'revocation', [read]))
      assert.equal((await store.find('revocation', later))?.body, later.body)
    })

    it('are removed after that hour, other rows are not, and the checksum is unchanged', async () => {
      const now = END + HOUR
      const checksums = () => Promise.all(pools.map((pool) => checksumOf(opened.store, pool, now)))
      const sums = await checksums()
      const purger = createPurger({ store: opened.store, clock: { now: () => now } })
      let removed = 0
      for (let time = 0; time < 8; time += 1) removed += await purger.purge()
      assert.deepEqual(await counts(), [
        [FACTS / 2 + 1, FACTS / 2],
        [0, 0],
        [1, 1],
      ])
      assert.equal(removed, FACTS - 1 + 2)
      assert.deepEqual(await checksums(), sums)
    })
  })

  it(`a region removes revocations after their tokens have expired: ${engine}`, async () => {
    let ahead = 0
    const clock = { ...systemClock, now: () => systemClock.now() + ahead }
    const config = { replication: { trimSeconds: 0.1 } }
    const plane = await startRegions({ engine, regions: [region], clock, config })
    try {
      const { cognito, region: running } = plane.primary
      const { store } = running.context
      const pool = await createPool(plane.primary)
      const client = await createClient(plane.primary, pool, { RefreshTokenValidity: 1 })
      await createUser(plane.primary, pool, ADA)
      const { signIn } = people(plane.primary)
      const [one, other] = [await signIn(client, ADA), await signIn(client, ADA)]
      await cognito.send(new RevokeTokenCommand({ ClientId: client.id, Token: one.RefreshToken }))
      await cognito.send(new GlobalSignOutCommand({ AccessToken: other.AccessToken }))
      assert.equal(await store.count('revocation', { pool }), 1)
      ahead = 3 * 24 * HOUR
      await until(async () => (await store.count('revocation', { pool })) === 0, { what: 'forgetting' })
      assert.equal(await store.count('sign-out', { pool }), 1)
    } finally {
      await plane.stop()
    }
  })
}
