import { emailOf } from '../people.ts'
import { openPlane } from '../regions/plane.ts'
import { compare } from '../rounds.ts'
import { signedCallOf } from '../signed.ts'
import { type Case, type Row, round, shown } from './case.ts'
import { inTurn } from './turns.ts'

const USERS = { full: 1_000_000, quick: 20_000 }
const PAGE = 60
const CONNECTIONS = 4
const EXACT = 'exact e-mail'

/** Milliseconds. For a prefix, the only promise is that a call reads 2,000 rows at most. */
const BOUND = { exact: 20 }

export const listUsers: Case = {
  name: 'list-users',
  title: 'ListUsers: a page of 60, by a filter',
  run: async (stage) => {
    const users = stage.quick ? USERS.quick : USERS.full
    const plane = await openPlane(stage, { engine: stage.store, built: true })
    const [{ pool } = { pool: '' }] = await plane.createPools(1)
    stage.say(`filling a pool with ${users.toLocaleString('en')} users`)
    await plane.fill([{ pool, users, passwords: 0 }])
    stage.say('copying it into the other region')
    await plane.replicate(pool)
    await plane.copied(pool, plane.secondary)
    const some = Array.from({ length: 200 }, (_, at) => emailOf(Math.floor((at * users) / 200)))
    const filters = {
      [EXACT]: some.map((email) => `email = "${email}"`),
      'common prefix of e-mail': ['email ^= "person-"'],
      'rare prefix of e-mail': some.map((email) => `email ^= "${email.slice(0, 13)}"`),
      'no filter': [''],
    }
    const rows: Row[] = []
    const lines: string[][] = []
    for (const [where, { name, endpoint, pid }] of [
      ['primary', plane.primary],
      ['replica', plane.secondary],
    ] as const) {
      for (const [how, texts] of Object.entries(filters)) {
        const calls = texts.map((Filter) =>
          signedCallOf(endpoint, 'ListUsers', { UserPoolId: pool, Filter, Limit: PAGE }, name),
        )
        const subject = { name, endpoint, pid, work: inTurn(calls) }
        const [ours] = await compare([subject], { connections: CONNECTIONS, pace: stage.pace })
        if (!ours) continue
        const what = `${how}, ${where}`
        lines.push([what, shown(ours.perSecond), shown(ours.p50), shown(ours.p99)])
        stage.say(`${what}: ${shown(ours.perSecond)}/s, p50 ${shown(ours.p50)} ms, p99 ${shown(ours.p99)} ms`)
        if (how !== EXACT) continue
        const ratio = round(ours.p99 / BOUND.exact)
        rows.push({ what: `${what}, p99 in ms`, peer: 'bound', ours: round(ours.p99), theirs: BOUND.exact, ratio })
      }
    }
    return {
      rows,
      table: { head: ['', 'calls/s', 'p50 ms', 'p99 ms'], lines },
      notes: [
        `${users.toLocaleString('en')} users in a pool with a replica, ${CONNECTIONS} connections.`,
        'Attributes are sealed, and an index finds only equal values. A prefix filter scans rows, at most 2,000 per call; after that the call returns a short page and a pagination token.',
      ],
    }
  },
}
