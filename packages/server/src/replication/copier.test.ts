/** The result of a first copy: rows and planner statistics. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  createDice,
  createSteppedClock,
  type KillableStore,
  openKillableStore,
} from '@twinpool/testing/plane-of-stores'
import { engines } from '@twinpool/testing/regions'
import { settled } from '@twinpool/testing/stores'
import { sql } from 'kysely'
import { ONLY, tableOf } from '../store/kinds.ts'
import type { Replica } from '../store/merge.ts'
import { createCopier } from './copier.ts'
import { createFollower } from './follower.ts'
import { openSupplier } from './supplier.ts'

const [HERE, PRIMARY] = ['us-east-1', 'us-west-2'] as const
const pool = `${PRIMARY}_pool`
/** More than one page. */
const GROUPS = 1_200

for (const engine of engines) {
  describe(`a first copy: ${engine}`, () => {
    const clock = createSteppedClock(createDice(1), { now: 1_700_000_000_000 }, 0)
    let primary: KillableStore
    let secondary: KillableStore

    before(async () => {
      const name = `twinpool_copier_${process.pid}`
      primary = await openKillableStore(engine, { clock, region: PRIMARY, name: `${name}_1` })
      secondary = await openKillableStore(engine, { clock, region: HERE, name: `${name}_2` })
    })
    after(async () => {
      await primary.close()
      await secondary.close()
    })

    it('has all rows, and updates the planner statistics', async () => {
      const supplier = await openSupplier({
        store: primary.store,
        clock,
        region: PRIMARY,
        events: { noted: () => {} },
        retention: { milliseconds: 3_600_000, changes: 1_000_000 },
      })
      await primary.store.write(async (tx) => {
        await tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: PRIMARY, epoch: 1 }) })
        for (let at = 0; at < GROUPS; at += 1) await tx.put('group', { pool, key: `group-${at}`, body: '{}' })
        const replica: Replica = { region: HERE, status: 'CREATING', version: 1 }
        await tx.share('replica', { pool, key: HERE, body: JSON.stringify(replica) })
      })
      await settled(primary.store)

      const context = { store: secondary.store, clock, region: HERE }
      const follower = createFollower(context)
      const copier = createCopier(context)
      const source: Parameters<typeof copier.step>[1] = {
        inventory: (after) => supplier.inventory(HERE, after),
        outline: (pool, witness) => supplier.outline(HERE, pool, witness),
        page: (query) => supplier.page(HERE, query),
      }
      await follower.restart(PRIMARY, await supplier.hello(HERE, undefined), (await source.inventory(undefined)).rows)
      assert.equal(await copier.begin(pool, PRIMARY, source), true)
      while ((await copier.step({ pool, peer: PRIMARY }, source)) !== 'ended');

      assert.equal(await secondary.store.count('group', { pool }), GROUPS)
      if (engine === 'sqlite') return
      const { rows } = await sql<{ tuples: number }>`
        select reltuples as tuples from pg_class where relname = ${tableOf('group')}`.execute(secondary.store.db)
      assert.equal(rows[0]?.tuples, GROUPS)
    })
  })
}
