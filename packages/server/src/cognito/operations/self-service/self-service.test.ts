import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminDisableUserCommand,
  AdminGetUserCommand,
  AdminResetUserPasswordCommand,
  AdminSetUserPasswordCommand,
  AdminUpdateUserAttributesCommand,
  type AttributeType,
  ChangePasswordCommand,
  DeleteUserAttributesCommand,
  DeleteUserCommand,
  DeleteUserPoolClientCommand,
  GetUserAttributeVerificationCodeCommand,
  GetUserCommand,
  UpdateUserAttributesCommand,
  VerifyUserAttributeCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser, PASSWORD, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'

const attributes = (values: Record<string, string>): AttributeType[] =>
  Object.entries(values).map(([Name, Value]) => ({ Name, Value }))
const otherThan = (code: string) => (code === '000000' ? '000001' : '000000')

for (const engine of engines) {
  describe(`self-service on ${engine}`, () => {
    let plane: Plane
    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
    })
    after(() => plane.stop())

    const start = async (
      settings: Parameters<typeof createPool>[1] = {},
      client: Parameters<typeof createClient>[2] = {},
    ) => {
      const pool = await createPool(plane.primary, settings)
      return createClient(plane.primary, pool, client)
    }
    const signIn = async (client: TestClient, username: string, password?: string): Promise<string> =>
      (await people(plane.primary).signInByAdmin(client, { username, password })).AccessToken
    /** A user with these attributes, and an access token of that user. */
    const signedIn = async (client: TestClient, username: string, values: Record<string, string> = {}) => {
      await createUser(plane.primary, client.pool, { username, attributes: attributes(values) })
      return signIn(client, username)
    }
    const get = async (AccessToken: string) => {
      const user = await plane.primary.cognito.send(new GetUserCommand({ AccessToken }))
      return {
        ...user,
        attributes: Object.fromEntries((user.UserAttributes ?? []).map(({ Name, Value }) => [Name, Value])),
      }
    }
    const update = (AccessToken: string, values: Record<string, string>) =>
      plane.primary.cognito.send(new UpdateUserAttributesCommand({ AccessToken, UserAttributes: attributes(values) }))
    const verify = (AccessToken: string, AttributeName: string, Code: string) =>
      plane.primary.cognito.send(new VerifyUserAttributeCommand({ AccessToken, AttributeName, Code }))
    const askForCode = (AccessToken: string, AttributeName: string) =>
      plane.primary.cognito.send(new GetUserAttributeVerificationCodeCommand({ AccessToken, AttributeName }))

    test('GetUser shows the attributes that the client may read', async () => {
      const Schema = [{ Name: 'plan', AttributeDataType: 'String' as const, Mutable: true }]
      const client = await start({ Schema })
      const reader = await createClient(plane.primary, client.pool, { ReadAttributes: ['email', 'custom:plan'] })
      const values = { name: 'Ann', email: 'ann@example.com', email_verified: 'true', 'custom:plan': 'gold' }
      const token = await signedIn(client, 'ann', values)
      const whole = await get(token)
      const { sub, ...standard } = whole.attributes
      assert.equal(whole.Username, 'ann')
      assert.deepEqual(standard, { name: 'Ann', email: 'ann@example.com', email_verified: 'true' })
      assert.deepEqual((await get(await signIn(reader, 'ann'))).attributes, {
        sub,
        email: 'ann@example.com',
        'custom:plan': 'gold',
      })
    })

    test('UpdateUserAttributes changes the attributes that the client may write, and verifies a new address', async () => {
      const client = await start({ AutoVerifiedAttributes: ['email'], AliasAttributes: ['email'] })
      const token = await signedIn(client, 'ann', { email: 'old@example.com', email_verified: 'true' })
      const { CodeDeliveryDetailsList } = await update(token, { email: 'fresh@example.com', nickname: 'A' })
      assert.deepEqual(CodeDeliveryDetailsList, [
        { Destination: 'f***@e***', DeliveryMedium: 'EMAIL', AttributeName: 'email' },
      ])
      const pending = (await get(token)).attributes
      assert.deepEqual([pending.email, pending.email_verified, pending.nickname], ['fresh@example.com', 'false', 'A'])
      for (const name of ['email_verified', 'custom:x']) {
        await assert.rejects(update(token, { [name]: 'true' }), {
          name: 'NotAuthorizedException',
          message: 'A client attempted to write unauthorized attribute',
        })
      }
      const find = (Username: string) =>
        plane.primary.cognito.send(new AdminGetUserCommand({ UserPoolId: client.pool, Username }))
      await assert.rejects(find('old@example.com'), { name: 'UserNotFoundException' })
      await assert.rejects(find('fresh@example.com'), { name: 'UserNotFoundException' })

      const code = plane.codeFor('fresh@example.com')
      await assert.rejects(verify(token, 'email', otherThan(code)), { name: 'CodeMismatchException' })
      await verify(token, 'email', code)
      assert.equal((await get(token)).attributes.email_verified, 'true')
      assert.equal((await find('fresh@example.com')).Username, 'ann')
      await assert.rejects(verify(token, 'email', code), { name: 'ExpiredCodeException' })
    })

    test('a custom attribute may be called verified; the verified flags cannot be written', async () => {
      const name = 'custom:kyc_verified'
      const client = await start(
        { Schema: [{ Name: 'kyc_verified', AttributeDataType: 'String', Mutable: true }] },
        { WriteAttributes: ['email', name], ReadAttributes: ['email', 'email_verified', name] },
      )
      const token = await signedIn(client, 'kay', { email: 'kay@example.com' })
      await update(token, { [name]: 'passport' })
      assert.equal((await get(token)).attributes[name], 'passport')
      await assert.rejects(update(token, { email_verified: 'true' }), { name: 'NotAuthorizedException' })
    })

    test('an unchanged address stays verified, and no code is sent', async () => {
      const client = await start({ AutoVerifiedAttributes: ['email'] })
      const token = await signedIn(client, 'ann', { email: 'same@example.com', email_verified: 'true' })
      const { CodeDeliveryDetailsList } = await update(token, { email: 'same@example.com', name: 'Ann' })
      assert.deepEqual(CodeDeliveryDetailsList, [])
      assert.equal((await get(token)).attributes.email_verified, 'true')
    })

    test('a pending address replaces the old one once it is verified', async () => {
      const client = await start({
        UsernameAttributes: ['email'],
        AutoVerifiedAttributes: ['email'],
        UserAttributeUpdateSettings: { AttributesRequireVerificationBeforeUpdate: ['email'] },
      })
      const token = await signedIn(client, 'now@example.com', { email_verified: 'true', email: 'now@example.com' })
      await signedIn(client, 'other@example.com')
      await assert.rejects(update(token, { email: 'other@example.com' }), { name: 'AliasExistsException' })
      await update(token, { email: 'later@example.com' })
      const held = (await get(token)).attributes
      assert.deepEqual([held.email, held.email_verified], ['now@example.com', 'true'])
      await signIn(client, 'now@example.com')

      const { CodeDeliveryDetails } = await askForCode(token, 'email')
      assert.equal(CodeDeliveryDetails?.Destination, 'l***@e***')
      await verify(token, 'email', plane.codeFor('later@example.com'))
      const moved = (await get(token)).attributes
      assert.deepEqual([moved.email, moved.email_verified], ['later@example.com', 'true'])
      await signIn(client, 'later@example.com')
      await assert.rejects(signIn(client, 'now@example.com'), { name: 'UserNotFoundException' })
    })

    test('an alias that another user has taken meanwhile is refused at verification', async () => {
      const client = await start({ AliasAttributes: ['email'], AutoVerifiedAttributes: ['email'] })
      const token = await signedIn(client, 'slow')
      await update(token, { email: 'wanted@example.com' })
      await signedIn(client, 'quick', { email: 'wanted@example.com', email_verified: 'true' })
      await assert.rejects(verify(token, 'email', plane.codeFor('wanted@example.com')), {
        name: 'AliasExistsException',
        message: 'An account with the given email already exists.',
      })
    })

    test('a changed address invalidates the code for the previous one', async () => {
      const client = await start({})
      const token = await signedIn(client, 'ann', { phone_number: '+12065550110' })
      const { CodeDeliveryDetails } = await askForCode(token, 'phone_number')
      assert.equal(CodeDeliveryDetails?.DeliveryMedium, 'SMS')
      await update(token, { phone_number: '+12065550111' })
      await assert.rejects(verify(token, 'phone_number', plane.codeFor('+12065550110')), {
        name: 'ExpiredCodeException',
      })
      await assert.rejects(askForCode(token, 'email'), { name: 'InvalidParameterException' })
      await assert.rejects(askForCode(token, 'nickname'), { name: 'InvalidParameterException' })
    })

    test('codes for an address can be requested five times an hour and tried fifteen times', async () => {
      const client = await start({})
      const token = await signedIn(client, 'ann', { email: 'busy@example.com' })
      for (let at = 0; at < 5; at += 1) await askForCode(token, 'email')
      await assert.rejects(askForCode(token, 'email'), { name: 'LimitExceededException' })
      const code = plane.codeFor('busy@example.com')
      for (let at = 0; at < 15; at += 1) {
        await assert.rejects(verify(token, 'email', otherThan(code)), { name: 'CodeMismatchException' })
      }
      await assert.rejects(verify(token, 'email', code), { name: 'LimitExceededException' })
    })

    test('DeleteUserAttributes removes the attributes that the client may write', async () => {
      const client = await start({})
      const token = await signedIn(client, 'ann', { name: 'Ann', email: 'ann@example.com', nickname: 'A' })
      const remove = (...UserAttributeNames: string[]) =>
        plane.primary.cognito.send(new DeleteUserAttributesCommand({ AccessToken: token, UserAttributeNames }))
      await remove('email', 'nickname')
      assert.deepEqual(Object.keys((await get(token)).attributes), ['sub', 'name'])
      await assert.rejects(remove('custom:x'), { name: 'NotAuthorizedException' })
    })

    test('ChangePassword requires the old password, and is limited to five an hour', async () => {
      const client = await start({})
      const token = await signedIn(client, 'ann')
      const change = (PreviousPassword: string | undefined, ProposedPassword: string) =>
        plane.primary.cognito.send(
          new ChangePasswordCommand({ AccessToken: token, PreviousPassword, ProposedPassword }),
        )
      const wrong = { name: 'NotAuthorizedException', message: 'Incorrect username or password.' }
      await assert.rejects(change('Wrong-Horse-7', 'N3w-password'), wrong)
      await assert.rejects(change(undefined, 'N3w-password'), wrong)
      await assert.rejects(change(PASSWORD, 'weak'), { name: 'InvalidPasswordException' })
      await change(PASSWORD, 'N3w-password')
      await assert.rejects(signIn(client, 'ann'), { name: 'NotAuthorizedException' })
      await signIn(client, 'ann', 'N3w-password')
      await change('N3w-password', 'N3wer-password')
      await assert.rejects(change('N3wer-password', 'N3west-password'), {
        name: 'LimitExceededException',
        message: 'Attempt limit exceeded, please try after some time.',
      })
    })

    test('a disabled user is signed out at once, and cannot sign in', async () => {
      const client = await start({})
      const token = await signedIn(client, 'ann')
      await plane.primary.cognito.send(new AdminDisableUserCommand({ UserPoolId: client.pool, Username: 'ann' }))
      await assert.rejects(get(token), { name: 'NotAuthorizedException' })
      await assert.rejects(signIn(client, 'ann'), { name: 'NotAuthorizedException', message: 'User is disabled.' })
    })

    test('after AdminResetUserPassword, tokens do nothing until the user has a new password', async () => {
      const client = await start()
      await createUser(plane.primary, client.pool, {
        username: 'ann',
        attributes: attributes({ email: 'reset@example.com', email_verified: 'true' }),
      })
      const { AccessToken, RefreshToken } = await people(plane.primary).signInByAdmin(client, { username: 'ann' })
      const of = { UserPoolId: client.pool, Username: 'ann' }
      await plane.primary.cognito.send(new AdminResetUserPasswordCommand(of))
      const required = { name: 'PasswordResetRequiredException', message: 'Password reset required for the user' }
      const change = new ChangePasswordCommand({
        AccessToken,
        PreviousPassword: PASSWORD,
        ProposedPassword: 'N3w-password',
      })
      await assert.rejects(plane.primary.cognito.send(change), required)
      await assert.rejects(get(AccessToken), required)
      await assert.rejects(update(AccessToken, { nickname: 'A' }), required)
      await assert.rejects(people(plane.primary).refresh(client, RefreshToken), required)
      await plane.primary.cognito.send(
        new AdminSetUserPasswordCommand({ ...of, Password: 'N3w-password', Permanent: true }),
      )
      assert.equal((await get(AccessToken)).Username, 'ann')
      await people(plane.primary).refresh(client, RefreshToken)
    })

    test('the tokens of a deleted client neither read nor write', async () => {
      const client = await start({ AutoVerifiedAttributes: ['email'] })
      const token = await signedIn(client, 'ann', { email: 'gone@example.com', email_verified: 'true' })
      await plane.primary.cognito.send(
        new DeleteUserPoolClientCommand({ UserPoolId: client.pool, ClientId: client.id }),
      )
      const gone = {
        name: 'ResourceNotFoundException',
        message: `User pool client ${client.id} does not exist.`,
      }
      for (const command of [
        new GetUserCommand({ AccessToken: token }),
        new UpdateUserAttributesCommand({ AccessToken: token, UserAttributes: attributes({ nickname: 'A' }) }),
        new DeleteUserAttributesCommand({ AccessToken: token, UserAttributeNames: ['nickname'] }),
        new GetUserAttributeVerificationCodeCommand({ AccessToken: token, AttributeName: 'email' }),
        new VerifyUserAttributeCommand({ AccessToken: token, AttributeName: 'email', Code: '123456' }),
        new ChangePasswordCommand({ AccessToken: token, PreviousPassword: PASSWORD, ProposedPassword: 'N3w-password' }),
        new DeleteUserCommand({ AccessToken: token }),
      ]) {
        await assert.rejects(plane.primary.cognito.send(command as GetUserCommand), gone)
      }
    })

    test('DeleteUser deletes the account and ends its tokens; the name is free again', async () => {
      const client = await start({ AliasAttributes: ['email'] })
      const token = await signedIn(client, 'ann', { email: 'ann@example.com', email_verified: 'true' })
      await plane.primary.cognito.send(new DeleteUserCommand({ AccessToken: token }))
      await assert.rejects(get(token), { name: 'UserNotFoundException' })
      await assert.rejects(signIn(client, 'ann@example.com'), { name: 'UserNotFoundException' })
      await plane.primary.cognito.send(
        new AdminCreateUserCommand({
          UserPoolId: client.pool,
          Username: 'ann',
          UserAttributes: attributes({ email: 'ann@example.com', email_verified: 'true' }),
        }),
      )
      await plane.primary.cognito.send(
        new AdminUpdateUserAttributesCommand({
          UserPoolId: client.pool,
          Username: 'ann@example.com',
          UserAttributes: attributes({ name: 'Ann' }),
        }),
      )
    })
  })
}
