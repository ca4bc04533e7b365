/** Which changes a supplier sends to a peer, how long it keeps the log, and how it detects a log that is not its own. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import {
  createDice,
  createSteppedClock,
  type KillableStore,
  openKillableStore,
} from '@twinpool/testing/plane-of-stores'
import { engines } from '@twinpool/testing/regions'
import { settled } from '@twinpool/testing/stores'
import { sql } from 'kysely'
import { ONLY, type Topology } from '../store/kinds.ts'
import type { Replica } from '../store/merge.ts'
import type { ResumePoint } from './messages.ts'
import { openSupplier, type Supplier } from './supplier.ts'

const [HERE, PEER, STRANGER] = ['us-west-2', 'us-east-1', 'eu-west-1'] as const
const HOUR = 3_600_000

for (const engine of engines) {
  describe(`a supplier: ${engine}`, () => {
    const time = { now: 1_700_000_000_000 }
    const clock = createSteppedClock(createDice(1), time, 0)
    let killable: KillableStore
    let supplier: Supplier
    let noted: string[]
    let runs = 0

    const open = async (): Promise<void> => {
      noted = []
      supplier = await openSupplier({
        store: killable.store,
        clock,
        region: HERE,
        events: { noted: (event, { reason }) => noted.push(`${event} ${reason}`) },
        retention: { milliseconds: HOUR, changes: 50 },
      })
    }
    /** Writes, and waits until the log can be read up to this write: on PostgreSQL an older transaction may hold it back. */
    const put = async (work: Parameters<KillableStore['store']['write']>[0]): Promise<void> => {
      await killable.store.write(work)
      await settled(killable.store)
    }
    const createPool = (pool: string): Promise<void> =>
      put(async (tx) => {
        await tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: HERE, epoch: 1 }) })
        await tx.put('group', { pool, key: 'first', body: '{}' })
      })
    const setReplica = (pool: string, status: Replica['status'], version: number): Promise<void> =>
      put((tx) =>
        tx.share('replica', {
          pool,
          key: PEER,
          body: JSON.stringify({ region: PEER, status, version } satisfies Replica),
        }),
      )
    const write = (pool: string, key: string): Promise<void> => put((tx) => tx.put('group', { pool, key, body: '{}' }))
    /** Everything that a peer is sent after a position: kind, pool and key. */
    const sentTo = async (peer: string, after = { position: 0, mark: '' }): Promise<string[]> => {
      const { log } = await supplier.hello(peer, undefined)
      const reading = await supplier.read(peer, { log, ...after })
      return (
        reading?.batches.flatMap(({ changes }) => changes.map(([kind, pool, key]) => `${kind} ${pool} ${key}`)) ?? [
          'trimmed',
        ]
      )
    }
    const resumePointOf = async (peer: string): Promise<ResumePoint> => {
      const { log, position, mark } = await supplier.hello(peer, undefined)
      return { log, position, mark, epoch: 1, witness: { position, mark } }
    }
    const epochOf = async (pool: string): Promise<number> =>
      (JSON.parse((await killable.store.find('topology', { pool, key: ONLY }))?.body as string) as Topology).epoch

    beforeEach(async () => {
      runs += 1
      killable = await openKillableStore(engine, {
        clock,
        region: HERE,
        name: `twinpool_supplier_${process.pid}_${runs}`,
      })
      await open()
    })
    afterEach(() => killable.close())

    it('sends a peer the changes of the pools that it shares, and of no others', async () => {
      await createPool('mine')
      await createPool('ours')
      await setReplica('ours', 'CREATING', 1)
      const ours = ['topology ours -', 'group ours first', `replica ours ${PEER}`]
      assert.deepEqual(await sentTo(PEER), ours)
      assert.deepEqual(await sentTo(STRANGER), [])
      const witness = await resumePointOf(PEER)
      assert.ok(await supplier.outline(PEER, 'ours', witness))
      assert.equal(await supplier.outline(PEER, 'mine', witness), undefined)
      assert.equal(await supplier.outline(STRANGER, 'ours', witness), undefined)
      const page = { stage: 'group', after: undefined, limit: 10, witness }
      assert.equal((await supplier.page(PEER, { ...page, pool: 'ours' }))?.rows.length, 1)
      assert.equal(await supplier.page(PEER, { ...page, pool: 'mine' }), undefined)
      assert.equal(await supplier.page(PEER, { ...page, pool: 'ours', stage: 'settings' }), undefined)
      assert.deepEqual((await supplier.inventory(STRANGER, undefined)).rows, [])
      await setReplica('ours', 'DELETED', 2)
      assert.deepEqual(await sentTo(PEER), [`replica ours ${PEER}`, `replica ours ${PEER}`])
    })

    it('sends the changes of many pools at once, by the roles at the time when the log is read', async () => {
      const pools = Array.from({ length: 70 }, (_, at) => `pool ${at}`)
      const shareAll = (status: Replica['status'], version: number) =>
        put(async (tx) => {
          for (const pool of pools) {
            const body = JSON.stringify({ region: PEER, status, version } satisfies Replica)
            await tx.share('replica', { pool, key: PEER, body })
          }
        })
      await put(async (tx) => {
        for (const pool of pools) {
          await tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: HERE, epoch: 1 }) })
        }
      })
      const count = async (peer: string, kind: string): Promise<number> =>
        (await sentTo(peer)).filter((change) => change.startsWith(kind)).length
      // At the first read no pool was sent recently; at the second some were.
      for (const [status, version, topologies] of [
        ['CREATING', 1, 70],
        ['DELETED', 2, 0],
        ['CREATING', 3, 70],
      ] as const) {
        await shareAll(status, version)
        assert.deepEqual(await Promise.all([count(PEER, 'topology'), count(PEER, 'replica')]), [
          topologies,
          70 * version,
        ])
        assert.equal(await count(PEER, 'topology'), topologies)
        assert.equal(await count(STRANGER, 'topology'), 0)
      }
    })

    it('moves a peer past changes that it is not sent', async () => {
      await createPool('mine')
      const { log } = await supplier.hello(PEER, undefined)
      const reading = await supplier.read(PEER, { log, position: 0, mark: '' })
      assert.ok(reading)
      assert.deepEqual(
        reading.batches.map(({ changes }) => changes.length),
        [0],
      )
      const { position, mark } = reading
      assert.deepEqual((await supplier.read(PEER, { log, position, mark }))?.batches, [])
    })

    it('sends the changes after an entry of the log that was altered', async () => {
      await createPool('ours')
      await setReplica('ours', 'CREATING', 1)
      const { db } = killable.store
      for (const [at, fields] of ['{', 'null', '5'].entries()) {
        await write('ours', `altered ${at}`)
        await sql`update changes set fields = ${fields} where key = ${`altered ${at}`}`.execute(db)
      }
      await put((tx) => tx.share('replica', { pool: 'ours', key: 'eu-west-1', body: '{"region":"eu-west-1"}' }))
      await sql`update changes set body = '{' where key = 'eu-west-1'`.execute(db)
      await sql`delete from row_replica where key = 'eu-west-1'`.execute(db)
      await write('ours', 'last')
      assert.equal((await sentTo(PEER)).at(-1), 'group ours last')
    })

    it('keeps the log until a sharing peer has acknowledged it', async () => {
      await createPool('ours')
      await setReplica('ours', 'ACTIVE', 1)
      assert.equal(await supplier.trim(), 0)
      const { log, position, mark } = await supplier.hello(PEER, undefined)
      await write('ours', 'second')
      await supplier.acknowledge(PEER, { log: 'another log', position: Number.MAX_SAFE_INTEGER })
      assert.equal(await supplier.trim(), 0)
      await supplier.acknowledge(PEER, { log, position })
      assert.ok((await supplier.trim()) > 0)
      assert.deepEqual(await sentTo(PEER), ['trimmed'])
      assert.deepEqual(await sentTo(PEER, { position, mark }), ['group ours second'])
    })

    it('keeps the log no longer than its retention, in time and in changes', async () => {
      await createPool('ours')
      await setReplica('ours', 'ACTIVE', 1)
      const { position, mark } = await supplier.hello(PEER, undefined)
      time.now += 2 * HOUR
      await write('ours', 'young')
      assert.ok((await supplier.trim()) > 0)
      assert.deepEqual(await sentTo(PEER, { position, mark }), ['group ours young'])
      for (let at = 0; at < 60; at += 1) await write('ours', `many ${at}`)
      await supplier.trim()
      const kept = await resumePointOf(PEER)
      const { rows } = await sql<{ count: number }>`select count(*) as count from changes`.execute(killable.store.db)
      assert.equal(Number(rows[0]?.count), 50)
      assert.equal((await supplier.hello(PEER, kept)).standing, 'continues')
    })

    it('ends a stream whose place has another transaction, or none', async () => {
      await createPool('ours')
      await setReplica('ours', 'ACTIVE', 1)
      const { log, position, mark } = await supplier.hello(PEER, undefined)
      await write('ours', 'second')
      assert.ok(await supplier.read(PEER, { log, position, mark }))
      assert.equal(await supplier.read(PEER, { log, position, mark: '1.1' }), undefined)
      assert.equal(await supplier.read(PEER, { log, position: 1_000_000_000, mark }), undefined)
    })

    it('looks at a trimmed log for a page that it does not contain', async () => {
      await createPool('ours')
      await setReplica('ours', 'ACTIVE', 1)
      const resumePoint = await resumePointOf(PEER)
      await write('ours', 'second')
      await supplier.acknowledge(PEER, await resumePointOf(PEER))
      assert.ok((await supplier.trim()) > 0)
      const witness = { position: 1_000_000_000, mark: '1.1' }
      assert.equal((await supplier.hello(PEER, { ...resumePoint, witness })).standing, 'went-back')
    })

    it('raises the epochs for a follower of which nothing is left in the log: it may have gone back', async () => {
      await createPool('ours')
      await setReplica('ours', 'ACTIVE', 1)
      const resumePoint = await resumePointOf(PEER)
      await write('ours', 'second')
      const { log, position } = await resumePointOf(PEER)
      await supplier.acknowledge(PEER, { log, position })
      assert.ok((await supplier.trim()) > 0)
      // Twice: the second time the epoch is newer than all that the follower knows.
      for (const _ of [1, 2]) {
        const hello = await supplier.hello(PEER, resumePoint)
        assert.deepEqual([hello.standing, hello.log, await epochOf('ours')], ['trimmed', log, 2])
      }
    })

    it('does not mistake its log for another one while it is trimmed', async () => {
      await createPool('ours')
      await setReplica('ours', 'ACTIVE', 1)
      for (let round = 0; round < 20; round += 1) {
        await write('ours', 'earlier')
        const resumePoint = await resumePointOf(PEER)
        await write('ours', 'later')
        const { log, position } = await resumePointOf(PEER)
        await supplier.acknowledge(PEER, { log, position })
        const greeting = Array.from({ length: 4 }, () => supplier.hello(PEER, resumePoint))
        const [trimmed, ...greetings] = await Promise.all([supplier.trim(), ...greeting])
        assert.ok(trimmed > 0)
        for (const { standing } of greetings) assert.match(standing, /^(continues|trimmed)$/)
      }
    })

    it('keeps no changes if there are no peers', async () => {
      await createPool('mine')
      await supplier.trim()
      const { rows } = await sql`select 1 from changes`.execute(killable.store.db)
      assert.equal(rows.length, 0)
    })

    it('greets a follower according to its position', async () => {
      await createPool('ours')
      const resumePoint = await resumePointOf(PEER)
      const standing = async (change: Partial<ResumePoint>) =>
        (await supplier.hello(PEER, { ...resumePoint, ...change })).standing
      assert.equal(await standing({}), 'continues')
      assert.equal(await standing({ log: 'another', epoch: 0 }), 'unknown-log')
      assert.deepEqual(noted, ['follower-behind unknown-log'])
    })

    for (const [how, change] of [
      ['a position that the log does not have', { position: 1_000_000_000 }],
      ['another transaction at its position', { mark: 'other' }],
      ['a page of what is not in the log', { witness: { position: 1_000_000_000, mark: '1.1' } }],
      ['an epoch that begins only now', { log: 'an earlier one', epoch: 1 }],
    ] as const) {
      it(`concludes from a follower that knows ${how} that its log went back`, async () => {
        await createPool('ours')
        const resumePoint = await resumePointOf(PEER)
        const hello = await supplier.hello(PEER, { ...resumePoint, ...change })
        assert.equal(hello.standing, 'went-back')
        assert.notEqual(hello.log, resumePoint.log)
        assert.equal(await epochOf('ours'), 2)
        assert.equal(await supplier.read(PEER, resumePoint), undefined, 'reading cannot continue from the old position')
        const after = { log: hello.log, position: hello.position, mark: hello.mark }
        const again = await supplier.hello(PEER, { ...after, epoch: 2, witness: after })
        assert.equal(again.standing, 'continues')
        assert.equal(await epochOf('ours'), 2)
      })
    }

    it('begins a new log when the database is another one than the one that wrote it', async () => {
      await createPool('ours')
      const { log } = await resumePointOf(PEER)
      await open()
      assert.deepEqual(noted, [], 'the same database, opened again')
      if (engine === 'postgres') {
        await sql`update facts set value = '1/1/1' where name = 'log-writer'`.execute(killable.store.db)
        await open()
        assert.deepEqual(noted, ['log-renewed another-database'])
        assert.notEqual((await resumePointOf(PEER)).log, log)
        assert.equal(await epochOf('ours'), 2)
      }
    })

    it('begins a new log when the log that it finds was written by another server', async () => {
      await createPool('ours')
      const before = await resumePointOf(PEER)
      // As after a dump was loaded into another server: the log contains numbers that this server has yet to assign.
      await sql`update changes set tx = tx + 1000000000`.execute(killable.store.db)
      await open()
      assert.deepEqual(noted, ['log-renewed transplanted'])
      assert.equal(await epochOf('ours'), 2)
      await write('ours', 'second')
      const hello = await supplier.hello(PEER, before)
      assert.equal(hello.standing, 'unknown-log')
      assert.ok(hello.position < 1_000_000_000)
      await open()
      assert.deepEqual(noted, [])
    })
  })
}
