import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConfigError, parseConfig } from './config.ts'

const config = (keys: unknown) =>
  parseConfig({
    region: 'us-west-2',
    store: { engine: 'sqlite', file: 'region.db' },
    credentials: [{ accessKeyId: 'AKIATWINPOOLTESTING0', secretAccessKey: 'x'.repeat(32) }],
    cluster: { secret: 'x'.repeat(32) },
    keys,
  })
const refused = (keys: unknown, what: RegExp) =>
  assert.throws(
    () => config(keys),
    (error) => error instanceof ConfigError && what.test(error.message),
  )

describe('the configuration of keys', () => {
  const masterKey = Buffer.alloc(32).toString('base64')
  const serviceKeyArn = 'arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'

  test('a local key ring has exactly one master key, of 32 bytes', () => {
    assert.deepEqual(config({ provider: 'local', masterKey }).keys, { provider: 'local', masterKey })
    config({ provider: 'local', masterKeyFile: 'master.key' })
    refused({ provider: 'local' }, /keys: exactly one of masterKey and masterKeyFile/)
    refused({ provider: 'local', masterKey, masterKeyFile: 'master.key' }, /keys: exactly one of/)
    refused({ provider: 'local', masterKey: 'c2hvcnQ=' }, /keys\.masterKey: 32 bytes in base64/)
  })

  test('AWS KMS keeps open what it has opened for 12 hours, unless told otherwise', () => {
    const keys = { provider: 'aws-kms', serviceKeyArn }
    assert.deepEqual(config(keys).keys, { ...keys, unwrappedForMinutes: 720 })
    config({ ...keys, unwrappedForMinutes: 5 })
    refused({ ...keys, unwrappedForMinutes: 4 }, /keys\.unwrappedForMinutes/)
    refused({ ...keys, masterKey }, /keys: .*masterKey/)
  })

  test('the service key is named by the ARN of a key of the region whose KMS is asked', () => {
    refused({ provider: 'aws-kms' }, /keys\.serviceKeyArn/)
    refused({ provider: 'aws-kms', serviceKeyArn: 'alias/pools' }, /keys\.serviceKeyArn: the ARN of a KMS key/)
    refused({ provider: 'aws-kms', serviceKeyArn: serviceKeyArn.replace('key/', 'alias/') }, /the ARN of a KMS key/)
    refused({ provider: 'aws-kms', serviceKeyArn, region: 'us-east-1' }, /a key of the region whose KMS is asked/)
    const east = serviceKeyArn.replace('us-west-2', 'us-east-1')
    refused({ provider: 'aws-kms', serviceKeyArn: east }, /a key of the region whose KMS is asked/)
    config({ provider: 'aws-kms', serviceKeyArn: east, region: 'us-east-1' })
  })
})
