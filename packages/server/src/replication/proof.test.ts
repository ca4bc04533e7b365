/** How regions authenticate each other. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createDice, createSteppedClock } from '@twinpool/testing/plane-of-stores'
import type { Throttling } from '../store/throttling.ts'
import { createProver, ProofRefusedError, WINDOW_MILLISECONDS } from './proof.ts'

const SECRET = 'a cluster secret of more than 32 characters'
const request = { method: 'GET', path: '/replication/page?pool=us-west-2_abc', body: '' }

function proverOf(
  region: string,
  { secret = SECRET, secrets, skew = 0 }: { secret?: string; secrets?: string[]; skew?: number } = {},
) {
  const clock = createSteppedClock(createDice(region.length), { now: 1_700_000_000_000 }, skew)
  const used = new Set<string>()
  const throttling: Pick<Throttling, 'once'> = { once: async (name) => !used.has(name) && used.add(name) !== undefined }
  return { ...createProver({ secrets: secrets ?? [secret], region, clock, throttling }), clock, secret }
}

const refuses = (reason: string) => (error: unknown) => error instanceof ProofRefusedError && error.reason === reason

describe('the proof of a request', () => {
  const sender = proverOf('us-east-1')
  const prove = (to = 'us-west-2', prover = sender) =>
    prover.prove(to, request, { secret: prover.secret, now: prover.clock.now() }).header

  it('is accepted by the region that it was made for, once', async () => {
    const receiver = proverOf('us-west-2')
    const header = prove()
    assert.equal((await receiver.check(header, request)).from, 'us-east-1')
    await assert.rejects(receiver.check(header, request), refuses('replay'))
  })

  it('is refused by another region, for another request, and under another secret', async () => {
    const receiver = proverOf('us-west-2')
    await assert.rejects(proverOf('eu-west-1').check(prove(), request), refuses('proof'))
    for (const other of [{ method: 'POST' }, { path: '/replication/page?pool=us-west-2_abd' }, { body: '{}' }]) {
      await assert.rejects(receiver.check(prove(), { ...request, ...other }), refuses('proof'))
    }
    const stranger = proverOf('us-east-1', { secret: 'another secret of more than 32 characters' })
    await assert.rejects(receiver.check(prove('us-west-2', stranger), request), refuses('proof'))
    for (const header of [undefined, '', 'v1', prove().replace('us-east-1', 'eu-west-1'), prove().slice(0, -1)]) {
      await assert.rejects(receiver.check(header, request), refuses('proof'))
    }
  })

  it('is accepted under the new and the old secret, and the response is proved with the same', async () => {
    const [old, fresh] = [SECRET, 'the secret that replaces it, which the sender may lack']
    for (const secret of [old, fresh]) {
      const receiver = proverOf('us-west-2', { secrets: [fresh, old] })
      const single = proverOf('us-east-1', { secret })
      const proven = await receiver.check(prove('us-west-2', single), request)
      const response = receiver.proveResponse(proven, { status: 200, now: 5, body: '' })
      assert.ok(single.checkResponse({ ...proven, secret }, response, { status: 200, body: '' }))
    }
    const replaced = proverOf('us-west-2', { secrets: [fresh, old] })
    replaced.setSecrets([fresh])
    await assert.rejects(replaced.check(prove(), request), refuses('proof'))
  })

  it('is refused outside its time window, and the refusal contains the time, with a proof', async () => {
    const receiver = proverOf('us-west-2', { skew: 2 * WINDOW_MILLISECONDS })
    const { header, proof } = sender.prove('us-west-2', request, { secret: SECRET, now: sender.clock.now() })
    const refusal = await receiver.check(header, request).catch((error: unknown) => error)
    assert.ok(refusal instanceof ProofRefusedError && refusal.reason === 'clock' && refusal.request)
    const now = receiver.clock.now()
    const response = receiver.proveResponse(refusal.request, { status: 401, now, body: 'late' })
    assert.equal(sender.checkResponse({ proof, secret: SECRET }, response, { status: 401, body: 'late' })?.now, now)
  })
})

describe('the proof of a response', () => {
  it('covers the request, the status, the time and the body', async () => {
    const [sender, receiver] = [proverOf('us-east-1'), proverOf('us-west-2')]
    const { header, proof } = sender.prove('us-west-2', request, { secret: SECRET, now: sender.clock.now() })
    const proven = await receiver.check(header, request)
    const response = receiver.proveResponse(proven, { status: 200, now: 5, body: '{}' })
    assert.deepEqual(sender.checkResponse({ proof, secret: SECRET }, response, { status: 200, body: '{}' }), { now: 5 })
    const other = sender.prove('us-west-2', request, { secret: SECRET, now: sender.clock.now() }).proof
    assert.equal(
      sender.checkResponse({ proof: other, secret: SECRET }, response, { status: 200, body: '{}' }),
      undefined,
    )
    assert.equal(sender.checkResponse({ proof, secret: SECRET }, response, { status: 404, body: '{}' }), undefined)
    assert.equal(sender.checkResponse({ proof, secret: SECRET }, response, { status: 200, body: '[]' }), undefined)
    assert.equal(
      sender.checkResponse({ proof, secret: SECRET }, response.replace(' 5 ', ' 6 '), { status: 200, body: '{}' }),
      undefined,
    )
    assert.equal(sender.checkResponse({ proof, secret: SECRET }, null, { status: 200, body: '{}' }), undefined)
    const stranger = proverOf('us-west-2', { secret: 'another secret of more than 32 characters' })
    const forged = stranger.proveResponse({ ...proven, secret: stranger.secret }, { status: 200, now: 5, body: '{}' })
    assert.equal(sender.checkResponse({ proof, secret: SECRET }, forged, { status: 200, body: '{}' }), undefined)
  })

  it('covers the number of each line of a stream', () => {
    const [sender, receiver] = [proverOf('us-east-1'), proverOf('us-west-2')]
    const [sent, received] = [
      receiver.lineProver({ proof: 'proof', secret: SECRET }),
      sender.lineProver({ proof: 'proof', secret: SECRET }),
    ]
    assert.equal(sent('one'), received('one'))
    assert.equal(sent('two'), received('two'))
    assert.notEqual(sent('two'), received('one'))
    assert.notEqual(
      receiver.lineProver({ proof: 'proof', secret: SECRET })('one'),
      receiver.lineProver({ proof: 'another', secret: SECRET })('one'),
    )
    const repeated = receiver.lineProver({ proof: 'proof', secret: SECRET })
    assert.notEqual(repeated('one'), repeated('one'))
  })
})
