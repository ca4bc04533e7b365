import { isDeepStrictEqual } from 'node:util'
import type { KeyConfigurationType, UpdateUserPoolCommandInput } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import {
  lockPool,
  lockSettings,
  type Pool,
  type PoolDocument,
  putPool,
  putSettings,
  type RegionalSettings,
} from '../../directory/pool.ts'
import { listReplicas } from '../../directory/replica.ts'
import { CognitoError, invalidParameter } from '../../errors.ts'
import { localArn } from '../../keys/pool-keys.ts'
import type { Transaction } from '../../store/write.ts'
import { withKept } from '../omitted.ts'
import { checkKey } from './kms-key.ts'
import { POOL_ROWS } from './omitted.ts'
import { parseRegionalSettings } from './regional-settings.ts'
import {
  allowsRegistration,
  checkFirstFactors,
  checkTierFeatures,
  DEFAULT_RECOVERY,
  GLOBAL_SETTINGS,
  type GlobalSettings,
  hasSecondFactor,
  parseGlobalSettings,
  parseKeyConfiguration,
  passkeysAreMfa,
} from './settings.ts'

type UpdateContext = Pick<Context, 'store' | 'keys' | 'keyProvider' | 'serviceKeyArn' | 'region'>

/**
 * Replaces the settings of a pool: all settings in the primary region, only regional settings in a secondary region. Members
 * that the input leaves out are kept or reset: see omitted.ts.
 * Throws InvalidParameterException, FeatureUnavailableInTierException, TierChangeNotAllowedException,
 * UserPoolTaggingException, ConcurrentModificationException.
 */
export async function updatePool(
  context: UpdateContext,
  openPool: OpenPool,
  input: UpdateUserPoolCommandInput,
): Promise<void> {
  if (openPool.pool.role === 'PRIMARY') await updatePrimary(context, openPool, input)
  else await updateSecondary(context, openPool.pool, input)
}

async function updatePrimary(
  context: UpdateContext,
  openPool: OpenPool,
  input: UpdateUserPoolCommandInput,
): Promise<void> {
  const { store, keys, serviceKeyArn, region } = context
  const { pool } = openPool
  const { id } = pool
  const wanted = parseKeyConfiguration(input.KeyConfiguration)
  await checkKey(context, wanted)
  const hasOtherKey = (present: PoolDocument): boolean =>
    input.KeyConfiguration !== undefined && keyOf(context, present)?.KmsKeyArn !== wanted?.KmsKeyArn
  const rewrapped = hasOtherKey(pool.document) ? await keys.rewrap(id, wanted?.KmsKeyArn ?? serviceKeyArn) : undefined
  await store.write(async (tx) => {
    const present = await lockPool(tx, openPool)
    const settings = await lockSettings(tx, pool)
    const complete = completed(context, input, { document: present, settings })
    const replaced = parseGlobalSettings(complete)
    const regional = parseRegionalSettings(complete, { tier: replaced.UserPoolTier ?? 'ESSENTIALS', region })
    const document: PoolDocument = {
      ...present,
      ...replaced,
      Name: complete.PoolName ?? present.Name,
      smsMfa: replaced.MfaConfiguration !== 'OFF' && hasSmsMfa(present, { before: settings, after: regional }),
      modified: tx.now,
    }
    if (document.MfaConfiguration !== 'OFF' && !hasSecondFactor(document)) {
      throw invalidParameter(
        'SMS configuration and Auto verification for phone_number are required when MFA is required/optional',
      )
    }
    checkFirstFactors(document, regional)
    await checkTierChange(tx, id, { present, document })
    if (hasOtherKey(present)) {
      if ((await listReplicas(tx, id)).length > 0) {
        throw invalidParameter('KeyConfiguration cannot be changed while the user pool has a replica.')
      }
      if (!(await rewrapped?.write(tx))) {
        throw new CognitoError('ConcurrentModificationException', 'The user pool is being changed by another request.')
      }
    }
    await putPool(tx, openPool, document)
    await putSettings(tx, id, { ...regional, modified: tx.now })
  })
}

