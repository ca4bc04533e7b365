import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  AdminAddUserToGroupCommand,
  AdminDeleteUserCommand,
  AdminDisableUserCommand,
  AdminEnableUserCommand,
  AdminUserGlobalSignOutCommand,
  CreateGroupCommand,
  type CreateGroupCommandInput,
  type CreateUserPoolClientCommandInput,
  GlobalSignOutCommand,
  UpdateUserPoolCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, type RunningRegion, startRegions } from '@twinpool/testing/regions'
import { JwtVerifier } from 'aws-jwt-verify'
import { systemClock } from '../../../clock.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const notAuthorized = (message: string) => ({ name: 'NotAuthorizedException', message })

const partOf = (token: string, at: number): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[at] as string, 'base64url').toString())
const headerOf = (token: string) => partOf(token, 0)
const claimsOf = (token: string) => partOf(token, 1)

for (const engine of engines) {
  describe(`tokens on ${engine}`, () => {
    let plane: Plane
    let region: RunningRegion
    let pool: string
    let client: TestClient
    let wound = 0
    let users = 0

    before(async () => {
      const clock = { ...systemClock, now: () => systemClock.now() + wound }
      plane = await startRegions({ engine, regions: ['us-west-2'], clock })
      region = plane.primary
      pool = await createPool(region, {
        Schema: [{ Name: 'shoe', AttributeDataType: 'Number', Mutable: true }],
      })
      client = await createClient(region, pool)
    })
    after(() => plane.stop())
    afterEach(() => {
      wound = 0
    })

    const newUser = async (attributes: { Name: string; Value: string }[] = []) => {
      users += 1
      const username = `user${users}`
      return { username, sub: await createUser(region, pool, { username, attributes }) }
    }
    const read = async (path: string) => {
      const response = await fetch(`${region.endpoint}/${path}`)
      return { response, body: (await response.json()) as Record<string, unknown> }
    }
    const readJwks = async (of = pool) =>
      (await read(`${of}/.well-known/jwks.json`)).body as { keys: { kid: string; n: string }[] }

    it('an access token has exactly the claims of a sign-in through the API', async () => {
      const { username, sub } = await newUser()
      const { AccessToken } = await people(region).signIn(client, { username })
      assert.deepEqual(Object.keys(headerOf(AccessToken)).sort(), ['alg', 'kid'])
      assert.equal(headerOf(AccessToken).alg, 'RS256')
      const { jti, origin_jti, event_id, auth_time, iat, exp, ...rest } = claimsOf(AccessToken)
      assert.deepEqual(rest, {
        sub,
        iss: `${region.endpoint}/${pool}`,
        client_id: client.id,
        token_use: 'access',
        scope: 'aws.cognito.signin.user.admin',
        username,
      })
      for (const id of [jti, origin_jti, event_id]) assert.match(id as string, UUID)
      for (const time of [auth_time, iat, exp]) assert.ok(Number.isInteger(time))
      assert.equal(exp, (iat as number) + 3_600)
      // A sign-in may end in the next second.
      assert.ok((auth_time as number) <= (iat as number) && (auth_time as number) > (iat as number) - 60)
    })

    it('an ID token has exactly its claims and the attributes that the client may read, in their forms', async () => {
      const { username, sub } = await newUser([
        { Name: 'email', Value: 'one@example.com' },
        { Name: 'email_verified', Value: 'true' },
        { Name: 'address', Value: '1 High Street' },
        { Name: 'updated_at', Value: '1700000000' },
        { Name: 'custom:shoe', Value: '42' },
      ])
      const common = {
        sub,
        iss: `${region.endpoint}/${pool}`,
        aud: client.id,
        token_use: 'id',
        'cognito:username': username,
        email: 'one@example.com',
        email_verified: true,
        address: { formatted: '1 High Street' },
        updated_at: 1_700_000_000,
      }
      const { AccessToken, IdToken } = await people(region).signIn(client, { username })
      const { jti, origin_jti, event_id, auth_time, iat, exp, ...rest } = claimsOf(IdToken)
      assert.deepEqual(rest, common)
      const access = claimsOf(AccessToken)
      assert.deepEqual([origin_jti, event_id, auth_time], [access.origin_jti, access.event_id, access.auth_time])
      assert.notEqual(jti, access.jti)
      assert.equal(exp, (iat as number) + 3_600)
      assert.notEqual(headerOf(IdToken).kid, headerOf(AccessToken).kid)

      const narrow = await createClient(region, pool, { ReadAttributes: ['custom:shoe'] })
      const narrowed = claimsOf((await people(region).signIn(narrow, { username })).IdToken)
      assert.equal(narrowed['custom:shoe'], '42')
      assert.equal(narrowed.email, undefined)
    })

    describe('groups', () => {
      const inGroups = async (groups: Omit<CreateGroupCommandInput, 'UserPoolId'>[]) => {
        const { username } = await newUser()
        for (const { GroupName, ...rest } of groups) {
          const name = `${GroupName}-${username}`
          await region.cognito.send(new CreateGroupCommand({ UserPoolId: pool, GroupName: name, ...rest }))
          await region.cognito.send(
            new AdminAddUserToGroupCommand({ UserPoolId: pool, GroupName: name, Username: username }),
          )
        }
        const { AccessToken, IdToken } = await people(region).signIn(client, { username })
        return { access: claimsOf(AccessToken), id: claimsOf(IdToken), username }
      }
      const role = (name: string) => `arn:aws:iam::000000000000:role/${name}`

      it('are listed in the order of their precedence, with their roles', async () => {
        const { access, id, username } = await inGroups([
          { GroupName: 'a' },
          { GroupName: 'b', Precedence: 7, RoleArn: role('b') },
          { GroupName: 'c', Precedence: 0, RoleArn: role('c') },
        ])
        const groups = [`c-${username}`, `b-${username}`, `a-${username}`]
        assert.deepEqual(access['cognito:groups'], groups)
        assert.deepEqual(id['cognito:groups'], groups)
        assert.deepEqual(id['cognito:roles'], [role('c'), role('b')])
        assert.equal(id['cognito:preferred_role'], role('c'))
        assert.equal(access['cognito:roles'], undefined)
      })

      it('of the same precedence set a preferred role only if their roles are equal', async () => {
        const one = { Precedence: 1, RoleArn: role('one') }
        const same = await inGroups([
          { GroupName: 'a', ...one },
          { GroupName: 'b', ...one },
        ])
        assert.deepEqual(same.id['cognito:roles'], [role('one')])
        assert.equal(same.id['cognito:preferred_role'], role('one'))
        const tied = await inGroups([
          { GroupName: 'a', ...one },
          { GroupName: 'b', Precedence: 1, RoleArn: role('two') },
        ])
        assert.deepEqual(tied.id['cognito:roles'], [role('one'), role('two')])
        assert.equal(tied.id['cognito:preferred_role'], undefined)
      })
    })

    it('live as long as the client configures', async () => {
      const settings: Partial<CreateUserPoolClientCommandInput> = {
        AccessTokenValidity: 10,
        IdTokenValidity: 1,
        RefreshTokenValidity: 2,
        TokenValidityUnits: { AccessToken: 'minutes', IdToken: 'days', RefreshToken: 'hours' },
      }
      const brief = await createClient(region, pool, settings)
      const { username } = await newUser()
      const { AccessToken, IdToken, RefreshToken } = await people(region).signIn(brief, { username })
      const life = (token: string) => (claimsOf(token).exp as number) - (claimsOf(token).iat as number)
      assert.equal(life(AccessToken), 600)
      assert.equal(life(IdToken), 86_400)
      wound = 3_599_000 * 2
      assert.ok((await people(region).refresh(brief, RefreshToken)).AccessToken)
      await assert.rejects(people(region).getUser(AccessToken), notAuthorized('Access Token has expired'))
      wound = 3_601_000 * 2
      await assert.rejects(people(region).refresh(brief, RefreshToken), notAuthorized('Refresh Token has expired'))
    })

    it('have no origin_jti where they cannot be revoked, but a sign-out still ends them', async () => {
      const lasting = await createClient(region, pool, { EnableTokenRevocation: false })
      const { username } = await newUser()
      const { AccessToken, IdToken } = await people(region).signIn(lasting, { username })
      assert.equal(claimsOf(AccessToken).origin_jti, undefined)
      assert.equal(claimsOf(IdToken).origin_jti, undefined)
      await people(region).getUser(AccessToken)
      await region.cognito.send(new GlobalSignOutCommand({ AccessToken }))
      await assert.rejects(people(region).getUser(AccessToken), notAuthorized('Access Token has been revoked'))
      await people(region).getUser((await people(region).signIn(lasting, { username })).AccessToken)
    })

    describe('discovery', () => {
      it('shows the two public keys, and never a private key', async () => {
        const { response, body } = await read(`${pool}/.well-known/jwks.json`)
        assert.equal(response.status, 200)
        assert.match(response.headers.get('content-type') ?? '', /^application\/json/)
        assert.equal(response.headers.get('access-control-allow-origin'), '*')
        assert.match(response.headers.get('cache-control') ?? '', /max-age=\d+/)
        const keys = body.keys as Record<string, string>[]
        assert.equal(keys.length, 2)
        for (const key of keys) {
          assert.deepEqual(Object.keys(key).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use'])
          assert.deepEqual([key.alg, key.e, key.kty, key.use], ['RS256', 'AQAB', 'RSA', 'sig'])
          assert.equal(Buffer.from(key.n as string, 'base64url').length, 256)
        }
      })

      it('names the issuer that tokens name', async () => {
        const { response, body } = await read(`${pool}/.well-known/openid-configuration`)
        assert.equal(response.status, 200)
        assert.equal(body.issuer, `${region.endpoint}/${pool}`)
        assert.equal(body.jwks_uri, `${body.issuer}/.well-known/jwks.json`)
      })

      it('returns 404 for a pool that does not exist', async () => {
        for (const path of ['us-west-2_Missing99', 'nothing', '%00_x', '..%2f']) {
          for (const document of ['jwks.json', 'openid-configuration']) {
            const { response } = await read(`${path}/.well-known/${document}`)
            assert.equal(response.status, 404, path)
            assert.equal(response.headers.get('cache-control'), 'no-store')
          }
        }
      })
    })

    it('pass the generic verifier of aws-jwt-verify, and foreign tokens do not', async () => {
      const { username, sub } = await newUser()
      const { AccessToken, IdToken } = await people(region).signIn(client, { username })
      const jwksUri = `${region.endpoint}/${pool}/.well-known/jwks.json`
      const issuer = claimsOf(AccessToken).iss as string
      const verifier = (audience: string | null, jwks: unknown) => {
        const made = JwtVerifier.create({ issuer, audience, jwksUri })
        made.cacheJwks(jwks as never)
        return made
      }
      const jwks = await readJwks()
      assert.equal(verifier(client.id, jwks).verifySync(IdToken).sub, sub)
      assert.equal(verifier(null, jwks).verifySync(AccessToken).sub, sub)
      const other = await readJwks(await createPool(region))
      assert.throws(() => verifier(null, other).verifySync(AccessToken))
    })

    describe('are refused by the service', () => {
      const tampered = (token: string, change: Record<string, unknown>): string => {
        const [header, , signature] = token.split('.')
        const payload = Buffer.from(JSON.stringify({ ...claimsOf(token), ...change })).toString('base64url')
        return `${header}.${payload}.${signature}`
      }

      it('when they are not access tokens', async () => {
        const { IdToken, RefreshToken } = await people(region).signIn(client, await newUser())
        for (const token of [IdToken, RefreshToken, 'nonsense', 'a.b.c', 'e30.e30.e30', '...']) {
          await assert.rejects(people(region).getUser(token), notAuthorized('Invalid Access Token'))
        }
      })

      it('when any part was changed', async () => {
        const { AccessToken } = await people(region).signIn(client, await newUser())
        const victim = await newUser()
        const unsigned = notAuthorized('Could not verify signature for Access Token')
        for (const change of [
          { sub: victim.sub, username: victim.username },
          { exp: 9_999_999_999 },
          { iss: `${region.endpoint}/us-west-2_Missing99` },
          { iss: 'http://[/\u0000' },
        ]) {
          await assert.rejects(people(region).getUser(tampered(AccessToken, change)), unsigned)
        }
        const [header, payload, signature = ''] = AccessToken.split('.')
        const flipped = Buffer.from(signature, 'base64url')
        flipped.writeUInt8(flipped.readUInt8(100) ^ 1, 100)
        await assert.rejects(people(region).getUser(`${header}.${payload}.${flipped.toString('base64url')}`), unsigned)
        await assert.rejects(people(region).getUser(`${header}.${payload}.AA`), unsigned)
      })

      it('when their header names no algorithm or another one', async () => {
        const { AccessToken } = await people(region).signIn(client, await newUser())
        const { kid } = headerOf(AccessToken)
        const { n = '' } = (await readJwks()).keys[0] ?? {}
        const payload = AccessToken.split('.')[1]
        for (const alg of ['none', 'HS256', 'RS512']) {
          const head = Buffer.from(JSON.stringify({ kid, alg })).toString('base64url')
          const mac = createHmac('sha256', Buffer.from(n, 'base64url')).update(`${head}.${payload}`).digest('base64url')
          await assert.rejects(
            people(region).getUser(`${head}.${payload}.${mac}`),
            notAuthorized('Invalid Access Token'),
          )
        }
      })

      it('when another pool issued them, with its keys', async () => {
        const elsewhere = await createPool(region)
        const theirs = await createClient(region, elsewhere)
        await createUser(region, elsewhere, { username: 'stranger' })
        const { AccessToken } = await people(region).signIn(theirs, { username: 'stranger' })
        await people(region).getUser(AccessToken)
        await assert.rejects(
          people(region).getUser(tampered(AccessToken, { iss: `${region.endpoint}/${pool}` })),
          notAuthorized('Could not verify signature for Access Token'),
        )
      })

      it('when they have expired', async () => {
        const { AccessToken } = await people(region).signIn(client, await newUser())
        wound = 3_599_000
        await people(region).getUser(AccessToken)
        wound = 3_601_000
        await assert.rejects(people(region).getUser(AccessToken), notAuthorized('Access Token has expired'))
      })

      it('when the user is disabled, and after the user is enabled again', async () => {
        const { username } = await newUser()
        const { AccessToken, RefreshToken } = await people(region).signIn(client, { username })
        await region.cognito.send(new AdminDisableUserCommand({ UserPoolId: pool, Username: username }))
        await assert.rejects(people(region).getUser(AccessToken), { name: 'NotAuthorizedException' })
        await assert.rejects(people(region).refresh(client, RefreshToken), { name: 'NotAuthorizedException' })
        await region.cognito.send(new AdminEnableUserCommand({ UserPoolId: pool, Username: username }))
        await assert.rejects(people(region).getUser(AccessToken), notAuthorized('Access Token has been revoked'))
        await assert.rejects(
          people(region).refresh(client, RefreshToken),
          notAuthorized('Refresh Token has been revoked'),
        )
      })

      it('when the user has been deleted', async () => {
        const { username } = await newUser()
        const { AccessToken, RefreshToken } = await people(region).signIn(client, { username })
        await region.cognito.send(new AdminDeleteUserCommand({ UserPoolId: pool, Username: username }))
        await assert.rejects(people(region).getUser(AccessToken), {
          name: 'UserNotFoundException',
          message: 'User does not exist.',
        })
        await assert.rejects(
          people(region).refresh(client, RefreshToken),
          notAuthorized('Refresh Token has been revoked'),
        )
      })
    })

    it('a sign-out ends all tokens issued before it, and none issued after it', async () => {
      const { username } = await newUser()
      const bystander = await people(region).signIn(client, await newUser())
      for (const how of ['user', 'admin'] as const) {
        const [one, two] = [
          await people(region).signIn(client, { username }),
          await people(region).signIn(client, { username }),
        ]
        await (how === 'user'
          ? region.cognito.send(new GlobalSignOutCommand({ AccessToken: one.AccessToken }))
          : region.cognito.send(new AdminUserGlobalSignOutCommand({ UserPoolId: pool, Username: username })))
        for (const { AccessToken, RefreshToken } of [one, two]) {
          await assert.rejects(people(region).getUser(AccessToken), notAuthorized('Access Token has been revoked'))
          await assert.rejects(
            people(region).refresh(client, RefreshToken),
            notAuthorized('Refresh Token has been revoked'),
          )
        }
        const fresh = await people(region).signIn(client, { username })
        await people(region).getUser(fresh.AccessToken)
        await people(region).getUser((await people(region).refresh(client, fresh.RefreshToken)).AccessToken)
      }
      await people(region).getUser(bystander.AccessToken)
    })

    it('signing out a user who does not exist is an error', async () => {
      await assert.rejects(
        region.cognito.send(new AdminUserGlobalSignOutCommand({ UserPoolId: pool, Username: 'nobody' })),
        { name: 'UserNotFoundException' },
      )
    })

    it('of a pool whose issuer was switched are valid under both names', async () => {
      const { username } = await newUser()
      const switched = await createPool(region)
      const theirs = await createClient(region, switched)
      await createUser(region, switched, { username })
      const before = await people(region).signIn(theirs, { username })
      await region.cognito.send(
        new UpdateUserPoolCommand({ UserPoolId: switched, IssuerConfiguration: { Type: 'UPDATED' } }),
      )
      const after = await people(region).signIn(theirs, { username })
      assert.equal(claimsOf(after.AccessToken).iss, `${region.region.context.issuerBase}/${switched}`)
      await people(region).getUser(before.AccessToken)
      await people(region).getUser(after.AccessToken)
    })
  })
}
