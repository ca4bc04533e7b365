import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { createFakeClock } from '@twinpool/testing/fake-clock'
import { createBudget } from './budget.ts'
import { createChallengeMemory } from './challenges.ts'
import { classifyFailure } from './outcome.ts'

const source = new URL('./', import.meta.url)

test('the source imports only its own files and uses no Node-only API', async () => {
  for (const name of await readdir(source)) {
    if (name.endsWith('.test.ts')) continue
    const text = await readFile(new URL(name, source), 'utf8')
    for (const [, from] of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g))
      assert.match(String(from), /^\.\//, name)
    assert.doesNotMatch(text, /\b(process|Buffer|require|__dirname)\b\s*[.(]/, name)
  }
})

test('the package has no dependencies', async () => {
  const { dependencies } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'))
  assert.equal(dependencies, undefined)
})

test('challenges are evicted after fifteen minutes, or when there are too many', async () => {
  const clock = createFakeClock()
  const memory = createChallengeMemory(clock, 2)
  memory.remember({ Session: 'one' }, 'us-west-2')
  memory.remember({ ChallengeParameters: { SECRET_BLOCK: 'two' } }, 'us-east-1')
  assert.deepEqual([memory.regionOf('one'), memory.regionOf('two')], ['us-west-2', 'us-east-1'])
  memory.remember({ Session: 'three' }, 'us-west-2')
  assert.deepEqual([memory.regionOf('one'), memory.regionOf('three')], [undefined, 'us-west-2'])
  await clock.advanceAndSettle(15 * 60_000)
  assert.equal(memory.regionOf('three'), undefined)
})

test('a budget runs out and refills', async () => {
  const clock = createFakeClock()
  const budget = createBudget({ capacity: 2, refillPerSecond: 1 }, clock)
  assert.deepEqual([budget.take(), budget.take(), budget.take()], [true, true, false])
  await clock.advanceAndSettle(1_000)
  assert.deepEqual([budget.take(), budget.take()], [true, false])
})

test('only a request without a connection is certainly not executed', () => {
  const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', syscall: 'connect' })
  const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET', syscall: 'read' })
  const unexecuted = (error: unknown) => classifyFailure(error, { onWire: true }).unexecuted
  assert.equal(unexecuted(refused), true)
  assert.equal(unexecuted(Object.assign(new Error('dns'), { syscall: 'getaddrinfo' })), true)
  assert.equal(unexecuted(new AggregateError([refused, refused])), true)
  assert.equal(unexecuted(new AggregateError([refused, reset])), false)
  assert.equal(unexecuted(reset), false)
  assert.equal(unexecuted(new TypeError('Failed to fetch')), false)
  assert.equal(unexecuted(undefined), false)
})

test('an error before the request was sent is the caller’s', () => {
  assert.equal(classifyFailure(new Error('no credentials'), { onWire: false }).outcome, 'abandoned')
})

test('a request refused because of clock skew may be signed again', () => {
  const error = {
    name: 'InvalidSignatureException',
    $fault: 'client',
    $metadata: { httpStatusCode: 400, clockSkewCorrected: true },
  }
  assert.deepEqual(classifyFailure(error, { onWire: true }), {
    outcome: 'businessError',
    unexecuted: true,
    signAgain: true,
  })
})
