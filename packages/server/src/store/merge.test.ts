import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Kind, type KindOfScope, kindNames, scopeOf } from './kinds.ts'
import { incarnationOf, merge, REPLICA_STATUSES, type Replica, type ReplicaStatus, versionAfter } from './merge.ts'

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

/** Changes of a replica in one of several regions, and exchanges between them. */
type Action =
  | { at: number; status: 'ACTIVE' | 'INACTIVE' | 'DELETING' | 'DELETED' | 'CREATING' }
  | { at: number; from: number }

const REGIONS = 3
const region = fc.nat({ max: REGIONS - 1 })
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    at: region,
    status: fc.constantFrom('ACTIVE', 'INACTIVE', 'ACTIVE', 'INACTIVE', 'DELETING', 'DELETED', 'CREATING'),
  }),
  fc.record({ at: region, from: region }),
)

const ALLOWED: Readonly<Record<ReplicaStatus, readonly ReplicaStatus[]>> = {
  CREATING: ['INACTIVE'],
  INACTIVE: ['ACTIVE', 'DELETING'],
  ACTIVE: ['INACTIVE'],
  DELETING: ['DELETED'],
  DELETED: ['CREATING'],
}

/** Versions as builds before incarnations raise them. */
const olderVersionAfter = (present: Replica): number => present.version + 1

/**
 * Runs a history in regions that start with the same replica. `older`: regions of a build before incarnations. Returns what each region
 * has in the end, and the deletions that were acknowledged.
 */
function runHistory(actions: readonly Action[], older: ReadonlySet<number> = new Set()) {
  const first: Replica = { region: 'us-east-1', status: 'INACTIVE', version: 2 }
  const states = Array.from({ length: REGIONS }, () => first)
  const written: Replica[] = [first]
  const deletions: Replica[] = []
  for (const one of actions) {
    const present = states[one.at] as Replica
    if ('from' in one) {
      states[one.at] = JSON.parse(merge('replica', JSON.stringify(present), JSON.stringify(states[one.from])))
      continue
    }
    if (!ALLOWED[present.status].includes(one.status)) continue
    const version = older.has(one.at) ? olderVersionAfter(present) : versionAfter(present, one.status)
    const next: Replica = { ...present, status: one.status, version }
    states[one.at] = next
    written.push(next)
    if (one.status === 'DELETING' && !older.has(one.at)) deletions.push(next)
  }
  return { states, written, deletions }
}

const mergeAll = (replicas: readonly Replica[]): Replica =>
  JSON.parse(replicas.map((replica) => JSON.stringify(replica)).reduce((a, b) => merge('replica', a, b)))

describe('the versions of a replica', () => {
  const history = fc.array(action, { maxLength: 40 })
  /** Regions 1 and 2 may run the older build. */
  const olderRegions = fc.subarray([1, 2]).map((list) => new Set(list))

  it('regions agree in every order of merges, beside builds before incarnations too', () => {
    fc.assert(
      fc.property(history, olderRegions, fc.infiniteStream(fc.nat()), (actions, older, numbers) => {
        const { written } = runHistory(actions, older)
        const shuffled = written.map((replica) => ({ replica, at: numbers.next().value as number }))
        const inOrder = shuffled.toSorted((a, b) => a.at - b.at).map(({ replica }) => replica)
        assert.deepEqual(mergeAll(inOrder), mergeAll(written))
        assert.deepEqual(mergeAll([...inOrder, ...written]), mergeAll(written))
      }),
    )
  })

  it('an acknowledged deletion is undone only by a new creation', () => {
    fc.assert(
      fc.property(history, olderRegions, (actions, older) => {
        const { states, deletions } = runHistory(actions, older)
        const merged = mergeAll(states)
        for (const deletion of deletions) {
          const isCreatedAgain = incarnationOf(merged) > incarnationOf(deletion)
          assert.ok(isCreatedAgain || merged.status === 'DELETING' || merged.status === 'DELETED')
        }
      }),
    )
  })

  it('a deletion of a replica in a region that is behind does not delete the replica that was created again', () => {
    const old: Replica = { region: 'us-east-1', status: 'INACTIVE', version: 40 }
    const change = (replica: Replica, status: ReplicaStatus): Replica => ({
      ...replica,
      status,
      version: versionAfter(replica, status),
    })
    const again = change(change(change(old, 'DELETING'), 'DELETED'), 'CREATING')
    assert.equal(incarnationOf(again), 1)
    assert.deepEqual(mergeAll([again, change(old, 'DELETING')]), again)
    // A build before incarnations raises the version by one, which leads to the same versions.
    const deleting = change(old, 'DELETING')
    assert.equal(deleting.version + 2, again.version)
  })
})
