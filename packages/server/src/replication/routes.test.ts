/** The server end of the wire: a stream whose reading of the log fails. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { engines } from '@twinpool/testing/regions'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { systemClock } from '../clock.ts'
import { FORMAT } from './messages.ts'
import { createProver, PROOF_HEADER } from './proof.ts'
import { createReplicationRoutes, type RoutesContext } from './routes.ts'

const SECRET = 'a cluster secret of more than 32 characters'
const [HERE, PEER] = ['us-west-2', 'us-east-1'] as const
const proverOf = (region: string) =>
  createProver({
    secrets: [SECRET],
    ...{ region, clock: systemClock, throttling: { once: async () => true } },
  })

for (const engine of engines) {
  describe(`the feed on ${engine}`, () => {
    let opened: TestStore
    before(async () => {
      opened = await openTestStore(engine, { clock: systemClock, region: HERE })
    })
    after(() => opened.close())

    it('ends when the log cannot be read, and the error is an event', async () => {
      const lost = new Error('Connection terminated unexpectedly')
      const failures: unknown[] = []
      const routes = createReplicationRoutes({
        supplier: {
          hello: async () => ({ type: 'hello', log: 'log', position: 1 }),
          read: () => Promise.reject(lost),
        },
        store: opened.store,
        clock: systemClock,
        prover: proverOf(HERE),
        events: { noted: () => {}, feedHeld: () => {}, failed: (failure: object) => failures.push(failure) },
        peers: new Set([PEER]),
        signal: new AbortController().signal,
      } as unknown as RoutesContext)
      const path = '/replication/feed'
      const { header } = proverOf(PEER).prove(
        HERE,
        { method: 'GET', path, body: '' },
        { secret: SECRET, now: Date.now() },
      )
      const response = await routes.request(path, {
        headers: { [PROOF_HEADER]: header, 'x-twinpool-format': FORMAT },
      })
      assert.equal(response.status, 200)
      assert.match(await response.text(), /^[^\t]+\t\{"type":"hello"[^\n]+\n$/)
      assert.deepEqual(failures, [{ operation: 'feed', error: lost, requestId: '' }])
    })
  })
}
