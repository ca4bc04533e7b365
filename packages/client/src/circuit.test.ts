import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { advance, type Circuit, type CircuitEvent, healthyCircuit, isDown, rankOf, TRANSITIONS } from './circuit.ts'

const settings = { strikesToDown: 4, successesToRecover: 3, recoveryMs: 10_000 }
const EVENTS = Object.keys(TRANSITIONS.HEALTHY) as CircuitEvent[]
const GOOD = new Set<CircuitEvent>(['success', 'businessError'])
const BAD = new Set<CircuitEvent>(['transportFailure', 'timeout', 'serverError', 'notEnabled'])

const history = fc.array(fc.record({ event: fc.constantFrom(...EVENTS), afterMs: fc.nat(4_000) }), { maxLength: 80 })
type History = { event: CircuitEvent; afterMs: number }[]

/** Runs a history of events; yields the circuit before and after each event. */
function* run(events: History) {
  let now = 0
  let circuit: Circuit = healthyCircuit(now)
  for (const { event, afterMs } of events) {
    now += afterMs
    const before = circuit
    circuit = advance(before, event, { now, settings })
    yield { before, event, circuit, now }
  }
}

test('the table in SPEC.md matches the code', async () => {
  const spec = await readFile(new URL('../SPEC.md', import.meta.url), 'utf8')
  const cells = (spec.split('## States and events')[1] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
  const [, , ...states] = cells.find(([, first]) => first === 'event') ?? []
  const written = Object.fromEntries(
    states
      .filter(Boolean)
      .map((state, column) => [
        state,
        Object.fromEntries(
          cells.filter(([, event]) => EVENTS.includes(event as CircuitEvent)).map((row) => [row[1], row[column + 2]]),
        ),
      ]),
  )
  assert.deepEqual(written, TRANSITIONS)
})

test('traffic returns only after enough successes over enough time since the last failure', () => {
  fc.assert(
    fc.property(history, (events) => {
      let good = 0
      let firstSuccessAt = 0
      for (const { before, event, circuit, now } of run(events)) {
        if (before.state !== 'RECOVERING' && circuit.state === 'RECOVERING') {
          good = 0
          firstSuccessAt = now
        }
        if (event === 'throttled' && before.state === 'RECOVERING') {
          good = 0
          firstSuccessAt = now
        }
        if (GOOD.has(event)) good += 1
        if (rankOf(before) > 0 && rankOf(circuit) === 0) {
          assert.equal(before.state, 'RECOVERING')
          assert.ok(good >= settings.successesToRecover)
          assert.ok(now - firstSuccessAt >= settings.recoveryMs)
        }
      }
    }),
    { seed: 1, numRuns: 2_000 },
  )
})

test('a region goes down only after four strikes without a success between them, or during recovery', () => {
  fc.assert(
    fc.property(history, (events) => {
      let failures = 0
      for (const { before, event, circuit } of run(events)) {
        if (GOOD.has(event)) failures = 0
        if (BAD.has(event)) failures += 1
        if (!isDown(before) && isDown(circuit)) {
          assert.ok(BAD.has(event))
          assert.ok(before.state === 'RECOVERING' || failures >= 2)
        }
      }
    }),
    { seed: 2, numRuns: 2_000 },
  )
})

test('throttled and abandoned requests never bring a region down', () => {
  const mild = fc.array(
    fc.record({
      event: fc.constantFrom<CircuitEvent>('throttled', 'abandoned', 'success', 'probeDue'),
      afterMs: fc.nat(99),
    }),
  )
  fc.assert(
    fc.property(mild, (events) => {
      for (const { circuit } of run(events)) assert.equal(isDown(circuit), false)
    }),
    { seed: 3 },
  )
})

test('from every reachable state, successes and due probes lead back to HEALTHY', () => {
  fc.assert(
    fc.property(history, (events) => {
      let circuit = [...run(events)].at(-1)?.circuit ?? healthyCircuit(0)
      let now = 1_000_000
      for (let n = 0; n < 6; n += 1) {
        now += 5_000
        circuit = advance(circuit, 'probeDue', { now, settings })
        circuit = advance(circuit, 'success', { now, settings })
      }
      assert.equal(circuit.state, 'HEALTHY')
    }),
    { seed: 4 },
  )
})

test('from every reachable state, repeated failures lead to DOWN', () => {
  fc.assert(
    fc.property(history, fc.constantFrom(...BAD), (events, failure) => {
      let circuit = [...run(events)].at(-1)?.circuit ?? healthyCircuit(0)
      for (let n = 0; n < 4; n += 1) circuit = advance(circuit, failure, { now: 1_000_000 + n, settings })
      assert.equal(circuit.state, 'DOWN')
    }),
    { seed: 5 },
  )
})

test('an event that changes nothing returns the same circuit', () => {
  const circuit = healthyCircuit(5)
  assert.equal(advance(circuit, 'success', { now: 9, settings }), circuit)
})
