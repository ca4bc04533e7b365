import { sendOnce } from '../load.ts'
import { callOf } from '../signed.ts'
import { type Service, signIn, type Tokens } from '../stage.ts'
import { type Case, compareAll } from './case.ts'
import { inTurn } from './turns.ts'

const PEOPLE = 100
const USERS = 10_000
/** More of both than a region remembers, so that each has been forgotten when its turn comes again. */
const NEW_TOKENS = 11_000
const NEW_PEOPLE = 4_400
const AT_ONCE = 100

export const getUser: Case = {
  name: 'get-user',
  title: 'GetUser: what an access token tells of its user',
  run: async (stage) => {
    const ours = await stage.twinpool({ users: USERS, passwords: stage.quick ? PEOPLE : NEW_PEOPLE })
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
        'Ours reads three rows each time (the user, a sign-out, a revocation). cognito-local does not verify the token; it has 100 users.',
        'Ours verifies the signature of a token once and remembers that, of up to 10,000 tokens, and it opens the sealed row of a user once while the row stays as it is, of up to 4,000 users.',
        'The last parts, left out by --quick, are with tokens that it does not know: of 100 users, and of more users than it remembers.',
      ],
    })
    if (stage.quick) return measured
    const parts = [measured]
    for (const [people, also] of [
      [ourTokens, ', unknown tokens'],
      [await signIn(ours, NEW_PEOPLE), ', unknown tokens and users'],
    ] as const) {
      const unknown = [{ name: 'twinpool', ...ours, work: byTokens(await newTokens(ours, people)) }, bare]
      parts.push(await compareAll({ ...stage, connections: [16] }, unknown, { also }))
    }
    return {
      ...measured,
      rows: parts.flatMap(({ rows }) => rows),
      table: { ...measured.table, lines: parts.flatMap(({ table }) => table.lines) },
    }
  },
}

/** Tokens of these people in turn, over and over. */
async function newTokens({ endpoint, client }: Service, tokens: readonly Tokens[]): Promise<string[]> {
  const calls = tokens.map(({ RefreshToken: REFRESH_TOKEN }) =>
    callOf('InitiateAuth', { AuthFlow: 'REFRESH_TOKEN_AUTH', ClientId: client, AuthParameters: { REFRESH_TOKEN } }),
  )
  const made: string[] = []
  for (let at = 0; made.length < NEW_TOKENS; at = (at + AT_ONCE) % calls.length) {
    const answers = await Promise.all(calls.slice(at, at + AT_ONCE).map((call) => sendOnce(endpoint, call)))
    made.push(...answers.map((answer) => JSON.parse(answer).AuthenticationResult.AccessToken as string))
  }
  return made
}
