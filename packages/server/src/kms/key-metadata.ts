import { hash } from 'node:crypto'
import type { KeyMetadata } from '@aws-sdk/client-kms'
import { holders, type KeyRecord } from '../keys/local/key-record.ts'
import type { LocalKeyRing } from '../keys/local/ring.ts'
import { localArn } from '../keys/pool-keys.ts'

/** A key as DescribeKey returns it in `region`. */
export function describeKey(
  { accountId, keyArn }: Pick<LocalKeyRing, 'accountId' | 'keyArn'>,
  record: KeyRecord,
  region: string,
): KeyMetadata {
  const { id, state, deletion, multiRegion } = record
  const describeLocation = (location: string) => ({ Arn: localArn(keyArn(id), location), Region: location })
  return {
    AWSAccountId: accountId,
    KeyId: id,
    Arn: localArn(keyArn(id), region),
    CreationDate: new Date(record.created),
    Enabled: state === 'Enabled',
    Description: record.description,
    KeyUsage: 'ENCRYPT_DECRYPT',
    KeyState: state,
    ...(deletion?.at != null && { DeletionDate: new Date(deletion.at) }),
    ...(deletion && state === 'PendingReplicaDeletion' && { PendingDeletionWindowInDays: deletion.days }),
    Origin: 'AWS_KMS',
    KeyManager: 'CUSTOMER',
    CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
    KeySpec: 'SYMMETRIC_DEFAULT',
    EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
    CurrentKeyMaterialId: materialIdOf(id),
    MultiRegion: multiRegion !== null,
    ...(multiRegion && {
      MultiRegionConfiguration: {
        MultiRegionKeyType: multiRegion.primary === region ? 'PRIMARY' : 'REPLICA',
        PrimaryKey: describeLocation(multiRegion.primary),
        ReplicaKeys: holders(multiRegion).map((replica) => describeLocation(replica.region)),
      },
    }),
  }
}

/** Keys are not rotated, so a key and its replicas have one material, and the id follows from that of the key. */
export const materialIdOf = (keyId: string): string => hash('sha256', `key material of ${keyId}`)
