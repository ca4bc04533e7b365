import { setTimeout as wait } from 'node:timers/promises'
import { sendOnce } from '../load.ts'
import { nameOf } from '../people.ts'
import { memoryOf } from '../regions/memory.ts'
import { median } from '../rounds.ts'
import { callOf, signedCallOf } from '../signed.ts'
import { passwordCall, signIn } from '../stage.ts'
import { type Case, round, shown } from './case.ts'

const USERS = { full: 100_000, quick: 20_000 }
const PEOPLE = 20
/** Megabytes. */
const BOUND = 150

export const memory: Case = {
  name: 'memory',
  title: 'Memory of a region, idle',
  run: async (stage) => {
    const users = stage.quick ? USERS.quick : USERS.full
    const { endpoint, pid, pool, client } = await stage.twinpool({ users, passwords: PEOPLE, built: true })
    const started = memoryOf(pid)
    for (let at = 0; at < PEOPLE; at += 1) await sendOnce(endpoint, passwordCall(client, at))
    for (const { AccessToken } of await signIn({ endpoint, client }, PEOPLE)) {
      await sendOnce(endpoint, callOf('GetUser', { AccessToken }))
      await sendOnce(endpoint, signedCallOf(endpoint, 'ListUsers', { UserPoolId: pool, Limit: 60 }))
      await sendOnce(endpoint, signedCallOf(endpoint, 'AdminGetUser', { UserPoolId: pool, Username: nameOf(0) }))
    }
    const seconds = stage.quick ? 5 : 60
    const samples: number[] = []
    for (let second = 0; second < seconds; second += 1) {
      await wait(1_000)
      samples.push(memoryOf(pid).resident)
    }
    const idle = median(samples)
    const { peak } = memoryOf(pid)
    const lines = [
      ['after the start', shown(started.resident)],
      [`idle for ${seconds} s after ${PEOPLE * 5} calls`, shown(idle)],
      ['peak', shown(peak)],
    ]
    for (const [what, megabytes] of lines) stage.say(`${what}: ${megabytes} MB`)
    return {
      rows: [
        {
          what: `idle with ${users.toLocaleString('en')} users, MB`,
          peer: 'bound',
          ours: round(idle),
          theirs: BOUND,
          ratio: round(idle / BOUND),
        },
      ],
      table: { head: ['', 'resident MB'], lines },
      notes: [`${users.toLocaleString('en')} users; compiled packages, as installed by users.`],
    }
  },
}
