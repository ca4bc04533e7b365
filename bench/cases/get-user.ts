import { sendOnce } from '../load.ts'
import { callOf } from '../signed.ts'
import { type Service, signIn, type Tokens } from '../stage.ts'
import { type Case, compareAll } from './case.ts'
import { inTurn } from './turns.ts'

const PEOPLE = 100
const USERS = 10_000
/** More than a region remembers, so that each has been forgotten when its turn comes again. */
const NEW_TOKENS = 11_000

export const getUser: Case = {
  name: 'get-user',
  title: 'GetUser: what an access token tells of its user',
  run: async (stage) => {
    const ours = await stage.twinpool({ users: USERS, passwords: PEOPLE })
    const local = await stage.cognitoLocal({ users: PEOPLE })
    const raw = await stage.raw()
    const byTokens = (tokens: readonly string[]) =>
      inTurn(tokens.map((AccessToken) => callOf('GetUser', { AccessToken })))
    const ourTokens = await signIn(ours, PEOPLE)
    const localTokens = await signIn(local, PEOPLE)
    const bare = {
      name: 'raw',
      ...raw,
      work: inTurn(
        raw.tokens.map((AccessToken) => ({ path: '/read', headers: {}, body: JSON.stringify({ AccessToken }) })),
      ),
    }
    const subjects = [
      { name: 'twinpool', ...ours, work: byTokens(ourTokens.map(({ AccessToken }) => AccessToken)) },
      bare,
      { name: 'cognito-local', ...local, work: byTokens(localTokens.map(({ AccessToken }) => AccessToken)) },
    ]
    const measured = await compareAll(stage, subjects, {
      notes: [
        'raw: a bare server that verifies one RS256 token and makes one indexed read in SQLite; 10,000 users in both.',
        'Ours reads three times (the user, a sign-out, a revocation), and opens what is sealed. cognito-local does not verify the token; it has 100 users.',
        'Ours verifies the signature of a token once and remembers that, of up to 10,000 tokens; the last part, left out by --quick, is with tokens that it does not know.',
      ],
    })
    if (stage.quick) return measured
    const unknown = [{ name: 'twinpool', ...ours, work: byTokens(await newTokens(ours, ourTokens)) }, bare]
    const { rows, table } = await compareAll({ ...stage, connections: [16] }, unknown, { also: ', unknown tokens' })
    return {
      ...measured,
      rows: [...measured.rows, ...rows],
      table: { ...table, lines: [...measured.table.lines, ...table.lines] },
    }
  },
}

async function newTokens({ endpoint, client }: Service, tokens: readonly Tokens[]): Promise<string[]> {
  const calls = tokens.map(({ RefreshToken: REFRESH_TOKEN }) =>
    callOf('InitiateAuth', { AuthFlow: 'REFRESH_TOKEN_AUTH', ClientId: client, AuthParameters: { REFRESH_TOKEN } }),
  )
  const made: string[] = []
  while (made.length < NEW_TOKENS) {
    const answers = await Promise.all(calls.map((call) => sendOnce(endpoint, call)))
    made.push(...answers.map((answer) => JSON.parse(answer).AuthenticationResult.AccessToken as string))
  }
  return made
}
