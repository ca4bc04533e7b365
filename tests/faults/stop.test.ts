import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { AdminCreateUserCommand, AdminGetUserCommand } from '@aws-sdk/client-cognito-identity-provider'
import { systemClock } from '@twinpool/server/internal/clock'
import { createPeers } from '@twinpool/server/internal/replication/replication'
import { createPool } from '@twinpool/testing/pools'
import { engines, startRegions } from '@twinpool/testing/regions'

describe('a region that stops', () => {
  it('does not wait for a peer that does not respond', async () => {
    const silent = createServer((_, response) => silent.emit('asked', response))
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const base = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
    const stopping = new AbortController()
    const peers = createPeers({
      ...{ secrets: ['a secret of thirty-two characters'], region: 'us-west-2', bases: { 'us-east-1': base } },
      ...{ clock: systemClock, throttling: { once: async () => true }, signal: stopping.signal },
    })
    const peer = peers.all.get('us-east-1')
    const waiting = [
      peer?.acknowledge({ log: 'log', position: 1 }),
      peer?.outline('us-west-2_pool', { log: 'log', position: 0, mark: '' }),
    ]
    await once(silent, 'asked')
    stopping.abort()
    for (const one of waiting)
      await assert.rejects(one as Promise<unknown>, { name: 'PeerError', problem: 'unreachable' })
    silent.close()
    silent.closeAllConnections()
  })
})

for (const engine of engines) {
  describe(`a region on ${engine} that is asked to stop`, () => {
    /** Receives the region's messages, and responds when the test says so. */
    const inbox = createServer((_, response) => inbox.emit('message', response))

    before(async () => {
      inbox.listen(0, '127.0.0.1')
      await once(inbox, 'listening')
    })
    after(() => inbox.close())

    const startRegion = () => {
      const url = `http://127.0.0.1:${(inbox.address() as AddressInfo).port}/`
      return startRegions({ engine, regions: ['us-west-2'], config: { messages: { kind: 'inbox', url } } })
    }
    /** A call that ends when its message has been delivered. */
    const invite = (UserPoolId: string) =>
      new AdminCreateUserCommand({
        UserPoolId,
        Username: 'ada',
        UserAttributes: [{ Name: 'email', Value: 'ada@example.com' }],
        DesiredDeliveryMediums: ['EMAIL'],
      })

    it('completes the call in flight, and accepts no other', async () => {
      const plane = await startRegion()
      try {
        const { cognito, region } = plane.primary
        const UserPoolId = await createPool(plane.primary)
        const sending = once(inbox, 'message')
        const call = cognito.send(invite(UserPoolId))
        const [response] = (await sending) as [ServerResponse]
        const stopped = region.stop()
        await assert.rejects(cognito.send(new AdminGetUserCommand({ UserPoolId, Username: 'ada' })), {
          code: 'ECONNREFUSED',
        })
        response.end()
        assert.equal((await call).User?.Username, 'ada')
        await stopped
      } finally {
        await plane.stop()
      }
    })

    it('keeps its store open for the call of a disconnected client', async () => {
      const plane = await startRegion()
      try {
        const { cognito, region } = plane.primary
        const UserPoolId = await createPool(plane.primary)
        const { store } = region.context
        const order: string[] = []
        const close = store.close
        store.close = () => {
          order.push('closed')
          return close()
        }
        const sending = once(inbox, 'message')
        const caller = new AbortController()
        const call = cognito.send(invite(UserPoolId), { abortSignal: caller.signal })
        const [response] = (await sending) as [ServerResponse]
        caller.abort()
        await assert.rejects(call, { name: 'AbortError' })
        const stopped = region.stop()
        // Enough turns of the event loop to close a store that has no open calls.
        for (let time = 0; time < 50 && order.length === 0; time += 1) {
          await assert.rejects(cognito.send(new AdminGetUserCommand({ UserPoolId, Username: 'ada' })), {
            code: 'ECONNREFUSED',
          })
        }
        order.push('answered')
        response.end()
        await stopped
        assert.deepEqual(order, ['answered', 'closed'])
      } finally {
        await plane.stop()
      }
    })
  })
}
