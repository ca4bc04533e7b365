import { timingSafeEqual } from 'node:crypto'
import type { Context } from '../../context.ts'
import { findPassword, findUserAndPassword, type PasswordDocument } from '../../directory/credential.ts'
import type { OpenClient, OpenPool } from '../../directory/open-pool.ts'
import { invalidParameter, notAuthorized } from '../../errors.ts'
import { noteSubject } from '../../events/request-scope.ts'
import { decodeVerifier, srpIdentityOf, verifierOver, wrongPassword } from '../credentials/passwords.ts'
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
import { getSubject, isNameOf, lockoutOf, type Subject } from './subject.ts'

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
  const { user, sub, typed } = subject
  const rowsOf = user?.sub ?? subject.other?.sub ?? sub
  const password = await findPassword(context.store, openClient, rowsOf)
  const { srpName, salt, verifier } = verifierFor(openClient, subject, password)
  const { B, state } = beginSrp(verifier, A, context.clock.randomBytes)
  const challenge = 'PASSWORD_VERIFIER'
  const session = newSession(context, openClient, { sub, challenge, flow })
  // For users and decoys of the same length, and so is the sealed block.
  const hidden = typed === undefined ? {} : { typed, rowsOf }
  return {
    kind: 'challenge',
    challenge,
    username: srpName,
    salt,
    B,
    secretBlock: sealSecretBlock(openClient, { ...session, srpName, ...hidden, srp: state }),
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
  const secretBlock = requireParameter(responses, 'PASSWORD_CLAIM_SECRET_BLOCK')
  const claimed = Buffer.from(requireParameter(responses, 'PASSWORD_CLAIM_SIGNATURE'), 'base64')
  const timestamp = requireParameter(responses, 'TIMESTAMP')

  const { srp, block, ...session } = openSecretBlock(openClient, secretBlock)
  const paired = text === undefined ? session : openSession(openClient, text)
  if (session.client !== openClient.client.id || paired.id !== session.id) throw invalidSession()
  noteSubject(session.sub)
  checkTimestamp(context, timestamp)

  const { sub, typed, rowsOf = sub } = session
  const [{ user: found, password }] = await Promise.all([
    findUserAndPassword(context.store, openClient, rowsOf),
    checkUsable(context, openClient, session),
  ])
  const user = found?.sub === sub ? found : undefined
  const subject = {
    user,
    sub,
    srpName: session.srpName ?? user?.username ?? sub,
    ...(typed !== undefined && { typed }),
  }
  if (!(await isNameOf(context, openClient, { name, subject }))) throw invalidSession()
  const { srpName, verifier } = verifierFor(openClient, subject, password)
  const correct = await context.lockout.check(openClient, lockoutOf(subject), () => {
    const expected = claimSignature(sessionKeyOf(verifier, srp), srpIdentityOf(openClient.pool, srpName), {
      secretBlock: block,
      timestamp,
    })
    return claimed.length === expected.length && timingSafeEqual(claimed, expected)
  })
  if (!correct || !user) throw wrongPassword()
  await consumeSession(context, openClient, session)
  return nextStep(context, openClient, { user, flow: session.flow })
}

/**
 * The verifier over the subject's srpName. For a decoy, or a user without a password, it is derived from srpName, and no password matches
 * it. A password that an older build set may have only the verifier over the username.
 */
function verifierFor(
  { cipher }: OpenPool,
  { user, srpName, typed }: Pick<Subject, 'user' | 'srpName' | 'typed'>,
  password: PasswordDocument | undefined,
): { srpName: string; salt: Buffer; verifier: Buffer } {
  const overName = user && password && verifierOver(password, user, srpName)
  const stored = password && decodeVerifier(overName ?? password)
  if (user && stored && typed === undefined) return { srpName, ...stored }
  const decoy = {
    salt: cipher.derive(`salt\n${srpName}`, SALT_BYTES),
    verifier: cipher.derive(`verifier\n${srpName}`, VERIFIER_BYTES),
  }
  if (!user || !stored) return { srpName, ...decoy }
  return { srpName: overName ? srpName : user.username, ...stored }
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
