import { callOf } from '../signed.ts'
import { signIn } from '../stage.ts'
import { type Case, compareAll } from './case.ts'
import { inTurn } from './turns.ts'

const PEOPLE = 100
const USERS = 10_000

export const getUser: Case = {
  name: 'get-user',
  title: 'GetUser: what an access token tells of its user',
  run: async (stage) => {
    const ours = await stage.twinpool({ users: USERS, passwords: PEOPLE })
    const local = await stage.cognitoLocal({ users: PEOPLE })
    const raw = await stage.raw()
    const byTokens = (tokens: readonly string[]) =>
      inTurn(tokens.map((AccessToken) => callOf('GetUser', { AccessToken })))
    const tokensOf = async (service: typeof ours): Promise<string[]> =>
      (await signIn(service, PEOPLE)).map(({ AccessToken }) => AccessToken)
    const subjects = [
      { name: 'twinpool', ...ours, work: byTokens(await tokensOf(ours)) },
      {
        name: 'raw',
        ...raw,
        work: inTurn(
          raw.tokens.map((AccessToken) => ({ path: '/read', headers: {}, body: JSON.stringify({ AccessToken }) })),
        ),
      },
      { name: 'cognito-local', ...local, work: byTokens(await tokensOf(local)) },
    ]
    return compareAll(stage, subjects, {
      notes: [
        'raw: a bare server that verifies one RS256 token and makes one indexed read in SQLite; 10,000 users in both.',
        'Ours reads three times (the user, a sign-out, a revocation), and opens what is sealed. cognito-local does not verify the token; it has 100 users.',
      ],
    })
  },
}
