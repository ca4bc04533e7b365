/** The KMS key of a pool is disabled. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { AdminGetUserCommand } from '@aws-sdk/client-cognito-identity-provider'
import { CreateKeyCommand, DisableKeyCommand, EnableKeyCommand } from '@aws-sdk/client-kms'
import { createPool, createUser } from '@twinpool/testing/pools'
import { type ServedRegion, serveRegion } from '@twinpool/testing/served-region'

describe('a key that is disabled', () => {
  let region: ServedRegion

  before(async () => {
    region = await serveRegion()
  })
  after(() => region?.stop())

  it('stops its pool, but no other pool, with a 500 that the log explains, for as long as it is disabled', async () => {
    const { KeyMetadata } = await region.kms.send(new CreateKeyCommand({}))
    const KeyId = KeyMetadata?.KeyId as string
    const withKey = await createPool(region, {
      KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: KeyMetadata?.Arn as string },
    })
    const without = await createPool(region)
    for (const pool of [withKey, without]) await createUser(region, pool, { username: 'ada' })
    const find = (UserPoolId: string) => region.cognito.send(new AdminGetUserCommand({ UserPoolId, Username: 'ada' }))

    await region.kms.send(new DisableKeyCommand({ KeyId }))
    await assert.rejects(find(withKey), {
      name: 'InternalErrorException',
      message: 'The KMS key of the user pool cannot be used.',
    })
    await region.logged(new RegExp(`"operation":"AdminGetUser".*key/${KeyId}`))
    assert.equal((await find(without)).Username, 'ada')
    // The region is healthy: the owner of a key may disable it.
    assert.equal((await region.health()).code, 200)

    await region.kms.send(new EnableKeyCommand({ KeyId }))
    assert.equal((await find(withKey)).Username, 'ada')
  })
})
