import type { OpenClient } from '../../directory/open-pool.ts'
import { invalidParameter } from '../../errors.ts'
import { checkSecretHash } from '../clients/secret-hash.ts'
import type { Parameters } from './step.ts'

/** Throws InvalidParameterException when the parameter is missing. */
export function requireParameter(parameters: Parameters, name: string): string {
  const value = parameters[name]
  if (!value) throw invalidParameter(`Missing required parameter ${name}`)
  return value
}

/** Returns USERNAME after checking its SECRET_HASH. Throws InvalidParameterException, NotAuthorizedException. */
export function requireUsername(openClient: OpenClient, parameters: Parameters): string {
  const username = requireParameter(parameters, 'USERNAME')
  checkSecretHash(openClient, openClient.client, username, parameters.SECRET_HASH)
  return username
}
