/** Users who try to take over a name that finds another user. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  AdminUpdateUserAttributesCommand,
  ConfirmSignUpCommand,
  SignUpCommand,
  UpdateUserAttributesCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser, PASSWORD, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'

for (const engine of engines) {
  describe(`names of other users, on ${engine}`, () => {
    let plane: Plane
    let UserPoolId: string
    let client: TestClient

    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
      UserPoolId = await createPool(plane.primary, {
        AliasAttributes: ['preferred_username', 'email', 'phone_number'],
        AutoVerifiedAttributes: ['email'],
      })
      client = await createClient(plane.primary, UserPoolId)
    })
    after(() => plane?.stop())

    const found = async (Username: string) =>
      (await plane.primary.cognito.send(new AdminGetUserCommand({ UserPoolId, Username }))).Username

    test('a sign-up that takes over its address takes no preferred username with it', async () => {
      const cognito = plane.primary.cognito
      await createUser(plane.primary, UserPoolId, {
        username: 'victim-1',
        attributes: [{ Name: 'preferred_username', Value: 'star' }],
      })
      const Username = 'thief-1'
      const UserAttributes = [{ Name: 'email', Value: 'thief-1@example.com' }]
      await cognito.send(new SignUpCommand({ ClientId: client.id, Username, Password: PASSWORD, UserAttributes }))
      const preferred = { UserAttributes: [{ Name: 'preferred_username', Value: 'star' }] }
      await cognito.send(new AdminUpdateUserAttributesCommand({ UserPoolId, Username, ...preferred }))
      const ConfirmationCode = plane.codeFor('thief-1@example.com')
      await assert.rejects(
        cognito.send(
          new ConfirmSignUpCommand({ ClientId: client.id, Username, ConfirmationCode, ForceAliasCreation: true }),
        ),
        { name: 'AliasExistsException' },
      )
      assert.equal(await found('star'), 'victim-1')
    })

    test('a preferred username does not hide the address of another user', async () => {
      const cognito = plane.primary.cognito
      await createUser(plane.primary, UserPoolId, {
        username: 'victim-2',
        attributes: [
          { Name: 'email', Value: 'victim-2@example.com' },
          { Name: 'email_verified', Value: 'true' },
          { Name: 'phone_number', Value: '+12065550102' },
          { Name: 'phone_number_verified', Value: 'true' },
        ],
      })
      await createUser(plane.primary, UserPoolId, { username: 'thief-2' })
      const { AccessToken } = await people(plane.primary).signIn(client, { username: 'thief-2' })
      for (const Value of ['victim-2@example.com', 'nobody-yet@example.com', '+12065550102']) {
        const UserAttributes = [{ Name: 'preferred_username', Value }]
        const refused = { name: 'InvalidParameterException' }
        await assert.rejects(cognito.send(new UpdateUserAttributesCommand({ AccessToken, UserAttributes })), refused)
        await assert.rejects(
          cognito.send(new AdminUpdateUserAttributesCommand({ UserPoolId, Username: 'thief-2', UserAttributes })),
          refused,
        )
        await assert.rejects(
          cognito.send(new AdminCreateUserCommand({ UserPoolId, Username: 'thief-3', UserAttributes })),
          refused,
        )
        await assert.rejects(
          cognito.send(
            new SignUpCommand({ ClientId: client.id, Username: 'thief-4', Password: PASSWORD, UserAttributes }),
          ),
          refused,
        )
      }
      assert.equal(await found('victim-2@example.com'), 'victim-2')
      assert.equal(await found('+12065550102'), 'victim-2')
    })

    test('of many users who claim one address or name at once, exactly one gets it', async () => {
      const cognito = plane.primary.cognito
      const Value = 'crowd@example.com'
      const names = Array.from({ length: 6 }, (_, at) => `crowd-${at}`)
      const codes = new Map<string, string>()
      for (const Username of names) {
        const UserAttributes = [{ Name: 'email', Value }]
        await cognito.send(new SignUpCommand({ ClientId: client.id, Username, Password: PASSWORD, UserAttributes }))
        codes.set(Username, plane.codeFor(Value))
      }
      const outcomes = async (calls: Promise<unknown>[]) =>
        (await Promise.allSettled(calls)).map((outcome) =>
          outcome.status === 'fulfilled' ? 'done' : (outcome.reason as Error).name,
        )
      const confirm = (force: boolean, some: string[]) =>
        outcomes(
          some.map((Username) =>
            cognito.send(
              new ConfirmSignUpCommand({
                ClientId: client.id,
                Username,
                ConfirmationCode: codes.get(Username),
                ForceAliasCreation: force,
              }),
            ),
          ),
        )
      assert.deepEqual((await confirm(false, names.slice(0, 3))).sort(), [
        'AliasExistsException',
        'AliasExistsException',
        'done',
      ])
      assert.deepEqual(await confirm(true, names.slice(3)), ['done', 'done', 'done'])
      const holder = await found(Value)
      for (const Username of names) {
        const user = await cognito.send(new AdminGetUserCommand({ UserPoolId, Username }))
        const verified = user.UserAttributes?.find(({ Name }) => Name === 'email_verified')?.Value
        assert.equal(verified === 'true', Username === holder, Username)
      }
      const create = (Username: string) => cognito.send(new AdminCreateUserCommand({ UserPoolId, Username }))
      assert.deepEqual((await outcomes(Array.from({ length: 4 }, () => create('once')))).sort(), [
        'UsernameExistsException',
        'UsernameExistsException',
        'UsernameExistsException',
        'done',
      ])
    })

    test('where addresses are not aliases, a preferred username may look like one', async () => {
      const pool = await createPool(plane.primary, { AliasAttributes: ['preferred_username'] })
      await createUser(plane.primary, pool, {
        username: 'ann',
        attributes: [{ Name: 'preferred_username', Value: 'ann@example.com' }],
      })
    })
  })
}
