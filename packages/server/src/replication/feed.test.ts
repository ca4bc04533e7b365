/** The stream while an older transaction of the database server holds it, and when the database fails. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Clock } from '../clock.ts'
import { type FeedContext, readFeed } from './feed.ts'
import { FIRST_RELEASE_KINDS } from './known-kinds.ts'

it('a held stream is read less and less often, and its holder is reported once', async () => {
  let now = 0
  let reads = 0
  const stopping = new AbortController()
  const clock = {
    now: () => now,
    monotonic: () => now,
    wait: async (milliseconds: number) => {
      now += milliseconds
    },
  } as unknown as Clock
  const noted: unknown[] = []
  const gauge: number[] = []
  const holder = { database: 'another', pid: 7, transactionSeconds: 90 }
  const context = {
    clock,
    store: { onChange: () => () => {}, onInterrupted: () => () => {}, engine: { findHolder: async () => holder } },
    events: {
      noted: (event: string, details: object) => noted.push([event, details]),
      feedHeld: ({ seconds }: { seconds: number }) => gauge.push(seconds),
    },
    supplier: {
      hello: async () => ({ type: 'hello', log: 'log', position: 1 }),
      read: async () => {
        reads += 1
        const held = now < 60_000
        return { batches: [], position: 1, drained: true, held, now, asOf: held ? 0 : now }
      },
    },
  } as unknown as FeedContext
  const feed = readFeed(
    context,
    { peer: 'us-east-1', from: undefined, known: FIRST_RELEASE_KINDS, parts: true },
    stopping.signal,
  )
  for await (const message of feed) {
    // The lag of the peer rises: `asOf` stays at the oldest hidden change.
    if (message.type === 'advance' && message.asOf !== 0 && message.asOf !== null) stopping.abort()
  }
  // At intervals of 3 ms there would be 20,000.
  assert.ok(reads < 400, `${reads} reads in a minute`)
  assert.deepEqual(noted, [
    ['feed-held', { peer: 'us-east-1', seconds: 5, ...holder }],
    ['feed-released', { peer: 'us-east-1', seconds: 60 }],
  ])
  assert.ok(Math.max(...gauge) > 59)
  assert.equal(gauge.at(-1), 0)
})

it('a reading that fails ends the stream, and is logged', async () => {
  const error = new Error('Connection terminated unexpectedly')
  const failures: unknown[] = []
  const context = {
    clock: { monotonic: () => 0 },
    store: { onChange: () => () => {}, onInterrupted: () => () => {} },
    events: { failed: (failure: object) => failures.push(failure) },
    supplier: {
      hello: async () => ({ type: 'hello', log: 'log', position: 1 }),
      read: async () => {
        throw error
      },
    },
  } as unknown as FeedContext
  const peer = { peer: 'us-east-1', from: undefined, known: FIRST_RELEASE_KINDS, parts: true }
  const types: string[] = []
  for await (const { type } of readFeed(context, peer, new AbortController().signal)) types.push(type)
  assert.deepEqual(types, ['hello'])
  assert.deepEqual(failures, [{ operation: 'feed', error, requestId: '' }])
})
