import type { KeyConfigurationType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import { invalidParameter } from '../../errors.ts'
import type { KeyDescription } from '../../keys/provider.ts'

const KEY_ARN = /^arn:aws[\w-]*:kms:([a-z0-9-]+):\d{12}:key\/[\w-]+$/

/**
 * Checks a customer managed key for a pool: given by its full ARN (not an alias), in this region, existing and enabled.
 * Throws InvalidParameterException.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-encryption-at-rest.html
 */
export async function checkKey(
  { keyProvider, region }: Pick<Context, 'keyProvider' | 'region'>,
  configuration: KeyConfigurationType | undefined,
): Promise<KeyDescription | undefined> {
  const arn = configuration?.KmsKeyArn
  if (arn === undefined) return undefined
  const keyRegion = KEY_ARN.exec(arn)?.[1]
  if (keyRegion === undefined)
    throw invalidParameter('KmsKeyArn must be the full ARN of a KMS key; aliases are not supported.')
  if (keyRegion !== region) throw invalidParameter('The KMS key must be in the same Region as the user pool.')
  const key = await keyProvider.find(arn)
  if (!key) throw invalidParameter('The KMS key does not exist.')
  if (!key.enabled) throw invalidParameter('The KMS key is not enabled.')
  return key
}
