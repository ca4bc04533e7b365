import { randomBytes } from 'node:crypto'
import { openLine, type Send } from '../load.ts'
import { emailOf, nameOf, PASSWORD } from '../people.ts'
import { median } from '../rounds.ts'
import { callOf } from '../signed.ts'
import type { Service } from '../stage.ts'
import { type Case, type Row, round, shown } from './case.ts'

const PACE = { full: { users: 50_000, pairs: 1_000 }, quick: { users: 2_000, pairs: 150 } }
/** The names of absent users continue those of the users. */
const ABSENT = 5_000_000
const UNCONFIRMED = 8_000_000
/** Coprime to the numbers of users. Users with consecutive numbers are on one page of the store, and the next one would be read faster. */
const STRIDE = 7_919

/** Makes what the measured call needs, and returns the call. */
type Prepare = (send: Send, service: Service, name: string) => Promise<() => Promise<unknown>>

interface Operation {
  what: string
  /** The names of user or absent user number `at`. */
  nameAt: (at: number) => string
  /** Number of the first user; those before have been used by operations that share a limit. */
  first: number
  prepare: Prepare
}

const wrongPassword: Prepare = async (send, { client }, USERNAME) => {
  const AuthParameters = { USERNAME, PASSWORD: 'Wrong-Horse-7' }
  return () => send(callOf('InitiateAuth', { AuthFlow: 'USER_PASSWORD_AUTH', ClientId: client, AuthParameters }))
}
const srpBegin: Prepare = async (send, { client }, USERNAME) => {
  const AuthParameters = { USERNAME, SRP_A: '2' }
  return () => send(callOf('InitiateAuth', { AuthFlow: 'USER_SRP_AUTH', ClientId: client, AuthParameters }))
}
const srpProof: Prepare = async (send, service, name) => {
  const begun = (await (await srpBegin(send, service, name))()) as string
  const { SECRET_BLOCK, USER_ID_FOR_SRP } = JSON.parse(begun).ChallengeParameters
  const [day = '', date = '', month = '', year = '', time = ''] = new Date().toUTCString().split(' ')
  const ChallengeResponses = {
    USERNAME: USER_ID_FOR_SRP,
    PASSWORD_CLAIM_SECRET_BLOCK: SECRET_BLOCK,
    PASSWORD_CLAIM_SIGNATURE: randomBytes(32).toString('base64'),
    TIMESTAMP: `${day.slice(0, 3)} ${month} ${Number(date)} ${time} UTC ${year}`,
  }
  return () =>
    send(
      callOf('RespondToAuthChallenge', {
        ClientId: service.client,
        ChallengeName: 'PASSWORD_VERIFIER',
        ChallengeResponses,
      }),
    )
}
const codeCall =
  (operation: string, more: object = {}): Prepare =>
  async (send, { client }, Username) =>
  () =>
    send(callOf(operation, { ClientId: client, Username, ...more }))

const forgot = codeCall('ForgotPassword')
const reset = codeCall('ConfirmForgotPassword', { ConfirmationCode: 'no-code', Password: PASSWORD })
const confirm = codeCall('ConfirmSignUp', { ConfirmationCode: 'no-code' })
const unconfirmed = (at: number): string => nameOf(at < ABSENT ? UNCONFIRMED + at : at)

const operationsFor = (pairs: number): Operation[] => [
  { what: 'password, by username', nameAt: nameOf, first: 0, prepare: wrongPassword },
  { what: 'password, by address', nameAt: emailOf, first: pairs, prepare: wrongPassword },
  { what: 'SRP begin, by username', nameAt: nameOf, first: 2 * pairs, prepare: srpBegin },
  { what: 'SRP begin, by address', nameAt: emailOf, first: 3 * pairs, prepare: srpBegin },
  { what: 'SRP proof, by username', nameAt: nameOf, first: 4 * pairs, prepare: srpProof },
  { what: 'SRP proof, by address', nameAt: emailOf, first: 5 * pairs, prepare: srpProof },
  { what: 'ForgotPassword, by username', nameAt: nameOf, first: 6 * pairs, prepare: forgot },
  { what: 'ForgotPassword, by address', nameAt: emailOf, first: 7 * pairs, prepare: forgot },
  // The users of ForgotPassword, who have a code now.
  { what: 'ConfirmForgotPassword, by username', nameAt: nameOf, first: 6 * pairs, prepare: reset },
  { what: 'ConfirmForgotPassword, by address', nameAt: emailOf, first: 7 * pairs, prepare: reset },
  { what: 'ResendConfirmationCode', nameAt: unconfirmed, first: 0, prepare: codeCall('ResendConfirmationCode') },
  { what: 'ConfirmSignUp', nameAt: unconfirmed, first: 0, prepare: confirm },
]

