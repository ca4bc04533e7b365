import { timingSafeEqual } from 'node:crypto'
import type { Context } from '../../context.ts'
import { findPassword, findUserAndPassword, type Verifier } from '../../directory/credential.ts'
import type { OpenClient, OpenPool } from '../../directory/open-pool.ts'
import { invalidParameter, notAuthorized } from '../../errors.ts'
import { decodeVerifier, srpIdentityOf, wrongPassword } from '../credentials/passwords.ts'
import { beginSrp, claimSignature, parsePublicValue, SALT_BYTES, sessionKeyOf } from '../credentials/srp.ts'
import { nextStep } from './next-step.ts'
import { requireParameter, requireUsername } from './parameters.ts'
import {
  checkUsable,
  consumeSession,
  invalidSession,
  newSession,
  openSecretBlock,
  openSession,
  sealSecretBlock,
  sealSession,
} from './session.ts'
import type { Parameters, Step } from './step.ts'
import { getSubject, isNameOf } from './subject.ts'

const VERIFIER_BYTES = 384
const SKEW_MILLISECONDS = 5 * 60_000

const WEEKDAY = /^(Sun|Mon|Tue|Wed|Thu|Fri|Sat) /

/** A time as clients write it: `Sat Jun 6 04:05:09 UTC 2026`; the day has no leading zero. */
function formatTimestamp(at: number): string {
  const [weekday = '', day, month, year, time] = new Date(at).toUTCString().split(' ')
  return `${weekday.slice(0, 3)} ${month} ${Number(day)} ${time} UTC ${year}`
}

/** USER_SRP_AUTH: the first half of SRP-6a. The response for a decoy, or a user without a password, looks the same. */
export async function beginSrpSignIn(
  context: Context,
  openClient: OpenClient,
  { flow, parameters, wantsSession }: { flow: string; parameters: Parameters; wantsSession: boolean },
): Promise<Step> {
  const name = requireUsername(openClient, parameters)
  const A = parsePublicValue(requireParameter(parameters, 'SRP_A'))
  if (!A) throw invalidParameter('SRP_A is not a valid public value.')
  const subject = await getSubject(context, openClient, name)
  const { salt, verifier } = verifierOrDecoy(
    openClient,
    subject.sub,
    await findPassword(context.store, openClient, subject.sub),
  )
  const { B, state } = beginSrp(verifier, A, context.clock.randomBytes)
  const challenge = 'PASSWORD_VERIFIER'
  const session = newSession(context, openClient, { sub: subject.sub, challenge, flow })
  return {
    kind: 'challenge',
    challenge,
    username: subject.username,
    salt,
    B,
    secretBlock: sealSecretBlock(openClient, { ...session, srp: state }),
    session: wantsSession ? sealSession(openClient, session) : undefined,
  }
}

/** PASSWORD_VERIFIER: the second half. SECRET_BLOCK has all the state that it needs; `Session` is optional. */
export async function respondToPasswordVerifier(
  context: Context,
  openClient: OpenClient,
  { session: text, responses }: { session: string | undefined; responses: Parameters },
): Promise<Step> {
  const name = requireUsername(openClient, responses)
  const block = Buffer.from(requireParameter(responses, 'PASSWORD_CLAIM_SECRET_BLOCK'), 'base64')
  const claimed = Buffer.from(requireParameter(responses, 'PASSWORD_CLAIM_SIGNATURE'), 'base64')
  const timestamp = requireParameter(responses, 'TIMESTAMP')

  const { srp, ...session } = openSecretBlock(openClient, block)
  const paired = text === undefined ? session : openSession(openClient, text)
  if (session.client !== openClient.client.id || paired.id !== session.id) throw invalidSession()
  checkTimestamp(context, timestamp)

  const [{ user, password }] = await Promise.all([
    findUserAndPassword(context.store, openClient, session.sub),
    checkUsable(context, openClient, session),
  ])
  const username = user?.username ?? session.sub
  const subject = { user, sub: session.sub, username }
  if (!(await isNameOf(context, openClient, { name, subject }))) throw invalidSession()
  const { verifier } = verifierOrDecoy(openClient, session.sub, password)
  const correct = await context.lockout.check(openClient, session.sub, () => {
    const expected = claimSignature(sessionKeyOf(verifier, srp), srpIdentityOf(openClient.pool, username), {
      secretBlock: block,
      timestamp,
    })
    return claimed.length === expected.length && timingSafeEqual(claimed, expected)
  })
  if (!correct || !user) throw wrongPassword()
  await consumeSession(context, openClient, session)
  return nextStep(context, openClient, { user, flow: session.flow })
}

/** The verifier of a password. Without a password: a decoy verifier, derived from the sub; no password matches it. */
function verifierOrDecoy(
  { cipher }: OpenPool,
  sub: string,
  password: Verifier | undefined,
): { salt: Buffer; verifier: Buffer } {
  if (password) return decodeVerifier(password)
  return {
    salt: cipher.derive(`salt\n${sub}`, SALT_BYTES),
    verifier: cipher.derive(`verifier\n${sub}`, VERIFIER_BYTES),
  }
}

/** The signature covers the time, so an old response cannot be replayed later. */
function checkTimestamp({ clock }: Pick<Context, 'clock'>, timestamp: string): void {
  const at = Date.parse(timestamp)
  // Date.parse reads many forms, and ignores the weekday.
  const [weekday, ...rest] = Number.isNaN(at) ? [] : formatTimestamp(at).split(' ')
  if (weekday === undefined || timestamp.slice(4) !== rest.join(' ') || !WEEKDAY.test(timestamp)) {
    throw invalidParameter('TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english')
  }
  if (!timestamp.startsWith(weekday)) throw notAuthorized('The weekday of TIMESTAMP is not the weekday of its date.')
  if (Math.abs(clock.now() - at) > SKEW_MILLISECONDS) {
    throw notAuthorized('The TIMESTAMP of the response is too far from the current time.')
  }
}
