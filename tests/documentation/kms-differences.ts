/**
 * The differences between the documented examples of KMS and this service, by name, each with its reason. The list is exact: a
 * difference that is not listed fails the test, and so does a listed one that no longer exists.
 */
import type { CreateKeyCommandInput } from '@aws-sdk/client-kms'

interface KmsDifferences {
  /** The example presumes a key of this kind, which cannot be created: it is not played. */
  presumes?: CreateKeyCommandInput
  /** Differences of the output, as comparison.ts names them, and why. */
  output?: Record<string, string>
}

const NEWER = 'the member is newer than the example; the service returns it'
const SERVICES = 'an alias of another AWS service'

const RSA = { presumes: { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' } } as const

export const kmsDifferences: Record<string, KmsDifferences> = {
  'SDK Decrypt: To decrypt data with an asymmetric encryption KMS key': RSA,
  'SDK DescribeKey: To get details about a KMS key in an AWS CloudHSM key store': {
    presumes: { Origin: 'AWS_CLOUDHSM', CustomKeyStoreId: 'cks-1234567890abcdef0' },
  },
  'SDK DescribeKey: To get details about a KMS key in an external key store': {
    presumes: { Origin: 'EXTERNAL_KEY_STORE', CustomKeyStoreId: 'cks-1234567890abcdef0', XksKeyId: 'bb8562717f809024' },
  },
  'SDK DescribeKey: To get details about a multi-Region key': {
    output: {
      'KeyMetadata.KeySpec (added)': NEWER,
      'KeyMetadata.MultiRegionConfiguration.MultiRegionKeyType (other value)':
        'the example contradicts its own description: the key is a replica',
    },
  },
  'SDK DescribeKey: To get details about an HMAC KMS key': {
    presumes: { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
  },
  'SDK DescribeKey: To get details about an RSA asymmetric KMS key': {
    presumes: { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' },
  },
  'SDK Encrypt: To encrypt data with an asymmetric encryption KMS key': RSA,
  'SDK GetKeyPolicy: To retrieve a key policy': { output: { 'PolicyName (added)': NEWER } },
  'SDK ListAliases: To list aliases': {
    output: {
      ...Object.fromEntries(
        ['acm', 'ebs', 'rds', 'redshift', 's3'].map((name) => [`Aliases[alias/aws/${name}] (missing)`, SERVICES]),
      ),
      ...Object.fromEntries(
        ['example1', 'example2', 'example3'].flatMap((name) => [
          [`Aliases[alias/${name}].CreationDate (added)`, NEWER],
          [`Aliases[alias/${name}].LastUpdatedDate (added)`, NEWER],
        ]),
      ),
    },
  },
  'SDK ReplicateKey: To replicate a multi-Region key in a different AWS Region': {
    output: {
      'ReplicaKeyMetadata.CurrentKeyMaterialId (added)': NEWER,
      'ReplicaKeyMetadata.KeySpec (added)': NEWER,
      'ReplicaPolicy (other value)': 'the policy of the example is abridged',
    },
  },
}
