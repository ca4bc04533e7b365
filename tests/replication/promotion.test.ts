/**
 * The primary region's PostgreSQL fails over, under load, to a standby that lacks the last transactions: once per seed and way to
 * switch, with the stream to the replica kept (odd seeds) or broken. TWINPOOL_TEST_PROMOTIONS sets the number of seeds.
 */
import { after, before, describe, it } from 'node:test'
import { debianTools } from '@twinpool/testing/debian'
import { type Haproxy, startHaproxy } from '@twinpool/testing/haproxy'
import { type PostgresPair, startPostgresPair } from '@twinpool/testing/postgres-pair'
import { engines } from '@twinpool/testing/regions'
import { type PromotionPlane, runTrial, startPromotionPlane } from './promotion-trial.ts'

const trials = Number(process.env.TWINPOOL_TEST_PROMOTIONS)
const DATABASE = 'west'

const tools = engines.includes('postgres') ? await debianTools(['haproxy']) : 'no PostgreSQL is asked for'
const skip = !engines.includes('postgres') && 'no PostgreSQL is asked for'

for (const { way, closesSessions } of [
  { way: 'addresses in the URL' },
  { way: 'HAProxy that keeps sessions to the old server', closesSessions: false },
  { way: 'HAProxy that closes sessions to the old server', closesSessions: true },
]) {
  const behind = closesSessions !== undefined
  describe(`a standby without the last transactions is promoted: ${way}`, {
    skip: skip || (behind && typeof tools === 'string' && tools),
  }, () => {
    let pair: PostgresPair
    let haproxy: Haproxy | undefined
    let plane: PromotionPlane

    before(async () => {
      pair = await startPostgresPair()
      await pair.createDatabase(DATABASE)
      if (behind && typeof tools === 'object') {
        haproxy = await startHaproxy({ tools, ports: pair.ports, closesSessions })
        await haproxy.leadTo(pair.primaryPort)
      }
      const addresses = (haproxy ? [haproxy.port] : pair.ports).map((port) => `127.0.0.1:${port}`)
      const url = pair.urlOf(DATABASE, pair.primaryPort)
      plane = await startPromotionPlane(url.replace(`127.0.0.1:${pair.primaryPort}`, addresses.join(',')))
    })
    after(async () => {
      await plane?.stop()
      await haproxy?.stop()
      await pair?.stop()
    })

    const promote = async (): Promise<void> => {
      await pair.promote()
      await haproxy?.leadTo(pair.primaryPort)
    }
    for (let seed = 1; seed <= (trials || (behind ? 1 : 2)); seed += 1) {
      const stream = seed % 2 === 0 ? 'broken' : 'kept'
      it(`with the stream ${stream}, trial ${seed}: it is noticed, and both regions have the same directory and every later write`, () =>
        runTrial([plane], {
          seed,
          pair,
          failOver: async () => {
            const old = pair.primaryPort
            if (stream === 'broken') {
              plane.link.cut()
              await pair.kill()
              await promote()
            } else {
              // In this order hardly any reading of the log fails, so the stream survives.
              await promote()
              await pair.kill(old)
            }
          },
        }))
    }
  })
}
