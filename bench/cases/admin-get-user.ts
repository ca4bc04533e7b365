import { nameOf } from '../people.ts'
import { signedCallOf } from '../signed.ts'
import type { Service } from '../stage.ts'
import { type Case, compareAll } from './case.ts'
import { inTurn } from './turns.ts'

const PEOPLE = 100
const USERS = 10_000

export const adminGetUser: Case = {
  name: 'admin-get-user',
  title: 'AdminGetUser: a signed call about one user',
  run: async (stage) => {
    const ours = await stage.twinpool({ users: USERS, passwords: 0 })
    const local = await stage.cognitoLocal({ users: PEOPLE })
    const signed = ({ endpoint, pool }: Service) => {
      const call = (at: number) => signedCallOf(endpoint, 'AdminGetUser', { UserPoolId: pool, Username: nameOf(at) })
      const made = { calls: [] as ReturnType<typeof call>[], at: 0 }
      // Signatures are valid for five minutes only.
      return inTurn(() => {
        if (made.calls.length === 0 || performance.now() - made.at > FRESH_MILLISECONDS) {
          made.calls = Array.from({ length: PEOPLE }, (_, at) => call(at))
          made.at = performance.now()
        }
        return made.calls
      })
    }
    const subjects = [
      { name: 'twinpool', ...ours, work: signed(ours) },
      { name: 'cognito-local', ...local, work: signed(local) },
    ]
    return compareAll(stage, subjects, {
      notes: ['Ours has 10,000 users; cognito-local has 100 and does not check the signature of the call.'],
    })
  },
}

const FRESH_MILLISECONDS = 60_000
