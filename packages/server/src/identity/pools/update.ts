import { isDeepStrictEqual } from 'node:util'
import type { UpdateUserPoolCommandInput } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { lockPool, lockSettings, type Pool, type PoolDocument, putPool, putSettings } from '../../directory/pool.ts'
import { listReplicas } from '../../directory/replica.ts'
import { CognitoError, invalidParameter } from '../../errors.ts'
import { localArn } from '../../keys/pool-keys.ts'
import type { Transaction } from '../../store/write.ts'
import { checkKey } from './kms-key.ts'
import { parseRegionalSettings } from './regional-settings.ts'
import {
  allowsRegistration,
  checkTierFeatures,
  GLOBAL_SETTINGS,
  type GlobalSettings,
  hasSecondFactor,
  parseGlobalSettings,
  passkeysAreMfa,
} from './settings.ts'

type UpdateContext = Pick<Context, 'store' | 'keys' | 'keyProvider' | 'serviceKeyArn' | 'region'>

/**
 * Replaces the settings of a pool: all settings in the primary region, only regional settings in a secondary region.
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
  const replaced = parseGlobalSettings(input)
  const regional = parseRegionalSettings(input, { tier: replaced.UserPoolTier ?? 'ESSENTIALS', region })
  const key = replaced.KeyConfiguration?.KmsKeyArn
  await checkKey(context, replaced.KeyConfiguration)
  const hasOtherKey = ({ KeyConfiguration }: PoolDocument): boolean => {
    const before = KeyConfiguration?.KmsKeyArn
    return (before && localArn(before, region)) !== key
  }
  const rewrapped = hasOtherKey(pool.document) ? await keys.rewrap(id, key ?? serviceKeyArn) : undefined
  await store.write(async (tx) => {
    const present = await lockPool(tx, openPool)
    const document: PoolDocument = {
      ...present,
      ...replaced,
      Name: input.PoolName ?? present.Name,
      DcrConfiguration: replaced.DcrConfiguration ?? present.DcrConfiguration,
      smsMfa: replaced.MfaConfiguration !== 'OFF' && regional.SmsConfiguration !== undefined,
      modified: tx.now,
    }
    if (document.MfaConfiguration !== 'OFF' && !hasSecondFactor(document)) {
      throw invalidParameter(
        'SMS configuration and Auto verification for phone_number are required when MFA is required/optional',
      )
    }
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
    await lockSettings(tx, pool)
    await putSettings(tx, id, { ...regional, modified: tx.now })
  })
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
  const global = parseGlobalSettings(input)
  const DcrConfiguration = global.DcrConfiguration ?? document.DcrConfiguration
  const differing = differences(context, document, { ...global, DcrConfiguration })
  if (input.PoolName !== undefined && input.PoolName !== document.Name) differing.unshift('PoolName')
  if (differing.length > 0) throw globalDiffers(differing)
  const regional = parseRegionalSettings(input, { tier: document.UserPoolTier ?? 'ESSENTIALS', region })
  await store.write(async (tx) => {
    await lockSettings(tx, pool)
    await putSettings(tx, pool.id, { ...regional, modified: tx.now })
  })
}

/** The names of global settings that differ. The ARNs of one multi-Region key in two regions count as equal. */
function differences({ region }: Pick<Context, 'region'>, present: GlobalSettings, given: GlobalSettings): string[] {
  const comparable = (settings: GlobalSettings, name: keyof GlobalSettings): unknown => {
    const arn = name === 'KeyConfiguration' ? settings.KeyConfiguration?.KmsKeyArn : undefined
    const value = arn === undefined ? settings[name] : localArn(arn, region)
    return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
  }
  return GLOBAL_SETTINGS.filter((name) => !isDeepStrictEqual(comparable(present, name), comparable(given, name)))
}

/** The error of a call that would change global settings in a secondary region. */
export const globalDiffers = (members: readonly string[]): CognitoError =>
  invalidParameter(
    `${members.join(', ')} can be changed only in the primary Region of the user pool and must have the current value.`,
  )
