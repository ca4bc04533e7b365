/** A replica that is copied again after its pool was sealed: it serves during the copy and must not lose a membership. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { putGroup } from '@twinpool/server/internal/directory/group'
import { listGroupsOf, listMembers, putMember } from '@twinpool/server/internal/directory/member'
import type { OpenPool } from '@twinpool/server/internal/directory/open-pool'
import { sealBatch } from '@twinpool/server/internal/directory/sealing'
import { createCopier } from '@twinpool/server/internal/replication/copier'
import { createFollower } from '@twinpool/server/internal/replication/follower'
import type { Source } from '@twinpool/server/internal/replication/messages'
import { openSupplier } from '@twinpool/server/internal/replication/supplier'
import { ONLY } from '@twinpool/server/internal/store/kinds'
import type { Replica } from '@twinpool/server/internal/store/merge'
import type { Store } from '@twinpool/server/internal/store/store'
import {
  createDice,
  createSteppedClock,
  type KillableStore,
  openKillableStore,
} from '@twinpool/testing/plane-of-stores'
import { engines } from '@twinpool/testing/regions'
import { settled } from '@twinpool/testing/stores'

const [HERE, PRIMARY] = ['us-east-1', 'us-west-2'] as const
const pool = `${PRIMARY}_pool`
const subs = Array.from({ length: 3 }, (_, at) => `00000000-0000-7000-8000-00000000000${at}`)
const group = 'admins'

/** Seals nothing: replication does not depend on the cipher. */
const cipher = {
  index: (purpose: string, name: string) => createHash('sha256').update(`${purpose}\n${name}`).digest('hex'),
  seal: (_purpose: string, plain: Buffer) => plain,
  open: (_purpose: string, sealed: Buffer) => sealed,
} as unknown as OpenPool['cipher']

async function openPoolIn(store: Store): Promise<OpenPool> {
  const row = await store.find('pool', { pool, key: ONLY })
  return { pool: { id: pool, document: JSON.parse(row?.body ?? '{}') }, cipher } as unknown as OpenPool
}

for (const engine of engines) {
  describe(`a replica that is copied again after its pool was sealed, on ${engine}`, () => {
    const clock = createSteppedClock(createDice(1), { now: 1_700_000_000_000 }, 0)
    let primary: KillableStore
    let secondary: KillableStore
    before(async () => {
      const name = `twinpool_again_${process.pid}`
      primary = await openKillableStore(engine, { clock, region: PRIMARY, name: `${name}_1` })
      secondary = await openKillableStore(engine, { clock, region: HERE, name: `${name}_2` })
    })
    after(async () => {
      await primary.close()
      await secondary.close()
    })

    it('shows every membership after each step of the copy', async () => {
      const supplier = await openSupplier({
        store: primary.store,
        clock,
        region: PRIMARY,
        events: { noted: () => {} },
        retention: { milliseconds: 3_600_000, changes: 1_000_000 },
      })
      const setForm = (form: string | undefined) =>
        primary.store.write((tx) => tx.put('pool', { pool, key: ONLY, body: JSON.stringify({ form }) }))
      await primary.store.write(async (tx) => {
        await tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: PRIMARY, epoch: 1 }) })
        const replica: Replica = { region: HERE, status: 'CREATING', version: 1 }
        await tx.share('replica', { pool, key: HERE, body: JSON.stringify(replica) })
      })
      await setForm(undefined)
      const plain = await openPoolIn(primary.store)
      await primary.store.write(async (tx) => {
        await putGroup(tx, plain, { name: group, created: 0, modified: 0 })
        for (const sub of subs) await putMember(tx, plain, { group, sub })
      })
      await settled(primary.store)

      const context = { store: secondary.store, clock, region: HERE }
      const follower = createFollower(context)
      const copier = createCopier(context)
      const source: Source = {
        inventory: (after) => supplier.inventory(HERE, after),
        outline: (pool, witness) => supplier.outline(HERE, pool, witness),
        page: (query) => supplier.page(HERE, query),
      }
      const restart = async () =>
        follower.restart(PRIMARY, await supplier.hello(HERE, undefined), (await source.inventory(undefined)).rows)
      await restart()
      assert.equal(await copier.begin(pool, PRIMARY, source), true)
      while ((await copier.step({ pool, peer: PRIMARY }, source)) !== 'ended');

      const check = async (when: string) => {
        const openPool = await openPoolIn(secondary.store)
        const page = { after: undefined, size: 10 }
        for (const sub of subs) {
          const { entries } = await listGroupsOf(secondary.store, openPool, sub, page)
          assert.deepEqual(
            entries.map(({ name }) => name),
            [group],
            when,
          )
        }
        assert.deepEqual((await listMembers(secondary.store, openPool, group, page)).entries, subs, when)
      }
      await check('first copy')

      // The replica misses the move, and the log is trimmed.
      await setForm('sealing')
      const sealing = await openPoolIn(primary.store)
      while ((await primary.store.write((tx) => sealBatch(tx, sealing, 2))) > 0);
      await setForm('sealed')
      await settled(primary.store)
      await restart()
      for (let step = 1, done = ''; done !== 'ended'; step += 1) {
        done = await copier.step({ pool, peer: PRIMARY }, source)
        await check(`step ${step}`)
      }
      assert.equal(await secondary.store.count('member', { pool }), 0)
      assert.equal(await secondary.store.count('group', { pool }), 0)
      assert.equal((await openPoolIn(secondary.store)).pool.document.form, 'sealed')
    })
  })
}
