import type { SchemaAttributeType } from '@aws-sdk/client-cognito-identity-provider'
import type { Pool } from '../../directory/pool.ts'
import { type CognitoError, invalidParameter } from '../../errors.ts'
import { completeSchema } from '../pools/schema.ts'
import { isServiceAttribute, isVerifiedFlag } from '../users/attributes.ts'

/** A client never writes the identifier, the `_verified` flags, and developer-only attributes. */
const isReadOnly = ({ Name = '', DeveloperOnlyAttribute }: SchemaAttributeType): boolean =>
  DeveloperOnlyAttribute === true || isServiceAttribute(Name) || isVerifiedFlag(Name)

/**
 * Checks the attributes that a client may read and write: each must be in the schema, and the writable ones must include every
 * required attribute. Throws InvalidParameterException.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html#user-pool-settings-attribute-permissions-and-scopes
 */
export function checkAttributeRights(
  { ReadAttributes, WriteAttributes }: { ReadAttributes?: string[]; WriteAttributes?: string[] },
  { pool, operation }: { pool: Pick<Pool, 'document'>; operation: 'creating' | 'updating' },
): void {
  const refused = (kind: string): CognitoError =>
    invalidParameter(`Invalid ${kind} attributes specified while ${operation} a client`)
  const schema = new Map(completeSchema(pool.document).map((attribute) => [attribute.Name ?? '', attribute]))
  if (ReadAttributes?.some((name) => !schema.has(name))) throw refused('read')
  if (!WriteAttributes) return
  for (const name of WriteAttributes) {
    const attribute = schema.get(name)
    if (!attribute || isReadOnly(attribute)) throw refused('write')
  }
  for (const [name, attribute] of schema) {
    if (attribute.Required && !isReadOnly(attribute) && !WriteAttributes.includes(name)) throw refused('write')
  }
}
