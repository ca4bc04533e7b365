import type { CreateUserPoolCommandInput } from '@aws-sdk/client-cognito-identity-provider'
import { randomText } from '../../clock.ts'
import type { Context } from '../../context.ts'
import { type PoolDocument, putPool, putSettings } from '../../directory/pool.ts'
import { CognitoError, invalidParameter } from '../../errors.ts'
import { notePool } from '../../events/request-scope.ts'
import { ONLY, type Topology } from '../../store/kinds.ts'
import { countRowsOfAllPools } from '../../store/rows.ts'
import { writeSigningKeys } from '../../tokens/signing-keys.ts'
import { checkKey } from './kms-key.ts'
import { parseRegionalSettings } from './regional-settings.ts'
import { newSchema } from './schema.ts'
import { canSealNewPool } from './sealing.ts'
import { checkFirstFactors, checkTierFeatures, parseGlobalSettings } from './settings.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const ID_LENGTH = 9
/** https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html */
const LIMIT = 1_000

/**
 * Creates a pool whose primary is this region: topology, data key, signing keys, settings and document in one transaction.
 * Returns its id. Throws InvalidParameterException, LimitExceededException, UserPoolTaggingException,
 * FeatureUnavailableInTierException.
 */
export async function createPool(
  {
    clock,
    store,
    keys,
    keyProvider,
    serviceKeyArn,
    signingKeys,
    region,
    endpoints,
  }: Pick<
    Context,
    'clock' | 'store' | 'keys' | 'keyProvider' | 'serviceKeyArn' | 'signingKeys' | 'region' | 'endpoints'
  >,
  input: Omit<CreateUserPoolCommandInput, 'PoolName'> & { PoolName: string },
): Promise<string> {
  if (input.AliasAttributes?.length && input.UsernameAttributes?.length) {
    throw invalidParameter('Only one of the aliasAttributes or usernameAttributes can be set in a user pool.')
  }
  const global = parseGlobalSettings(input)
  const regional = parseRegionalSettings(input, { tier: global.UserPoolTier ?? 'ESSENTIALS', region })
  if (global.MfaConfiguration !== 'OFF' && !regional.SmsConfiguration) {
    throw invalidParameter(
      'SMS configuration and Auto verification for phone_number are required when MFA is required/optional',
    )
  }
  checkTierFeatures(global)
  checkFirstFactors(global, regional)
  const schema = newSchema(input.Schema)
  await checkKey({ keyProvider, region }, global.KeyConfiguration)

  const form = (await canSealNewPool({ store, endpoints })) ? 'sealed' : undefined
  const pairs = await signingKeys.generate()
  const pool = `${region}_${randomText(clock, ALPHABET, ID_LENGTH)}`
  const dataKey = await keys.create(pool, global.KeyConfiguration?.KmsKeyArn ?? serviceKeyArn, form)
  await store.write(async (tx) => {
    // One lock for all creations, so that concurrent ones do not both pass the limit.
    await tx.lock('pool', { pool: '', key: ONLY })
    if ((await countRowsOfAllPools(tx.connection, 'pool')) >= LIMIT) {
      throw new CognitoError('LimitExceededException', `Number of user pools exceeds the limit of ${LIMIT}.`)
    }
    const topology: Topology = { primary: region, epoch: 1 }
    await tx.insert('topology', { pool, key: ONLY, body: JSON.stringify(topology) })
    await dataKey.write(tx)
    await writeSigningKeys(tx, { pool: { id: pool }, cipher: dataKey.cipher }, pairs)
    await putSettings(tx, pool, regional)
    const document: PoolDocument = {
      Name: input.PoolName,
      ...global,
      SchemaAttributes: schema,
      AliasAttributes: input.AliasAttributes,
      UsernameAttributes: input.UsernameAttributes,
      UsernameConfiguration: input.UsernameConfiguration,
      smsMfa: global.MfaConfiguration !== 'OFF',
      created: tx.now,
      modified: tx.now,
      ...(form && { form }),
    }
    await putPool(tx, { pool: { id: pool }, cipher: dataKey.cipher }, document)
  })
  notePool(pool)
  return pool
}
