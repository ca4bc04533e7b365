import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { engines } from '@twinpool/testing/regions'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { systemClock } from '../clock.ts'
import { ONLY } from '../store/kinds.ts'
import { createPoolKeys, type PoolKeys, SealBrokenError, SealVersionError } from './pool-keys.ts'
import { type KeyProvider, KeyUnavailableError } from './provider.ts'

const POOL = 'us-west-2_000000000'
const ARN = 'arn:aws:kms:us-west-2:000000000000:key/one'

/** Wraps without a key, but binds the encryption context. */
const sumOf = (context: Record<string, string>) => createHash('sha256').update(JSON.stringify(context)).digest()
const provider = {
  region: 'us-west-2',
  generateDataKey: async (_: string, context: Record<string, string>) => {
    const plain = randomBytes(32)
    return { plain, wrapped: Buffer.concat([sumOf(context), plain]) }
  },
  wrap: async (_: string, plain: Buffer, context: Record<string, string>) => Buffer.concat([sumOf(context), plain]),
  unwrap: async (_: string, wrapped: Buffer, context: Record<string, string>) => {
    if (!wrapped.subarray(0, 32).equals(sumOf(context))) throw new KeyUnavailableError('another encryption context')
    return wrapped.subarray(32)
  },
  onChange: () => {},
} as unknown as KeyProvider

for (const engine of engines) {
  describe(`the data key of a pool, on ${engine}`, () => {
    let opened: TestStore
    let keys: PoolKeys
    const noted: unknown[] = []
    before(async () => {
      opened = await openTestStore(engine, { clock: systemClock, region: 'us-west-2' })
      keys = createPoolKeys({
        ...{ store: opened.store, provider, clock: systemClock },
        events: { noted: (event, details) => noted.push({ event, ...details }) },
      })
      const created = await keys.create(POOL, ARN)
      await opened.store.write(async (tx) => {
        await tx.put('topology', { pool: POOL, key: ONLY, body: JSON.stringify({ primary: 'us-west-2', epoch: 1 }) })
        await created.write(tx)
      })
    })
    after(() => opened?.close())

    const readRow = async () => {
      const row = await opened.store.find('data-key', { pool: POOL, key: ONLY })
      assert.ok(row)
      return row
    }

    it('says that the pool is sealed once it was wrapped as such, and keeps opening older rows', async () => {
      const plain = await keys.get(POOL)
      assert.equal(plain.isSealed, false)
      const older = plain.seal('row', Buffer.from('older'), 'a row')
      const session = plain.seal('session', Buffer.from('a session'))
      const old = await readRow()

      const sealed = await keys.seal(POOL)
      assert.ok(sealed)
      assert.equal(await opened.store.write((tx) => sealed.write(tx)), true)
      assert.equal(await opened.store.write((tx) => sealed.write(tx)), false, 'wrapped again since')
      assert.equal(await keys.seal(POOL), undefined)
      const cipher = await keys.get(POOL)
      assert.equal(cipher.isSealed, true)
      assert.equal(cipher.open('row', older, 'a row').toString(), 'older')
      assert.equal(cipher.open('session', session).toString(), 'a session')

      const newer = cipher.seal('row', Buffer.from('newer'), 'a row')
      const relabelled = Buffer.from(newer)
      relabelled.writeUInt8(1)
      assert.throws(() => cipher.open('row', relabelled, 'a row'), SealBrokenError)
      const promoted = Buffer.from(older)
      promoted.writeUInt8(2)
      assert.throws(() => plain.open('row', promoted, 'a row'), SealBrokenError)
      assert.equal(plain.isSealed, false)
      assert.throws(() => plain.open('session', newer), SealVersionError)

      // The row of before unwraps, until a row that was sealed later proves it wrong.
      await opened.store.write((tx) => tx.put('data-key', old))
      const setBack = await keys.get(POOL)
      assert.equal(setBack.isSealed, false)
      assert.equal(setBack.open('row', newer, 'a row').toString(), 'newer')
      assert.equal(setBack.isSealed, true)
    })

    it('reports a row that does not open, once, and no value of a client', async () => {
      const cipher = await keys.get(POOL)
      noted.length = 0
      const binding = `${POOL}\nuser\na-sub`
      for (let at = 0; at < 3; at += 1) {
        assert.throws(() => cipher.open('row', Buffer.alloc(40, 1), binding), SealBrokenError)
        assert.throws(() => cipher.open('session', Buffer.alloc(40, 1), binding), SealBrokenError)
      }
      const why = 'the sealed value cannot be opened'
      assert.deepEqual(noted, [{ event: 'row-unreadable', pool: POOL, kind: 'user', key: 'a-sub', why }])
    })

    it('is unavailable when its row is damaged', async () => {
      const row = await readRow()
      for (const body of ['', '{', 'null', '[]', '{"keyArn":"an ARN"}', '{"wrapped":1,"keyArn":"an ARN"}']) {
        await opened.store.write((tx) => tx.put('data-key', { ...row, body }))
        await assert.rejects(keys.get(POOL), KeyUnavailableError)
      }
      await opened.store.write((tx) => tx.put('data-key', row))
      await keys.get(POOL)
    })

    it('keeps its form when another KMS key wraps it, and does not unwrap without it', async () => {
      const sealed = await keys.seal(POOL)
      await opened.store.write(async (tx) => sealed?.write(tx))
      const rewrapped = await keys.rewrap(POOL, ARN.replace('one', 'two'))
      await opened.store.write((tx) => rewrapped.write(tx))
      assert.equal((await keys.get(POOL)).isSealed, true)
      const row = await readRow()
      const { form, ...rest } = JSON.parse(row.body)
      assert.equal(form, 'sealed')
      await opened.store.write((tx) => tx.put('data-key', { ...row, body: JSON.stringify(rest) }))
      await assert.rejects(keys.get(POOL), KeyUnavailableError)
      await opened.store.write((tx) => tx.put('data-key', row))
    })

    it('that is newer is read after a row sealed under it, where no notification has arrived', async () => {
      const unnotified = { ...opened.store, onChange: () => () => {} }
      const late = createPoolKeys({ store: unnotified, provider, clock: systemClock, events: { noted: () => {} } })
      await late.get(POOL)
      const newer = await keys.createNewer(POOL)
      await opened.store.write((tx) => newer.write(tx))
      await opened.store.write((tx) => keys.activate(tx, POOL, newer.number))
      const binding = `${POOL}\nuser\na-new-sub`
      const sealed = (await keys.get(POOL)).seal('row', Buffer.from('a row'), binding)
      const session = (await keys.get(POOL)).seal('session', Buffer.from('a session'))
      const stale = await late.get(POOL)
      // Clients may send any number.
      assert.throws(() => stale.open('session', session), SealVersionError)
      assert.equal(await late.get(POOL), stale)
      assert.throws(() => stale.open('row', sealed, binding), SealVersionError)
      assert.equal((await late.get(POOL)).open('row', sealed, binding).toString(), 'a row')
    })
  })
}
