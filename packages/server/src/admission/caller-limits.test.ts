import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { CognitoError } from '../errors.ts'
import { createCallerLimits } from './caller-limits.ts'
import { networkOf } from './caller-network.ts'
import { createRateLimit } from './rate-limit.ts'

function clockAt(start: number) {
  let now = start
  const pass = (milliseconds: number): void => {
    now += milliseconds
  }
  return { monotonic: () => now, randomBytes, pass }
}

const TOO_MANY = { name: 'TooManyRequestsException', message: 'Rate exceeded' }
const wrong = new CognitoError('NotAuthorizedException', 'Incorrect username or password.')

describe('a rate limit', () => {
  it('admits as many as its rate at once, and regains them evenly', () => {
    const clock = clockAt(5)
    const limit = createRateLimit({ clock, perMinute: 6 })
    const taken = () => Array.from({ length: 10 }, () => limit.take('a')).filter(Boolean).length
    assert.equal(taken(), 6)
    assert.ok(limit.isExhausted('a'))
    clock.pass(9_000)
    assert.equal(taken(), 0)
    clock.pass(1_000)
    assert.equal(taken(), 1)
    clock.pass(30_000)
    assert.equal(taken(), 3)
    clock.pass(600_000)
    assert.equal(taken(), 6)
  })

  it('counts each name alone', () => {
    const limit = createRateLimit({ clock: clockAt(0), perMinute: 1 })
    assert.ok(limit.take('a'))
    assert.ok(!limit.take('a'))
    assert.ok(limit.take('b'))
  })
})

describe('the limits of a caller', () => {
  it('count failed guesses only, by network', () => {
    const reasons: string[] = []
    const overload = { noted: (why: string) => void reasons.push(why) }
    const limits = { failedAttempts: 3, messages: 2 }
    const callers = createCallerLimits({ clock: clockAt(0), overload, limits })
    for (let turn = 0; turn < 10; turn += 1) {
      callers.checkAttempts('2001:db8::1')
      callers.countFailure('2001:db8::1', new CognitoError('InvalidParameterException', ''))
      callers.countFailure('2001:db8::1', new Error('a fault of ours'))
      callers.countFailure('', wrong)
      callers.checkAttempts('')
    }
    for (const address of ['2001:db8::1', '2001:db8::2', '2001:db8::ffff:1']) callers.countFailure(address, wrong)
    assert.throws(() => callers.checkAttempts('2001:db8::77'), TOO_MANY)
    callers.checkAttempts('2001:db8:0:1::1')
    assert.match(reasons.join(), /^3 failed attempts in a minute from one address/)
  })

  it('count calls that send messages', () => {
    const limits = { failedAttempts: 3, messages: 2 }
    const callers = createCallerLimits({ clock: clockAt(0), overload: { noted: () => {} }, limits })
    for (let turn = 0; turn < 2; turn += 1) callers.countMessage('192.0.2.1')
    assert.throws(() => callers.countMessage('192.0.2.1'), TOO_MANY)
    callers.countMessage('192.0.2.2')
    for (let turn = 0; turn < 9; turn += 1) callers.countMessage('')
  })
})

describe('the network of an address', () => {
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:1:0002::', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['2001:db8::5:6:7:8', '2001:db8:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ] as const) {
    it(`of ${address} is ${network}`, () => assert.equal(networkOf(address), network))
  }
})
