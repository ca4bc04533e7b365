import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type CognitoIdentityProviderClient,
  CreateUserPoolDomainCommand,
  type CreateUserPoolDomainCommandInput,
  DeleteUserPoolDomainCommand,
  DescribeUserPoolCommand,
  DescribeUserPoolDomainCommand,
  type DomainDescriptionType,
  UpdateUserPoolDomainCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { createPool } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions, until } from '@twinpool/testing/regions'
import { createReplicatedPool } from '@twinpool/testing/replicas'

const CustomDomainConfig = { CertificateArn: 'arn:aws:acm:us-east-1:000000000000:certificate/1234' }
const Routing = { Failover: { SecondaryRegion: 'us-east-1', PrimaryRoute53HealthCheckId: 'check' } }
const P = 'InvalidParameterException'

const REFUSED: [what: string, input: Partial<CreateUserPoolDomainCommandInput>, message?: RegExp][] = [
  ['a reserved word', { Domain: 'my-cognito-pool' }, /reserved word: cognito/],
  ['AWS in a prefix', { Domain: 'laws' }, /reserved word: aws/],
  ['capital letters', { Domain: 'Upper' }],
  ['a hyphen at the end', { Domain: 'end-' }],
  ['dots without a certificate', { Domain: 'auth.example.com' }],
  ['a certificate without dots', { Domain: 'auth', CustomDomainConfig }],
  [
    'a certificate of another region',
    {
      Domain: 'auth.example.com',
      CustomDomainConfig: { CertificateArn: CustomDomainConfig.CertificateArn.replace('us-east-1', 'eu-west-1') },
    },
  ],
  [
    'an ARN that is not a certificate',
    {
      Domain: 'auth.example.com',
      CustomDomainConfig: { CertificateArn: 'arn:aws:iam::000000000000:server-certificate/x' },
    },
  ],
  ['failover of a prefix', { Domain: 'failing-over', Routing }],
  [
    'failover to a region without a replica',
    { Domain: 'auth.example.com', CustomDomainConfig, Routing },
    /no replica in us-east-1/,
  ],
  ['an unknown version', { Domain: 'version', ManagedLoginVersion: 3 }],
]

