import { normalize } from '../../directory/alias.ts'
import type { Client } from '../../directory/client.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { CognitoError } from '../../errors.ts'
import type { CodeTarget } from '../credentials/codes.ts'
import { isEmail, isPhoneNumber, type Verifiable } from './attributes.ts'

/**
 * Whether the client's calls must not reveal if a user exists.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-managing-errors.html
 */
export const hidesExistence = (client: Client): boolean => client.document.PreventUserExistenceErrors === 'ENABLED'

/** The error of calls about codes for an unknown user, for clients that may reveal it. */
export const usernameNotFound = (): CognitoError =>
  new CognitoError('UserNotFoundException', 'Username/client id combination not found.')

/**
 * A decoy address for an unknown user. Its channel is the first one whose format matches the name, else one that the pool verifies
 * automatically, else the first. If the name is an address, the result is that address, as for a real user; otherwise the address
 * is derived from the name and the pool, so it never changes.
 */
export function decoyTarget(
  { pool, cipher }: OpenPool,
  name: string,
  channels: readonly [Verifiable, ...Verifiable[]],
): CodeTarget {
  const attribute =
    channels.find((channel) => FORM_OF[channel](name)) ??
    channels.find((channel) => pool.document.AutoVerifiedAttributes?.includes(channel)) ??
    channels[0]
  if (FORM_OF[attribute](name)) return { attribute, value: name }
  const bytes = cipher.derive(`destination\n${normalize(pool, 'username', name)}`, 12)
  if (attribute === 'email') {
    const letter = (at: number): string => String.fromCharCode(97 + ((bytes[at] as number) % 26))
    return { attribute, value: `${letter(0)}@${letter(1)}.example` }
  }
  return { attribute, value: `+1${[...bytes.subarray(2)].map((byte) => byte % 10).join('')}` }
}

const FORM_OF: Record<Verifiable, (name: string) => boolean> = { email: isEmail, phone_number: isPhoneNumber }
