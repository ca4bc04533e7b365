import { CancelKeyDeletion } from './operations/CancelKeyDeletion.ts'
import { CreateAlias } from './operations/CreateAlias.ts'
import { CreateKey } from './operations/CreateKey.ts'
import { Decrypt } from './operations/Decrypt.ts'
import { DescribeKey } from './operations/DescribeKey.ts'
import { DisableKey } from './operations/DisableKey.ts'
import { EnableKey } from './operations/EnableKey.ts'
import { Encrypt } from './operations/Encrypt.ts'
import { GenerateDataKey } from './operations/GenerateDataKey.ts'
import { GenerateDataKeyWithoutPlaintext } from './operations/GenerateDataKeyWithoutPlaintext.ts'
import { GetKeyPolicy } from './operations/GetKeyPolicy.ts'
import { ListAliases } from './operations/ListAliases.ts'
import { ListKeys } from './operations/ListKeys.ts'
import { PutKeyPolicy } from './operations/PutKeyPolicy.ts'
import { ReplicateKey } from './operations/ReplicateKey.ts'
import { ScheduleKeyDeletion } from './operations/ScheduleKeyDeletion.ts'
import type { OperationName } from './shapes.generated.ts'
import type { Handler } from './types.ts'

export const operations: { [Name in OperationName]: Handler<Name> } = {
  CancelKeyDeletion,
  CreateAlias,
  CreateKey,
  Decrypt,
  DescribeKey,
  DisableKey,
  EnableKey,
  Encrypt,
  GenerateDataKey,
  GenerateDataKeyWithoutPlaintext,
  GetKeyPolicy,
  ListAliases,
  ListKeys,
  PutKeyPolicy,
  ReplicateKey,
  ScheduleKeyDeletion,
}

/** Operations of AWS KMS that user pools do not need; they return NotImplementedException. */
export const notImplemented: ReadonlySet<string> = new Set([
  'ConnectCustomKeyStore',
  'CreateCustomKeyStore',
  'CreateGrant',
  'Decapsulate',
  'DeleteAlias',
  'DeleteCustomKeyStore',
  'DeleteImportedKeyMaterial',
  'DeriveSharedSecret',
  'DescribeCustomKeyStores',
  'DisableKeyRotation',
  'DisconnectCustomKeyStore',
  'EnableKeyRotation',
  'Encapsulate',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateMac',
  'GenerateRandom',
  'GetKeyLastUsage',
  'GetKeyRotationStatus',
  'GetParametersForImport',
  'GetPublicKey',
  'ImportKeyMaterial',
  'ListGrants',
  'ListKeyPolicies',
  'ListKeyRotations',
  'ListResourceTags',
  'ListRetirableGrants',
  'ReEncrypt',
  'RetireGrant',
  'RevokeGrant',
  'RotateKeyOnDemand',
  'Sign',
  'TagResource',
  'UntagResource',
  'UpdateAlias',
  'UpdateCustomKeyStore',
  'UpdateKeyDescription',
  'UpdatePrimaryRegion',
  'Verify',
  'VerifyMac',
])
