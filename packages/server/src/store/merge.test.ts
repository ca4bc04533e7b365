import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Kind, type KindOfScope, kindNames, scopeOf } from './kinds.ts'
import { merge, REPLICA_STATUSES } from './merge.ts'

type Shared = KindOfScope<'shared'>

const moment = fc.integer({ min: 0, max: 5 })

/** Bodies of one key as two regions may write them; few values make ties common. */
const bodies: Record<Shared, fc.Arbitrary<unknown>> = {
  replica: fc.record({
    region: fc.constant('us-east-1'),
    status: fc.constantFrom(...REPLICA_STATUSES),
    version: moment,
  }),
  revocation: fc.record({ expires: moment }),
  rotation: fc.record({ generation: moment, at: moment, expires: moment }),
  'sign-out': fc.record({ before: moment }),
  'seal-count': fc.record({ count: moment }),
}

const shared = kindNames.filter((kind: Kind): kind is Shared => scopeOf(kind) === 'shared')

describe('the merge of shared facts', () => {
  it('has a rule and a test for every shared kind', () => {
    assert.deepEqual(Object.keys(bodies).sort(), [...shared].sort())
  })

  for (const kind of shared) {
    const body = bodies[kind].map((value) => JSON.stringify(value))

    it(`${kind}: merging is commutative`, () => {
      fc.assert(fc.property(body, body, (a, b) => assert.equal(merge(kind, a, b), merge(kind, b, a))))
    })

    it(`${kind}: merging is associative`, () => {
      fc.assert(
        fc.property(body, body, body, (a, b, c) =>
          assert.equal(merge(kind, merge(kind, a, b), c), merge(kind, a, merge(kind, b, c))),
        ),
      )
    })

    it(`${kind}: merging is idempotent`, () => {
      fc.assert(
        fc.property(body, body, (a, b) => {
          assert.equal(merge(kind, a, a), a)
          const both = merge(kind, a, b)
          assert.equal(merge(kind, both, a), both)
          assert.equal(merge(kind, both, b), both)
        }),
      )
    })

    it(`${kind}: the first fact is stored unchanged`, () => {
      fc.assert(fc.property(body, (a) => assert.equal(merge(kind, undefined, a), a)))
    })
  }

  it('the stored text stays byte for byte when nothing new arrives, whatever its whitespace', () => {
    const present = '{ "before" : 5 }'
    assert.equal(merge('sign-out', present, '{"before":4}'), present)
    assert.equal(merge('sign-out', present, '{"before":5}'), present)
    assert.equal(merge('sign-out', present, '{"before":6}'), '{"before":6}')
  })

  it('an earlier sign-out never replaces a later one', () => {
    assert.equal(merge('sign-out', '{"before":9}', '{"before":3}'), '{"before":9}')
  })

  it('the higher version of a replica wins; at equal versions, the later status', () => {
    const replica = (status: string, version: number) => JSON.stringify({ region: 'us-east-1', status, version })
    assert.equal(merge('replica', replica('ACTIVE', 2), replica('INACTIVE', 3)), replica('INACTIVE', 3))
    assert.equal(merge('replica', replica('ACTIVE', 3), replica('INACTIVE', 3)), replica('ACTIVE', 3))
    assert.equal(merge('replica', replica('DELETED', 4), replica('CREATING', 5)), replica('CREATING', 5))
  })
})