export const existence: Case = {
  name: 'existence',
  title: 'Whether the time of a response shows that a user exists, with PreventUserExistenceErrors',
  run: async (stage) => {
    const { users, pairs } = stage.quick ? PACE.quick : PACE.full
    const service = await stage.twinpool({
      users,
      passwords: users,
      oneVerifier: true,
      settings: {
        pool: { AutoVerifiedAttributes: ['email'] },
        client: { PreventUserExistenceErrors: 'ENABLED' },
      },
    })
    const { send, socket } = await openLine(service.endpoint)
    for (let at = 0; at < pairs; at += 1) {
      const number = UNCONFIRMED + ((at * STRIDE) % users)
      const Username = nameOf(number)
      const UserAttributes = [{ Name: 'email', Value: emailOf(number) }]
      // The region has no messenger, so the call fails after it has created the user.
      await refused(send(callOf('SignUp', { ClientId: service.client, Username, Password: PASSWORD, UserAttributes })))
    }
    const rows: Row[] = []
    const lines: string[][] = []
    for (const { what, nameAt, first, prepare } of operationsFor(pairs)) {
      const times: Record<'user' | 'nobody', number[]> = { user: [], nobody: [] }
      for (const [at, isFirst] of order(pairs).entries()) {
        for (const who of isFirst ? (['user', 'nobody'] as const) : (['nobody', 'user'] as const)) {
          const number = ((first + at) * STRIDE) % users
          const name = nameAt(who === 'user' ? number : ABSENT + number)
          const call = await prepare(send, service, name)
          const started = performance.now()
          await refused(call())
          times[who].push(performance.now() - started)
        }
      }
      const auc = areaUnderCurve(times.nobody, times.user)
      rows.push({
        what,
        peer: 'nobody',
        ours: round(median(times.user)),
        theirs: round(median(times.nobody)),
        ratio: round(auc),
      })
      lines.push([what, shown(median(times.user)), shown(median(times.nobody)), auc.toFixed(2)])
      stage.say(
        `${what}: ${shown(median(times.user))} ms for a user, ${shown(median(times.nobody))} ms for nobody, AUC ${auc.toFixed(2)}`,
      )
    }
    socket.destroy()
    return {
      rows,
      table: { head: ['', 'user, p50 ms', 'nobody, p50 ms', 'AUC'], lines },
      notes: [
        `${users.toLocaleString('en')} users; ${pairs.toLocaleString('en')} pairs of calls per line, one with the name of a user and one with a name that nobody has, in random order on one connection. Each name is new to the region.`,
        'AUC: how often the call for nobody takes longer than the call for a user. 0.5: the time shows nothing; 0 or 1: each pair shows it.',
      ],
    }
  },
}

/** Waits for the response, whatever its status. */
const refused = (call: Promise<unknown>): Promise<unknown> =>
  call.catch((error: Error) => {
    if (!error.message.startsWith('400 ')) throw error
  })

/** For each pair, whether the call for the user comes first. */
const order = (pairs: number): boolean[] => [...randomBytes(pairs)].map((byte) => byte < 128)

/** The share of pairs (a, b) with a > b: the area under the ROC curve. */
function areaUnderCurve(a: readonly number[], b: readonly number[]): number {
  const sorted = b.toSorted((x, y) => x - y)
  let larger = 0
  for (const value of a) {
    let low = 0
    let high = sorted.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sorted[middle] as number) < value) low = middle + 1
      else high = middle
    }
    larger += low
  }
  return larger / (a.length * b.length)
}
