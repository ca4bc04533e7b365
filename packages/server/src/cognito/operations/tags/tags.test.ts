import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type CognitoIdentityProviderClient,
  DescribeUserPoolCommand,
  ListTagsForResourceCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { createPool } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'

const arnOf = (pool: string, region = 'us-west-2', account = '000000000000'): string =>
  `arn:aws:cognito-idp:${region}:${account}:userpool/${pool}`

for (const engine of engines) {
  describe(`tags on ${engine}`, () => {
    let plane: Plane
    let cognito: CognitoIdentityProviderClient
    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
      cognito = plane.primary.cognito
    })
    after(() => plane.stop())

    const tag = (ResourceArn: string, Tags: Record<string, string>) =>
      cognito.send(new TagResourceCommand({ ResourceArn, Tags }))
    const tagsOf = async (ResourceArn: string) =>
      (await cognito.send(new ListTagsForResourceCommand({ ResourceArn }))).Tags

    it('adds, replaces and removes tags of the pool', async () => {
      const pool = await createPool(plane.primary, { UserPoolTags: { team: 'a', stage: 'test' } })
      const arn = arnOf(pool)
      assert.deepEqual(await tagsOf(arn), { team: 'a', stage: 'test' })
      await tag(arn, { team: 'b', 'cost:center': '', 'ünïcode key': 'a/b=c+d-e@f' })
      assert.deepEqual(await tagsOf(arn), { team: 'b', stage: 'test', 'cost:center': '', 'ünïcode key': 'a/b=c+d-e@f' })
      await cognito.send(new UntagResourceCommand({ ResourceArn: arn, TagKeys: ['stage', 'cost:center', 'absent'] }))
      const { UserPool } = await cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool }))
      assert.deepEqual(UserPool?.UserPoolTags, { team: 'b', 'ünïcode key': 'a/b=c+d-e@f' })
    })

    it('allows 50 tags at most', async () => {
      const arn = arnOf(await createPool(plane.primary))
      const some = (from: number, count: number) =>
        Object.fromEntries(Array.from({ length: count }, (_, n) => [`key${from + n}`, '']))
      await tag(arn, some(0, 49))
      await assert.rejects(tag(arn, some(49, 2)), { name: 'InvalidParameterException' })
      await tag(arn, some(48, 2))
      assert.equal(Object.keys((await tagsOf(arn)) ?? {}).length, 50)
    })

    it('refuses the `aws:` prefix, control characters and keys that are too long', async () => {
      const arn = arnOf(await createPool(plane.primary))
      for (const key of ['aws:mine', 'AWS:mine', 'bell\u0007', 'k'.repeat(129), '']) {
        await assert.rejects(tag(arn, { [key]: 'value' }), { name: 'InvalidParameterException' }, key)
      }
      await assert.rejects(tag(arn, { key: 'v'.repeat(257) }), { name: 'InvalidParameterException' })
      assert.deepEqual(await tagsOf(arn), {})
    })

    it('finds a pool only by the ARN of this region and account', async () => {
      const pool = await createPool(plane.primary)
      const absent = { name: 'ResourceNotFoundException' }
      await assert.rejects(tagsOf(arnOf('us-west-2_nobodyhas')), absent)
      await assert.rejects(tagsOf(arnOf(pool, 'eu-west-1')), absent)
      await assert.rejects(tagsOf(arnOf(pool, 'us-west-2', '111111111111')), absent)
      await assert.rejects(tagsOf('arn:aws:s3:::a-bucket-of-some-name'), { name: 'InvalidParameterException' })
    })
  })
}
