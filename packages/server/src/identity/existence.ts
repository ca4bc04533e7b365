import { CognitoError } from '../errors.ts'
import { isEmail, isPhoneNumber, type Verifiable } from './attributes.ts'
import type { CodeTarget } from './codes.ts'
import type { Client } from './pool.ts'
import type { UserPlace } from './user.ts'

/**
 * Whether the client's calls must not tell if a user exists.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-managing-errors.html
 */
export const hidesExistence = (client: Client): boolean => client.document.PreventUserExistenceErrors === 'ENABLED'

/** What calls about codes say of a user who is not there, by clients that may tell it. */
export const noSuchUser = (): CognitoError =>
  new CognitoError('UserNotFoundException', 'Username/client id combination not found.')

/**
 * An address for a user who is not there: the name itself where it is one, as it would be of a real user, and else one that
 * is made up, always the same for the name and the pool.
 */
export function inventTarget({ cipher }: UserPlace, name: string, attribute: Verifiable): CodeTarget {
  const bytes = cipher.derive(`destination\n${name}`, 12)
  if (attribute === 'email') {
    const letter = (at: number): string => String.fromCharCode(97 + ((bytes[at] as number) % 26))
    return { attribute, value: isEmail(name) ? name : `${letter(0)}@${letter(1)}.example` }
  }
  return {
    attribute,
    value: isPhoneNumber(name) ? name : `+1${[...bytes.subarray(2)].map((byte) => byte % 10).join('')}`,
  }
}
