/** How long a call to a peer waits, and how a stream is read. */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { until } from '@twinpool/testing/regions'
import { type Clock, systemClock } from '../clock.ts'
import type { FeedMessage } from './messages.ts'
import { createPeer, type Peer } from './peer.ts'
import { createProver, type ProvenRequest } from './proof.ts'

const SECRET = 'a cluster secret of more than 32 characters'
const SILENCE_MILLISECONDS = 1_200
const throttling = { once: async () => true }
const proverOf = (region: string) => createProver({ secrets: [SECRET], region, clock: systemClock, throttling })

describe('a peer over a slow line', () => {
  const receiver = proverOf('us-west-2')
  let server: Server
  let peer: Peer
  let respond: (response: ServerResponse, request: ProvenRequest, path: string) => Promise<void>

  before(async () => {
    server = createServer(async (incoming: IncomingMessage, response) => {
      const { method = '', url: path = '' } = incoming
      const request = await receiver.check(incoming.headers['x-twinpool-proof'] as string, { method, path, body: '' })
      await respond(response, request, path)
    })
    server.listen(0, '127.0.0.1')
    await until(() => (server.address() as AddressInfo | null) !== null)
    peer = peerWith(systemClock)
  })
  after(() => {
    server.close()
    server.closeAllConnections()
  })

  const peerWith = (clock: Clock): Peer =>
    createPeer({
      region: 'us-west-2',
      base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      clock,
      prover: proverOf('us-east-1'),
      silenceMilliseconds: SILENCE_MILLISECONDS,
    })

  /** Sends a text in pieces, with a pause after each that is shorter than the allowed silence. */
  const trickle = async (response: ServerResponse, text: string, pieces: number): Promise<void> => {
    const size = Math.ceil(text.length / pieces)
    for (let at = 0; at < text.length; at += size) {
      response.write(text.slice(at, at + size))
      await systemClock.wait(SILENCE_MILLISECONDS / 6)
    }
  }

  it('receives a response that takes longer than the allowed silence', async () => {
    const body = JSON.stringify({ rows: [], next: null, padding: 'x'.repeat(1_000) })
    respond = async (response, request) => {
      response.setHeader('x-twinpool-answer', receiver.proveResponse(request, { status: 200, now: Date.now(), body }))
      await trickle(response, body, 8)
      response.end()
    }
    assert.deepEqual((await peer.inventory(undefined)).rows, [])
  })

  it('measures the clock within the possible error, also when the machine is suspended during the request', async () => {
    const suspended = { milliseconds: 0 }
    const sleeper = peerWith({ ...systemClock, now: () => systemClock.now() + suspended.milliseconds })
    for (const milliseconds of [0, 60_000]) {
      respond = async (response, request) => {
        const now = systemClock.now() + suspended.milliseconds
        response.setHeader('x-twinpool-answer', receiver.proveResponse(request, { status: 200, now, body: '{}' }))
        suspended.milliseconds = milliseconds
        response.end('{}')
      }
      const { ahead, error } = await sleeper.clock()
      // The times are whole milliseconds.
      assert.ok(Math.abs(ahead) <= error + 1, `${ahead} ms ahead, give or take ${error}`)
    }
  })

  it('gives up a call whose response stops', async () => {
    respond = async (response) => {
      response.write('{')
    }
    await assert.rejects(peer.inventory(undefined), { problem: 'unreachable' })
  })

  it('reports each arrival of bytes of a stream, and each message once it is complete', async () => {
    const message: FeedMessage = { type: 'advance', now: 1, asOf: null, batches: [] }
    const asked: string[] = []
    respond = async (response, request, path) => {
      asked.push(path)
      response.setHeader(
        'x-twinpool-answer',
        receiver.proveResponse(request, { status: 200, now: Date.now(), body: undefined }),
      )
      const proofOf = receiver.lineProver(request)
      // Characters of several bytes may be cut between two pieces.
      const lines = ['ä🎉', 'b'].map((mark) => JSON.stringify({ ...message, mark }))
      await trickle(response, lines.map((json) => `${proofOf(json)}\t${json}\n`).join(''), 9)
      response.end()
    }
    const received: FeedMessage[][] = []
    for await (const messages of peer.feed(undefined, new AbortController().signal)) received.push(messages)
    assert.ok(received.filter((messages) => messages.length === 0).length >= 2)
    assert.deepEqual(received.flat(), [
      { ...message, mark: 'ä🎉' },
      { ...message, mark: 'b' },
    ])
    assert.ok(
      asked.some((path) => /^\/replication\/feed\?.*parts=1/.test(path)),
      asked.join(),
    )
  })
})
