/**
 * Patroni replaces a leader that crashes under load by a standby that lacks the last transactions: for a region behind HAProxy, and for
 * one with both addresses in its URL. It takes one to three minutes: `npm run patroni` runs it.
 */
import { after, before, describe, it } from 'node:test'
import { debianTools } from '@twinpool/testing/debian'
import { type Haproxy, startHaproxy } from '@twinpool/testing/haproxy'
import { type PatroniPair, patroniTools, startPatroniPair } from '@twinpool/testing/patroni'
import { type PromotionPlane, runTrial, startPromotionPlane } from './promotion-trial.ts'

const [patroni, proxy] = [await patroniTools(), await debianTools(['haproxy'])]

describe('Patroni promotes a standby without the last transactions', {
  skip: [patroni, proxy].find((tools) => typeof tools === 'string') ?? false,
}, () => {
  let pair: PatroniPair
  let haproxy: Haproxy
  const planes: PromotionPlane[] = []

  before(async () => {
    if (typeof patroni === 'string' || typeof proxy === 'string') return
    pair = await startPatroniPair(patroni)
    haproxy = await startHaproxy({ tools: proxy, ports: pair.ports, checkPorts: pair.restPorts })
    await pair.createDatabase('proxied')
    await pair.createDatabase('addressed')
    const addresses = pair.ports.map((port) => `127.0.0.1:${port}`).join(',')
    const addressed = pair.urlOf('addressed', pair.primaryPort).replace(`127.0.0.1:${pair.primaryPort}`, addresses)
    for (const url of [pair.urlOf('proxied', haproxy.port), `${addressed}?target_session_attrs=read-write`])
      planes.push(await startPromotionPlane(url))
  })
  after(async () => {
    await Promise.all(planes.map((plane) => plane.stop()))
    await haproxy?.stop()
    await pair?.stop()
  })

  // The second time, the old leader has rejoined as the standby.
  for (const [seed, stream] of [
    [1, 'kept'],
    [2, 'broken'],
  ] as const) {
    it(`with the stream ${stream}, failover ${seed}: it is noticed, and both regions have the same directory and every later write`, () =>
      runTrial(planes, {
        seed,
        pair,
        failOver: async () => {
          if (stream === 'broken') for (const { link } of planes) link.cut()
          await pair.kill()
          await pair.promote()
        },
      }))
  }
})