/** The input with the present values of the members that an update keeps. */
function completed(
  context: Pick<Context, 'region'>,
  input: UpdateUserPoolCommandInput,
  { document, settings }: Pick<Pool, 'document' | 'settings'>,
): UpdateUserPoolCommandInput {
  const { Name: PoolName, ...global } = document
  return withKept(POOL_ROWS, input, {
    ...global,
    ...settings,
    PoolName,
    KeyConfiguration: keyOf(context, document),
  })
}

/** The customer managed key of a pool, by its ARN in this region. */
function keyOf(
  { region }: Pick<Context, 'region'>,
  { KeyConfiguration: key }: Pick<PoolDocument, 'KeyConfiguration'>,
): KeyConfigurationType | undefined {
  return key && { ...key, KmsKeyArn: key.KmsKeyArn && localArn(key.KmsKeyArn, region) }
}

/** Text messages become a second factor with MFA or with SmsConfiguration, whichever comes last, unless SetUserPoolMfaConfig left them out. */
function hasSmsMfa(
  { MfaConfiguration, smsMfa }: PoolDocument,
  { before, after }: Record<'before' | 'after', RegionalSettings>,
): boolean {
  if (!after.SmsConfiguration) return false
  return MfaConfiguration === 'OFF' || !before.SmsConfiguration || smsMfa === true
}

async function checkTierChange(
  tx: Transaction,
  id: string,
  { present, document }: { present: PoolDocument; document: PoolDocument },
): Promise<void> {
  if (document.UserPoolTier === 'LITE' && present.UserPoolTier !== 'LITE') {
    const refused = (why: string): CognitoError =>
      new CognitoError('TierChangeNotAllowedException', `The tier cannot be changed to LITE while ${why}.`)
    if ((await listReplicas(tx, id)).length > 0) throw refused('the user pool has a replica')
    if (allowsRegistration(present) && allowsRegistration(document)) throw refused('dynamic client registration is on')
    if (document.emailMfa) throw refused('email MFA is configured')
    if (passkeysAreMfa(document)) throw refused('passkeys satisfy MFA requirements')
  }
  checkTierFeatures(document)
}

async function updateSecondary(context: UpdateContext, pool: Pool, input: UpdateUserPoolCommandInput): Promise<void> {
  const { store, region } = context
  const { document } = pool
  await store.write(async (tx) => {
    const settings = await lockSettings(tx, pool)
    const complete = completed(context, input, { document, settings })
    const differing = differences(context, document, parseGlobalSettings(complete))
    if (complete.PoolName !== document.Name) differing.unshift('PoolName')
    if (differing.length > 0) throw globalDiffers(differing)
    const regional = parseRegionalSettings(complete, { tier: document.UserPoolTier ?? 'ESSENTIALS', region })
    await putSettings(tx, pool.id, { ...regional, modified: tx.now })
  })
}

/** The names of global settings that differ. The ARNs of one multi-Region key in two regions count as equal. */
function differences(context: Pick<Context, 'region'>, present: GlobalSettings, given: GlobalSettings): string[] {
  const comparable = (settings: GlobalSettings, name: keyof GlobalSettings): unknown => {
    const value =
      name === 'KeyConfiguration'
        ? keyOf(context, settings)
        : name === 'AccountRecoverySetting'
          ? (settings.AccountRecoverySetting ?? DEFAULT_RECOVERY)
          : settings[name]
    return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
  }
  return GLOBAL_SETTINGS.filter((name) => !isDeepStrictEqual(comparable(present, name), comparable(given, name)))
}

/** The error of a call that would change global settings in a secondary region. */
export const globalDiffers = (members: readonly string[]): CognitoError =>
  invalidParameter(
    `${members.join(', ')} can be changed only in the primary Region of the user pool and must have the current value.`,
  )
