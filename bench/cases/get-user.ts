import { sendOnce } from '../load.ts'
import { callOf } from '../signed.ts'
import { type Service, signIn, type Tokens } from '../stage.ts'
import { type Case, compareAll } from './case.ts'
import { inTurn } from './turns.ts'

const PEOPLE = 100
const USERS = 10_000
/** More tokens and users than a region caches, so that each has been evicted when its turn comes again. */
const NEW_TOKENS = 11_000
const NEW_PEOPLE = 4_400
const AT_ONCE = 100

export const getUser: Case = {
  name: 'get-user',
  title: 'GetUser: the attributes of the user of an access token',
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
        'raw: a bare server that verifies one RS256 token and does one indexed read in SQLite. Both have 10,000 users.',
        'Ours reads three rows per call (user, sign-out, revocation). cognito-local does not verify the token; it has 100 users.',
        'Ours caches verified signatures of up to 10,000 tokens and opened rows of up to 4,000 users (until the row changes).',
        'The last rows, omitted by --quick, use uncached tokens: of 100 users, and of more users than the cache holds.',
      ],
    })
    if (stage.quick) return measured
    const parts = [measured]
    for (const [people, suffix] of [
      [ourTokens, ', unknown tokens'],
      [await signIn(ours, NEW_PEOPLE), ', unknown tokens and users'],
    ] as const) {
      const unknown = [{ name: 'twinpool', ...ours, work: byTokens(await newTokens(ours, people)) }, bare]
      parts.push(await compareAll({ ...stage, connections: [16] }, unknown, { suffix }))
    }
    return {
      ...measured,
      rows: parts.flatMap(({ rows }) => rows),
      table: { ...measured.table, lines: parts.flatMap(({ table }) => table.lines) },
    }
  },
}

/** Issues NEW_TOKENS access tokens, for these users in rotation. */
async function newTokens({ endpoint, client }: Service, tokens: readonly Tokens[]): Promise<string[]> {
  const calls = tokens.map(({ RefreshToken: REFRESH_TOKEN }) =>
    callOf('InitiateAuth', { AuthFlow: 'REFRESH_TOKEN_AUTH', ClientId: client, AuthParameters: { REFRESH_TOKEN } }),
  )
  const made: string[] = []
  for (let at = 0; made.length < NEW_TOKENS; at = (at + AT_ONCE) % calls.length) {
    const responses = await Promise.all(calls.slice(at, at + AT_ONCE).map((call) => sendOnce(endpoint, call)))
    made.push(...responses.map((body) => JSON.parse(body).AuthenticationResult.AccessToken as string))
  }
  return made
}
