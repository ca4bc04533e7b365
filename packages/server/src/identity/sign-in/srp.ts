import { timingSafeEqual } from 'node:crypto'
import type { Context } from '../../context.ts'
import { findUserBySub, type UserPlace } from '../../directory/user.ts'
import { CognitoError } from '../../errors.ts'
import { checkUnderLockout } from '../credentials/lockout.ts'
import { findVerifier, srpIdentityOf } from '../credentials/passwords.ts'
import { beginSrp, claimSignature, parsePublicValue, SALT_BYTES, sessionKeyOf, toHex } from '../credentials/srp.ts'
import { nextStep } from './next-step.ts'
import { readUsername, requireParameter } from './parameters.ts'
import { findPerson, isNameOf, type Person, wrongPassword } from './person.ts'
import {
  invalidSession,
  newSession,
  openSecretBlock,
  openSession,
  sealSecretBlock,
  sealSession,
  spendSession,
} from './session.ts'
import type { Parameters, SignInPlace, Step } from './step.ts'

const VERIFIER_BYTES = 384
const SKEW_MILLISECONDS = 5 * 60_000

/** USER_SRP_AUTH: the first half of SRP-6a. A user who does not exist, or has no password, is answered alike. */
export async function beginSrpSignIn(
  context: Context,
  place: SignInPlace,
  { flow, parameters }: { flow: string; parameters: Parameters },
): Promise<Step> {
  const name = readUsername(place, parameters)
  const A = parsePublicValue(requireParameter(parameters, 'SRP_A'))
  if (!A) throw new CognitoError('InvalidParameterException', 'SRP_A is not a valid public value.')
  const person = await findPerson(context, place, name)
  const { salt, verifier } = await verifierFor(context, place, person)
  const { B, state } = beginSrp(verifier, A, context.clock.randomBytes)
  const challenge = 'PASSWORD_VERIFIER'
  const session = newSession(context, place, { sub: person.sub, challenge, flow })
  return {
    kind: 'challenge',
    challenge,
    parameters: {
      SALT: toHex(salt),
      SECRET_BLOCK: sealSecretBlock(place, { ...session, srp: state }),
      SRP_B: toHex(B),
      USERNAME: person.username,
      USER_ID_FOR_SRP: person.username,
    },
    session: sealSession(place, session),
  }
}

/** PASSWORD_VERIFIER: the second half. All that it needs is in SECRET_BLOCK; `Session` may be left out. */
export async function answerPasswordVerifier(
  context: Context,
  place: SignInPlace,
  { session: text, responses }: { session: string | undefined; responses: Parameters },
): Promise<Step> {
  const name = readUsername(place, responses)
  const block = requireParameter(responses, 'PASSWORD_CLAIM_SECRET_BLOCK')
  const claimed = Buffer.from(requireParameter(responses, 'PASSWORD_CLAIM_SIGNATURE'), 'base64')
  const timestamp = requireParameter(responses, 'TIMESTAMP')

  const { srp, ...session } = await openSecretBlock(context, place, block)
  const paired = text === undefined ? session : await openSession(context, place, text)
  if (session.client !== place.client.id || paired.id !== session.id) throw invalidSession()
  checkTimestamp(context, timestamp)

  const user = await findUserBySub(context.store, place, session.sub)
  const username = user?.username ?? session.sub
  const person = { user, sub: session.sub, username }
  if (!(await isNameOf(context, place, { name, person }))) throw invalidSession()
  const { verifier } = await verifierFor(context, place, person)
  const right = await checkUnderLockout(context, place, session.sub, () => {
    const expected = claimSignature(sessionKeyOf(verifier, srp), srpIdentityOf(place.pool, username), {
      secretBlock: Buffer.from(block, 'base64'),
      timestamp,
    })
    return claimed.length === expected.length && timingSafeEqual(claimed, expected)
  })
  if (!right || !user) throw wrongPassword()
  await spendSession(context, place, session)
  return nextStep(context, place, { user, flow: session.flow })
}

/** The verifier of a password, or one that nobody knows the password of, always the same for the person. */
async function verifierFor(
  context: Pick<Context, 'store'>,
  place: UserPlace,
  { sub, username }: Person,
): Promise<{ salt: Buffer; verifier: Buffer }> {
  const known = await findVerifier(context, place, { sub, username })
  return (
    known ?? {
      salt: place.cipher.derive(`salt\n${sub}`, SALT_BYTES),
      verifier: place.cipher.derive(`verifier\n${sub}`, VERIFIER_BYTES),
    }
  )
}

const TIMESTAMP = /^[A-Z][a-z]{2} [A-Z][a-z]{2} \d{1,2} \d{2}:\d{2}:\d{2} UTC \d{4}$/

/** The signature is over the time, so that an old answer is worth nothing. */
function checkTimestamp({ clock }: Pick<Context, 'clock'>, timestamp: string): void {
  const at = TIMESTAMP.test(timestamp) ? Date.parse(timestamp) : Number.NaN
  if (Number.isNaN(at)) {
    throw new CognitoError(
      'InvalidParameterException',
      'TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english',
    )
  }
  if (Math.abs(clock.now() - at) > SKEW_MILLISECONDS) {
    throw new CognitoError('NotAuthorizedException', 'The TIMESTAMP of the answer is too far from the present time.')
  }
}
