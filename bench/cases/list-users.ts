import { emailOf } from '../people.ts'
import { compare } from '../rounds.ts'
import { signedCallOf } from '../signed.ts'
import { type Case, type Row, round, shown } from './case.ts'
import { inTurn } from './turns.ts'

const USERS = { full: 1_000_000, quick: 20_000 }
const PAGE = 60
const CONNECTIONS = 4

/** Milliseconds. Of a prefix nothing is promised but that a call looks at 2,000 rows at most. */
const BOUND = { exact: 20 }

export const listUsers: Case = {
  name: 'list-users',
  title: 'ListUsers: a page of 60, by a filter',
  run: async (stage) => {
    const users = stage.quick ? USERS.quick : USERS.full
    stage.say(`filling a pool with ${users.toLocaleString('en')} users`)
    const { endpoint, pid, pool } = await stage.twinpool({ users, passwords: 0 })
    const page = (Filter: string) => signedCallOf(endpoint, 'ListUsers', { UserPoolId: pool, Filter, Limit: PAGE })
    const some = Array.from({ length: 200 }, (_, at) => Math.floor((at * users) / 200))
    const filters = {
      'exact e-mail': some.map((at) => page(`email = "${emailOf(at)}"`)),
      'common prefix of e-mail': [page('email ^= "person-"')],
      'rare prefix of e-mail': some.map((at) => page(`email ^= "${emailOf(at).slice(0, 13)}"`)),
      'no filter': [page('')],
    }
    const rows: Row[] = []
    const lines: string[][] = []
    for (const [what, calls] of Object.entries(filters)) {
      const subject = { name: 'twinpool', endpoint, pid, work: inTurn(calls) }
      const [ours] = await compare([subject], { connections: CONNECTIONS, pace: stage.pace })
      if (!ours) continue
      lines.push([what, shown(ours.perSecond), shown(ours.p50), shown(ours.p99)])
      stage.say(`${what}: ${shown(ours.perSecond)}/s, p50 ${shown(ours.p50)} ms, p99 ${shown(ours.p99)} ms`)
      if (what !== 'exact e-mail') continue
      const ratio = round(ours.p99 / BOUND.exact)
      rows.push({ what: `${what}, p99 in ms`, peer: 'bound', ours: round(ours.p99), theirs: BOUND.exact, ratio })
    }
    return {
      rows,
      table: { head: ['', 'calls/s', 'p50 ms', 'p99 ms'], lines },
      notes: [
        `${users.toLocaleString('en')} users, ${CONNECTIONS} connections.`,
        'Attributes are sealed, and an index knows equal values only: a prefix is found by looking at rows, 2,000 of them at most in one call, which then answers with a short page and a token to go on from.',
      ],
    }
  },
}
