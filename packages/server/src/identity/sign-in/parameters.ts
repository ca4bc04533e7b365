import { CognitoError } from '../../errors.ts'
import { checkSecretHash } from '../clients/secret-hash.ts'
import type { Parameters, SignInPlace } from './step.ts'

/** Throws InvalidParameterException when the parameter is missing. */
export function requireParameter(parameters: Parameters, name: string): string {
  const value = parameters[name]
  if (!value) throw new CognitoError('InvalidParameterException', `Missing required parameter ${name}`)
  return value
}

/** Reads USERNAME, and the proof of the client's secret over it. Throws InvalidParameterException, NotAuthorizedException. */
export function readUsername(place: SignInPlace, parameters: Parameters): string {
  const username = requireParameter(parameters, 'USERNAME')
  checkSecretHash(place, place.client, username, parameters.SECRET_HASH)
  return username
}