for (const engine of engines) {
  describe(`domains on ${engine}`, () => {
    let plane: Plane
    let cognito: CognitoIdentityProviderClient
    before(async () => {
      plane = await startRegions({ engine })
      cognito = plane.primary.cognito
    })
    after(() => plane.stop())

    const create = (UserPoolId: string, input: Partial<CreateUserPoolDomainCommandInput>, client = cognito) =>
      client.send(new CreateUserPoolDomainCommand({ UserPoolId, Domain: undefined, ...input }))
    const remove = (UserPoolId: string, Domain: string, client = cognito) =>
      client.send(new DeleteUserPoolDomainCommand({ UserPoolId, Domain }))
    const describeDomain = async (Domain: string, client = cognito): Promise<DomainDescriptionType> =>
      (await client.send(new DescribeUserPoolDomainCommand({ Domain }))).DomainDescription as DomainDescriptionType

    it('gives a pool a prefix', async () => {
      const pool = await createPool(plane.primary)
      const { $metadata: _, ...answer } = await create(pool, { Domain: 'a-prefix', ManagedLoginVersion: 2 })
      assert.deepEqual(answer, { ManagedLoginVersion: 2 })
      const { Version, ...shown } = await describeDomain('a-prefix')
      assert.match(Version ?? '', /^20\d{12}$/)
      assert.deepEqual(shown, {
        UserPoolId: pool,
        AWSAccountId: '000000000000',
        Domain: 'a-prefix',
        Status: 'ACTIVE',
        CustomDomainConfig: {},
        ManagedLoginVersion: 2,
      })
      const { UserPool } = await cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool }))
      assert.equal(UserPool?.Domain, 'a-prefix')
      assert.equal(UserPool?.CustomDomain, undefined)
    })

    it('gives a pool a custom domain beside the prefix', async () => {
      const pool = await createPool(plane.primary)
      await create(pool, { Domain: 'beside' })
      const answer = await create(pool, { Domain: 'beside.example.com', CustomDomainConfig })
      assert.equal(answer.ManagedLoginVersion, 1)
      const shown = await describeDomain('beside.example.com')
      assert.deepEqual(shown.CustomDomainConfig, CustomDomainConfig)
      assert.ok(answer.CloudFrontDomain)
      assert.equal(shown.CloudFrontDistribution, answer.CloudFrontDomain)
      const { UserPool } = await cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool }))
      assert.equal(UserPool?.CustomDomain, 'beside.example.com')
      await remove(pool, 'beside.example.com')
    })

    it('returns an empty description for a domain that does not exist', async () => {
      assert.deepEqual(await describeDomain('nobody-has-it'), {})
    })

    it('refuses invalid domains', async () => {
      const pool = await createPool(plane.primary)
      for (const [what, input, message] of REFUSED) {
        await assert.rejects(create(pool, input), { name: P, ...(message && { message }) }, what)
      }
    })

    it('belongs to one pool only, and a pool has one domain of each kind', async () => {
      const [one, other] = [await createPool(plane.primary), await createPool(plane.primary)]
      await create(one, { Domain: 'of-one' })
      await assert.rejects(create(other, { Domain: 'of-one' }), { name: P, message: /already associated/ })
      await assert.rejects(create(one, { Domain: 'second' }), { name: P, message: /already has a domain/ })
      await assert.rejects(remove(other, 'of-one'), { name: P, message: 'No such domain or user pool exists.' })
      await remove(one, 'of-one')
      await create(other, { Domain: 'of-one' })
    })

    it('needs Essentials or Plus for managed login', async () => {
      const pool = await createPool(plane.primary, { UserPoolTier: 'LITE' })
      const name = 'FeatureUnavailableInTierException'
      await assert.rejects(create(pool, { Domain: 'on-lite', ManagedLoginVersion: 2 }), { name })
      await create(pool, { Domain: 'on-lite' })
      const change = { UserPoolId: pool, Domain: 'on-lite', ManagedLoginVersion: 2 }
      await assert.rejects(cognito.send(new UpdateUserPoolDomainCommand(change)), { name })
    })

    it('allows four custom domains in a region at most', async () => {
      const made: [string, string][] = []
      for (let n = 0; n < 4; n += 1) {
        const pool = await createPool(plane.primary)
        await create(pool, { Domain: `n${n}.example.com`, CustomDomainConfig })
        made.push([pool, `n${n}.example.com`])
      }
      const fifth = await createPool(plane.primary)
      await assert.rejects(create(fifth, { Domain: 'n5.example.com', CustomDomainConfig }), {
        name: 'LimitExceededException',
      })
      for (const [pool, name] of made) await remove(pool, name)
    })

    describe('in two regions', () => {
      let pool: string
      let secondary: CognitoIdentityProviderClient
      before(async () => {
        secondary = plane.secondary.cognito
        pool = await createReplicatedPool(plane)
        await create(pool, { Domain: 'two.example.com', CustomDomainConfig, Routing })
      })

      it('describes a custom domain and its failover in both', async () => {
        assert.deepEqual((await describeDomain('two.example.com')).Routing, Routing)
        const shown = await until(async () => {
          const found = await describeDomain('two.example.com', secondary)
          return found.UserPoolId !== undefined && found
        })
        assert.deepEqual(shown.Routing, Routing)
      })

      it('changes given members, keeps the others, and ends the failover with an empty Routing', async () => {
        const update = (input: object) =>
          cognito.send(new UpdateUserPoolDomainCommand({ UserPoolId: pool, Domain: 'two.example.com', ...input }))
        await update({ ManagedLoginVersion: 2 })
        const shown = await describeDomain('two.example.com')
        assert.equal(shown.ManagedLoginVersion, 2)
        assert.deepEqual(shown.Routing, Routing)
        await update({ Routing: {} })
        assert.deepEqual((await describeDomain('two.example.com')).Routing, {})
        await assert.rejects(update({ Domain: 'another.example.com' }), { name: P })
      })

      it('has a separate prefix in each', async () => {
        await create(pool, { Domain: 'in-the-west' })
        await create(pool, { Domain: 'in-the-east' }, secondary)
        assert.equal((await describeDomain('in-the-east', secondary)).UserPoolId, pool)
        assert.deepEqual(await describeDomain('in-the-east'), {})
        assert.deepEqual(await describeDomain('in-the-west', secondary), {})
        await remove(pool, 'in-the-east', secondary)
        assert.deepEqual(await describeDomain('in-the-east', secondary), {})
      })

      it('refuses to create or change a custom domain in the secondary region', async () => {
        await assert.rejects(create(pool, { Domain: 'other.example.com', CustomDomainConfig }, secondary), { name: P })
        const change = { UserPoolId: pool, Domain: 'two.example.com', ManagedLoginVersion: 1 }
        await assert.rejects(secondary.send(new UpdateUserPoolDomainCommand(change)), { name: P })
        await assert.rejects(remove(pool, 'two.example.com', secondary), { name: 'OperationNotEnabledException' })
      })
    })
  })
}
