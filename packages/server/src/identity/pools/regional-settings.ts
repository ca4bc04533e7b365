import type {
  EmailConfigurationType,
  LambdaConfigType,
  SmsConfigurationType,
  UpdateUserPoolCommandInput,
  UserPoolTierType,
} from '@aws-sdk/client-cognito-identity-provider'
import type { RegionalSetting, RegionalSettings } from '../../directory/pool.ts'
import { invalidParameter } from '../../errors.ts'
import { checkTier } from './settings.ts'
import { checkPoolTags } from './tags.ts'

/**
 * Parses the settings that each region of a pool stores for itself.
 * Throws InvalidParameterException, UserPoolTaggingException, FeatureUnavailableInTierException.
 */
export function parseRegionalSettings(
  input: Pick<UpdateUserPoolCommandInput, RegionalSetting>,
  { tier, region }: { tier: UserPoolTierType; region: string },
): Required<Pick<RegionalSettings, 'EmailConfiguration' | 'LambdaConfig' | 'UserPoolTags'>> & RegionalSettings {
  return {
    EmailConfiguration: parseEmailConfiguration(input.EmailConfiguration),
    SmsConfiguration: parseSmsConfiguration(input.SmsConfiguration, region),
    LambdaConfig: parseLambdaConfig(input.LambdaConfig, tier),
    UserPoolTags: checkPoolTags(input.UserPoolTags),
  }
}

function parseEmailConfiguration(given: EmailConfigurationType = {}): EmailConfigurationType {
  const { EmailSendingAccount = 'COGNITO_DEFAULT', SourceArn } = given
  if (EmailSendingAccount === 'DEVELOPER' && SourceArn === undefined) {
    throw invalidParameter('SourceArn is required when EmailSendingAccount is DEVELOPER.')
  }
  return { ...given, EmailSendingAccount }
}

const ROLE = /^arn:aws[\w-]*:iam::\d{12}:role\/.+$/

/** Messages go through SNS or through End User Messaging; both need a role. */
export function parseSmsConfiguration(
  given: SmsConfigurationType | undefined,
  region: string,
): SmsConfigurationType | undefined {
  if (!given) return undefined
  const { SnsCallerArn, EumsSms } = given
  if ((SnsCallerArn === undefined) === (EumsSms === undefined)) {
    throw invalidParameter('SmsConfiguration needs either SnsCallerArn or EumsSms.')
  }
  const role = SnsCallerArn ?? EumsSms?.CallerArn ?? ''
  if (!ROLE.test(role)) throw invalidParameter(`Invalid SMS role ARN: ${role}`)
  if (EumsSms?.Region !== undefined && EumsSms.Region !== region) {
    throw invalidParameter('The Region of EumsSms must be the Region of the user pool.')
  }
  return SnsCallerArn === undefined ? given : { ...given, SnsRegion: given.SnsRegion ?? region }
}

/** The pre-token trigger has a legacy member and a newer one with an event version; the API returns both. */
function parseLambdaConfig(given: LambdaConfigType = {}, tier: UserPoolTierType): LambdaConfigType {
  const { PreTokenGeneration, PreTokenGenerationConfig, KMSKeyID, CustomEmailSender, CustomSMSSender } = given
  const arn = PreTokenGenerationConfig?.LambdaArn ?? PreTokenGeneration
  if (arn !== (PreTokenGeneration ?? arn)) {
    throw invalidParameter('PreTokenGeneration and PreTokenGenerationConfig must have the same Lambda ARN.')
  }
  if ((CustomEmailSender || CustomSMSSender) && KMSKeyID === undefined) {
    throw invalidParameter('KMSKeyID is required when CustomEmailSender or CustomSMSSender is set.')
  }
  const version = PreTokenGenerationConfig?.LambdaVersion ?? 'V1_0'
  checkTier(tier, [['ESSENTIALS', version !== 'V1_0', 'Access token customization']])
  return {
    ...given,
    ...(arn !== undefined && {
      PreTokenGeneration: arn,
      PreTokenGenerationConfig: { LambdaVersion: version, LambdaArn: arn },
    }),
  }
}
