import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemClock } from '../clock.ts'
import type { OpenClient } from '../directory/open-pool.ts'
import { newGrant } from './issue.ts'
import { createPoolClock, SIGN_OUT_MARGIN_MILLISECONDS } from './pool-clock.ts'
import { isRevoked } from './revocation.ts'

const topology = { primary: 'us-west-2', epoch: 1 }
const openClient = { pool: { topology }, client: { id: 'c' } } as OpenClient
const START = 1_800_000_000_000

describe('the clock of a pool', () => {
  /** Two regions, of which the secondary's clock is ahead, and knows it with an error; all in milliseconds. */
  const regionsAt = ({ time, ahead, error }: { time: () => number; ahead: number; error: number }) => {
    const clocks = {
      'us-west-2': { ...systemClock, now: time },
      'us-east-1': { ...systemClock, now: () => time() + ahead },
    }
    return Object.entries(clocks).map(([region, clock]) => ({
      clock,
      poolClock: createPoolClock({ clock, regionClock: clock, region, ahead: () => error - ahead }),
    }))
  }

  it('orders sign-ins and a sign-out that has not arrived yet, with clocks 5 s apart and an error of 24 ms', () => {
    for (const ahead of [-5_000, -300, 0, 300, 5_000]) {
      for (const error of [-24, 0, 24]) {
        let time = START
        const regions = regionsAt({ time: () => time, ahead, error })
        for (const signedOutIn of regions) {
          for (const signedInIn of regions) {
            const signIn = () => newGrant(signedInIn, openClient, { sub: 's', signedOutAt: 0 })
            time = START
            const earlier = signIn()
            const before = signedOutIn.poolClock.now({ topology } as never) + SIGN_OUT_MARGIN_MILLISECONDS
            time += 50
            const later = signIn()
            const signOut = JSON.stringify({ before })
            const context = `${ahead} ms ahead, error ${error} ms`
            assert.equal(isRevoked(earlier, [undefined, signOut, undefined]), true, context)
            assert.equal(isRevoked(later, [undefined, signOut, undefined]), false, context)
          }
        }
      }
    }
  })
})
