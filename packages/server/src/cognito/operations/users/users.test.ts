import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  AdminConfirmSignUpCommand,
  AdminCreateUserCommand,
  type AdminCreateUserCommandInput,
  AdminDeleteUserAttributesCommand,
  AdminDeleteUserCommand,
  AdminDisableUserCommand,
  AdminEnableUserCommand,
  AdminGetUserCommand,
  AdminResetUserPasswordCommand,
  AdminSetUserPasswordCommand,
  AdminUpdateUserAttributesCommand,
  type AttributeType,
  ConfirmForgotPasswordCommand,
  ForgotPasswordCommand,
  SignUpCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { createClient, createPool } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'
import { getOpenPool } from '../../../directory/pool.ts'
import { getUser } from '../../../directory/user.ts'
import { checkPassword } from '../../../identity/credentials/passwords.ts'
import { lastSignOut } from '../../../tokens/revocation.ts'

const attributes = (values: Record<string, string>): AttributeType[] =>
  Object.entries(values).map(([Name, Value]) => ({ Name, Value }))
const record = (list: AttributeType[] = []) => Object.fromEntries(list.map(({ Name, Value }) => [Name, Value]))
const notFound = { name: 'UserNotFoundException', message: 'User does not exist.' }

for (const engine of engines) {
  describe(`administration of users on ${engine}`, () => {
    let plane: Plane
    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
    })
    after(() => plane.stop())

    const pool = async (
      settings: Parameters<typeof createPool>[1] = {},
      first: Parameters<typeof createClient>[2] = {},
      second: Parameters<typeof createClient>[2] = {},
    ) => {
      const UserPoolId = await createPool(plane.primary, settings)
      const one = await createClient(plane.primary, UserPoolId, first)
      return { UserPoolId, clients: [one, await createClient(plane.primary, UserPoolId, second)] as const }
    }
    const create = async (
      UserPoolId: string,
      Username: string,
      values: Record<string, string> = {},
      more: Partial<AdminCreateUserCommandInput> = {},
    ) => {
      const { User } = await plane.primary.cognito.send(
        new AdminCreateUserCommand({ UserPoolId, Username, UserAttributes: attributes(values), ...more }),
      )
      return { ...User, attributes: record(User?.Attributes) }
    }
    const userOf = async (UserPoolId: string, Username: string) => {
      const user = await plane.primary.cognito.send(new AdminGetUserCommand({ UserPoolId, Username }))
      return { ...user, attributes: record(user.UserAttributes) }
    }
    const update = (UserPoolId: string, Username: string, values: Record<string, string>) =>
      plane.primary.cognito.send(
        new AdminUpdateUserAttributesCommand({ UserPoolId, Username, UserAttributes: attributes(values) }),
      )
    const hasPassword = async (UserPoolId: string, Username: string, password: string): Promise<boolean> => {
      const { context } = plane.primary.region
      const openPool = { pool: await context.pools.get(UserPoolId), cipher: await context.keys.get(UserPoolId) }
      return checkPassword(context, openPool, { user: await getUser(context.store, openPool, Username) }, password)
    }

    describe('AdminCreateUser', () => {
      test('invites by e-mail with a temporary password that meets the policy', async () => {
        const { UserPoolId } = await pool({ Policies: { PasswordPolicy: { MinimumLength: 20 } } })
        const user = await create(
          UserPoolId,
          'ann',
          { email: 'ann@example.com', email_verified: 'true' },
          { DesiredDeliveryMediums: ['EMAIL'] },
        )
        assert.equal(user.UserStatus, 'FORCE_CHANGE_PASSWORD')
        assert.equal(user.Enabled, true)
        assert.deepEqual(user.attributes, {
          sub: user.attributes.sub,
          email: 'ann@example.com',
          email_verified: 'true',
        })
        const password = plane.codeFor('ann@example.com')
        assert.ok(password.length >= 20)
        assert.equal(await hasPassword(UserPoolId, 'ann', password), true)
        const [message] = plane.inbox
        assert.equal(message?.subject, 'Your temporary password')
        assert.match(message?.body ?? '', /^Your username is ann and temporary password is /)
      })

      test('invites with the template of the pool, on every requested medium', async () => {
        const { UserPoolId } = await pool({
          AdminCreateUserConfig: {
            InviteMessageTemplate: {
              SMSMessage: '{username}/{####}',
              EmailMessage: '<b>{username}</b> {####}',
              EmailSubject: 'Hi {username}',
            },
          },
        })
        const seen = plane.inbox.length
        await create(
          UserPoolId,
          'bob',
          { email: 'bob@example.com', phone_number: '+12065550100' },
          { DesiredDeliveryMediums: ['EMAIL', 'SMS'], TemporaryPassword: 'Temp<1>pass' },
        )
        const sent = plane.inbox.slice(0, plane.inbox.length - seen)
        assert.deepEqual(
          sent.map(({ channel, body, subject }) => [channel, body, subject]),
          [
            ['SMS', 'bob/Temp<1>pass', undefined],
            ['EMAIL', '<b>bob</b> Temp&#60;1&#62;pass', 'Hi bob'],
          ],
        )
      })

      test('sends nothing with SUPPRESS, and no SMS to a user without a phone number', async () => {
        const { UserPoolId } = await pool({})
        const seen = plane.inbox.length
        await create(UserPoolId, 'quiet', { phone_number: '+12065550101' }, { MessageAction: 'SUPPRESS' })
        await create(UserPoolId, 'mail', { email: 'mail@example.com' })
        assert.equal(plane.inbox.length, seen)
        await assert.rejects(create(UserPoolId, 'none', {}, { DesiredDeliveryMediums: ['EMAIL'] }), {
          name: 'InvalidParameterException',
        })
        await assert.rejects(userOf(UserPoolId, 'none'), notFound)
      })

      test('RESEND creates a new temporary password, only for users who have not set their own', async () => {
        const { UserPoolId } = await pool({})
        const medium = { DesiredDeliveryMediums: ['EMAIL' as const] }
        await create(UserPoolId, 'again', { email: 'again@example.com' }, medium)
        const first = plane.codeFor('again@example.com')
        await create(UserPoolId, 'again', {}, { ...medium, MessageAction: 'RESEND' })
        const second = plane.codeFor('again@example.com')
        assert.notEqual(first, second)
        assert.equal(await hasPassword(UserPoolId, 'again', first), false)
        assert.equal(await hasPassword(UserPoolId, 'again', second), true)
        await assert.rejects(create(UserPoolId, 'nobody', {}, { MessageAction: 'RESEND' }), notFound)
        await plane.primary.cognito.send(
          new AdminSetUserPasswordCommand({ UserPoolId, Username: 'again', Password: 'Passw0rd!', Permanent: true }),
        )
        await assert.rejects(create(UserPoolId, 'again', {}, { MessageAction: 'RESEND' }), {
          name: 'UnsupportedUserStateException',
        })
      })

      test('refuses an existing name, a weak password and unknown attributes', async () => {
        const { UserPoolId } = await pool({})
        await create(UserPoolId, 'ann')
        await assert.rejects(create(UserPoolId, 'ann'), {
          name: 'UsernameExistsException',
          message: 'User already exists',
        })
        await assert.rejects(create(UserPoolId, 'bob', {}, { TemporaryPassword: 'weak' }), {
          name: 'InvalidPasswordException',
        })
        await assert.rejects(create(UserPoolId, 'bob', { 'custom:x': '1' }), {
          name: 'InvalidParameterException',
          message: 'Attributes did not conform to the schema: custom:x: Attribute does not exist in the schema.',
        })
        await assert.rejects(create(UserPoolId, 'bob', { email_verified: 'true' }), {
          name: 'InvalidParameterException',
        })
      })

      test('needs no password where users sign in with codes, but needs an address', async () => {
        const { UserPoolId } = await pool({
          Policies: { SignInPolicy: { AllowedFirstAuthFactors: ['PASSWORD', 'EMAIL_OTP'] } },
        })
        const user = await create(
          UserPoolId,
          'free',
          { email: 'free@example.com' },
          { DesiredDeliveryMediums: ['EMAIL'] },
        )
        assert.equal(user.UserStatus, 'CONFIRMED')
        assert.equal(plane.inbox[0]?.body, 'Your username is free.')
        assert.equal(await hasPassword(UserPoolId, 'free', ''), false)
        await assert.rejects(create(UserPoolId, 'bare'), { name: 'InvalidParameterException' })
        assert.equal(
          (await create(UserPoolId, 'temp', {}, { TemporaryPassword: 'Passw0rd!' })).UserStatus,
          'FORCE_CHANGE_PASSWORD',
        )
      })

      test('an address of another account is refused, or taken over', async () => {
        const { UserPoolId } = await pool({ AliasAttributes: ['email'] })
        const mine = { email: 'one@example.com', email_verified: 'true' }
        await create(UserPoolId, 'first', mine)
        await assert.rejects(create(UserPoolId, 'second', mine), {
          name: 'AliasExistsException',
          message: 'An account with the given email already exists.',
        })
        await create(UserPoolId, 'unproven', { email: 'one@example.com' }, { ForceAliasCreation: true })
        assert.equal((await userOf(UserPoolId, 'one@example.com')).Username, 'first')
        await create(UserPoolId, 'second', mine, { ForceAliasCreation: true })
        assert.equal((await userOf(UserPoolId, 'one@example.com')).Username, 'second')
        assert.equal((await userOf(UserPoolId, 'first')).attributes.email_verified, 'false')
        assert.equal((await userOf(UserPoolId, 'unproven')).attributes.email_verified, undefined)

        const byEmail = await pool({ UsernameAttributes: ['email'] })
        await create(byEmail.UserPoolId, 'one@example.com')
        await assert.rejects(create(byEmail.UserPoolId, 'one@example.com'), {
          name: 'UsernameExistsException',
          message: 'An account with the given email already exists.',
        })
      })
    })

    test('AdminSetUserPassword confirms, or asks for a change', async () => {
      const { UserPoolId } = await pool({})
      await create(UserPoolId, 'ann')
      const set = (Password: string, Permanent?: boolean) =>
        plane.primary.cognito.send(
          new AdminSetUserPasswordCommand({ UserPoolId, Username: 'ann', Password, Permanent }),
        )
      await set('Passw0rd!', true)
      assert.equal((await userOf(UserPoolId, 'ann')).UserStatus, 'CONFIRMED')
      assert.equal(await hasPassword(UserPoolId, 'ann', 'Passw0rd!'), true)
      await set('Passw0rd!2')
      assert.equal((await userOf(UserPoolId, 'ann')).UserStatus, 'FORCE_CHANGE_PASSWORD')
      await assert.rejects(set('weak'), { name: 'InvalidPasswordException' })
      assert.equal(await hasPassword(UserPoolId, 'ann', 'Passw0rd!2'), true)
    })

    test('a pool with a password history refuses an old password', async () => {
      const { UserPoolId } = await pool({ Policies: { PasswordPolicy: { PasswordHistorySize: 2 } } })
      await create(UserPoolId, 'ann', {}, { TemporaryPassword: 'Passw0rd!0' })
      const set = (Password: string) =>
        plane.primary.cognito.send(
          new AdminSetUserPasswordCommand({ UserPoolId, Username: 'ann', Password, Permanent: true }),
        )
      await set('Passw0rd!1')
      await assert.rejects(set('Passw0rd!0'), { name: 'PasswordHistoryPolicyViolationException' })
    })

    describe('AdminUpdateUserAttributes', () => {
      test('sets, changes and removes attributes; others stay', async () => {
        const { UserPoolId } = await pool({
          Schema: [
            { Name: 'plan', AttributeDataType: 'String', Mutable: true },
            { Name: 'birth', AttributeDataType: 'String', Mutable: false },
          ],
        })
        await create(UserPoolId, 'ann', { name: 'Ann', nickname: 'A', 'custom:birth': 'x' })
        await update(UserPoolId, 'ann', {
          nickname: '',
          'custom:plan': 'gold',
          email: 'ann@example.com',
          email_verified: 'true',
        })
        const { sub, ...kept } = (await userOf(UserPoolId, 'ann')).attributes
        assert.deepEqual(kept, {
          name: 'Ann',
          'custom:birth': 'x',
          'custom:plan': 'gold',
          email: 'ann@example.com',
          email_verified: 'true',
        })
        await assert.rejects(update(UserPoolId, 'ann', { 'custom:birth': 'y' }), {
          name: 'InvalidParameterException',
          message: 'user.custom:birth: Attribute cannot be updated.',
        })
        await assert.rejects(update(UserPoolId, 'ann', { 'custom:none': 'y' }), {
          name: 'InvalidParameterException',
          message: 'Type for attribute {custom:none} could not be determined',
        })
        await assert.rejects(update(UserPoolId, 'ann', { sub: 'y' }), { name: 'InvalidParameterException' })
        await assert.rejects(update(UserPoolId, 'nobody', { name: 'y' }), notFound)
      })

      test('a new address is unverified and gets a code where the pool verifies, unless it is marked verified', async () => {
        const { UserPoolId } = await pool({ AutoVerifiedAttributes: ['email'] })
        await create(UserPoolId, 'ann', { email: 'old@example.com', email_verified: 'true' })
        const seen = plane.inbox.length
        await update(UserPoolId, 'ann', { email: 'new@example.com' })
        assert.equal(plane.inbox.length, seen + 1)
        assert.match(plane.codeFor('new@example.com'), /^\d{6}$/)
        assert.equal((await userOf(UserPoolId, 'ann')).attributes.email_verified, 'false')
        await update(UserPoolId, 'ann', { email: 'newer@example.com', email_verified: 'true' })
        assert.equal(plane.inbox.length, seen + 1)
        assert.equal((await userOf(UserPoolId, 'ann')).attributes.email_verified, 'true')
        await update(UserPoolId, 'ann', { email: 'newest@example.com', email_verified: 'true' })
        assert.equal((await userOf(UserPoolId, 'ann')).attributes.email_verified, 'true')
      })

      test('a flag is kept as it was written, and an address that an administrator marks as verified moves to the user', async () => {
        const { UserPoolId } = await pool({ AliasAttributes: ['email'] })
        await create(UserPoolId, 'holder', { email: 'one@example.com', email_verified: 'TRUE' })
        assert.equal((await userOf(UserPoolId, 'one@example.com')).attributes.email_verified, 'TRUE')
        await create(UserPoolId, 'taker', { email: 'one@example.com' })
        await update(UserPoolId, 'taker', { email: 'two@example.com' })
        await update(UserPoolId, 'taker', { email: 'one@example.com', email_verified: 'True' })
        const taker = await userOf(UserPoolId, 'one@example.com')
        assert.deepEqual([taker.Username, taker.attributes.email_verified], ['taker', 'True'])
        assert.equal((await userOf(UserPoolId, 'holder')).attributes.email_verified, 'false')

        // There the address is the only name to sign in with.
        const byEmail = await pool({ UsernameAttributes: ['email'] })
        await create(byEmail.UserPoolId, 'one@example.com')
        await create(byEmail.UserPoolId, 'two@example.com')
        await assert.rejects(
          update(byEmail.UserPoolId, 'two@example.com', { email: 'one@example.com', email_verified: 'true' }),
          { name: 'AliasExistsException' },
        )
      })

      test('the old address stays until the new one is verified, if the pool is configured so', async () => {
        const { UserPoolId } = await pool({
          AutoVerifiedAttributes: ['email'],
          UserAttributeUpdateSettings: { AttributesRequireVerificationBeforeUpdate: ['email'] },
        })
        await create(UserPoolId, 'ann', { email: 'old@example.com', email_verified: 'true' })
        await update(UserPoolId, 'ann', { email: 'held@example.com', name: 'Ann' })
        const { sub, ...kept } = (await userOf(UserPoolId, 'ann')).attributes
        assert.deepEqual(kept, { email: 'old@example.com', email_verified: 'true', name: 'Ann' })
        assert.match(plane.codeFor('held@example.com'), /^\d{6}$/)
        await update(UserPoolId, 'ann', { email: 'sure@example.com', email_verified: 'true' })
        assert.equal((await userOf(UserPoolId, 'ann')).attributes.email, 'sure@example.com')
      })

      test('an address alias moves to the new value, is released, and is never taken from another user', async () => {
        const { UserPoolId } = await pool({ UsernameAttributes: ['email'] })
        await create(UserPoolId, 'a@example.com')
        await create(UserPoolId, 'b@example.com')
        await assert.rejects(update(UserPoolId, 'b@example.com', { email: 'a@example.com' }), {
          name: 'AliasExistsException',
          message: 'An account with the given email already exists.',
        })
        await update(UserPoolId, 'a@example.com', { email: 'c@example.com' })
        await update(UserPoolId, 'b@example.com', { email: 'a@example.com' })
        assert.equal((await userOf(UserPoolId, 'a@example.com')).attributes.email, 'a@example.com')
        await assert.rejects(userOf(UserPoolId, 'b@example.com'), notFound)
      })
    })

    test('AdminDeleteUserAttributes removes attributes, but no required ones', async () => {
      const { UserPoolId } = await pool({
        Schema: [{ Name: 'name', Required: true, Mutable: true, AttributeDataType: 'String' }],
      })
      await create(UserPoolId, 'ann', { name: 'Ann', email: 'ann@example.com', nickname: 'A' })
      const remove = (...UserAttributeNames: string[]) =>
        plane.primary.cognito.send(
          new AdminDeleteUserAttributesCommand({ UserPoolId, Username: 'ann', UserAttributeNames }),
        )
      await remove('email', 'nickname')
      assert.deepEqual(Object.keys((await userOf(UserPoolId, 'ann')).attributes), ['sub', 'name'])
      await assert.rejects(remove('name'), {
        name: 'InvalidParameterException',
        message: 'Attributes did not conform to the schema: name: The attribute is required',
      })
    })

    test('a disabled user is shown as disabled, is signed out, and can be enabled again', async () => {
      const { UserPoolId } = await pool({})
      const user = await create(UserPoolId, 'ann')
      await plane.primary.cognito.send(new AdminDisableUserCommand({ UserPoolId, Username: 'ann' }))
      assert.equal((await userOf(UserPoolId, 'ann')).Enabled, false)
      const { context } = plane.primary.region
      const openPool = await getOpenPool(context, UserPoolId)
      assert.ok((await lastSignOut(context.store, openPool, user.attributes.sub as string)) > 0)
      await plane.primary.cognito.send(new AdminEnableUserCommand({ UserPoolId, Username: 'ann' }))
      assert.equal((await userOf(UserPoolId, 'ann')).Enabled, true)
      await assert.rejects(
        plane.primary.cognito.send(new AdminDisableUserCommand({ UserPoolId, Username: 'nobody' })),
        notFound,
      )
    })

    test('a deleted user leaves no rows behind, and the name is free again', async () => {
      const { UserPoolId, clients } = await pool({ AliasAttributes: ['email'], AutoVerifiedAttributes: ['email'] })
      await plane.primary.cognito.send(
        new SignUpCommand({
          ClientId: clients[0].id,
          Username: 'ann',
          Password: 'Passw0rd!',
          UserAttributes: attributes({ email: 'gone@example.com' }),
        }),
      )
      await update(UserPoolId, 'ann', { email_verified: 'true' })
      await plane.primary.cognito.send(new AdminDeleteUserCommand({ UserPoolId, Username: 'gone@example.com' }))
      for (const name of ['ann', 'gone@example.com']) await assert.rejects(userOf(UserPoolId, name), notFound)
      const { store } = plane.primary.region.context
      for (const kind of ['user', 'alias', 'credential', 'code', 'member'] as const) {
        assert.equal(await store.count(kind, { pool: UserPoolId }), 0, kind)
      }
      await create(UserPoolId, 'ann', { email: 'gone@example.com', email_verified: 'true' })
      await assert.rejects(
        plane.primary.cognito.send(new AdminDeleteUserCommand({ UserPoolId, Username: 'nobody' })),
        notFound,
      )
    })

    describe('a forgotten password', () => {
      const reset = (ClientId: string, Username: string) =>
        plane.primary.cognito.send(new ForgotPasswordCommand({ ClientId, Username }))
      const finish = (ClientId: string, Username: string, ConfirmationCode: string, Password = 'N3w-password') =>
        plane.primary.cognito.send(new ConfirmForgotPasswordCommand({ ClientId, Username, ConfirmationCode, Password }))
      const confirmed = async (UserPoolId: string, name: string, values: Record<string, string>) => {
        await create(UserPoolId, name, values, { MessageAction: 'SUPPRESS' })
        await plane.primary.cognito.send(
          new AdminSetUserPasswordCommand({ UserPoolId, Username: name, Password: 'Passw0rd!', Permanent: true }),
        )
      }

      test('is replaced with the code, once', async () => {
        const { UserPoolId, clients } = await pool({})
        const [{ id: ClientId }] = clients
        await confirmed(UserPoolId, 'ann', { email: 'forgot@example.com', email_verified: 'true' })
        assert.deepEqual((await reset(ClientId, 'ann')).CodeDeliveryDetails, {
          Destination: 'f***@e***',
          DeliveryMedium: 'EMAIL',
          AttributeName: 'email',
        })
        const code = plane.codeFor('forgot@example.com')
        await assert.rejects(finish(ClientId, 'ann', code, 'weak'), { name: 'InvalidPasswordException' })
        await assert.rejects(finish(ClientId, 'ann', code === '111111' ? '222222' : '111111'), {
          name: 'CodeMismatchException',
          message: 'Invalid verification code provided, please try again.',
        })
        await finish(ClientId, 'ann', code)
        assert.equal(await hasPassword(UserPoolId, 'ann', 'N3w-password'), true)
        await assert.rejects(finish(ClientId, 'ann', code), {
          name: 'ExpiredCodeException',
          message: 'Invalid code provided, please request a code again.',
        })
      })

      test('sends codes over allowed and verified channels only', async () => {
        const both = {
          email: 'chan@example.com',
          email_verified: 'true',
          phone_number: '+12065550102',
          phone_number_verified: 'true',
        }
        const usual = await pool({})
        await confirmed(usual.UserPoolId, 'ann', { ...both, email_verified: 'True' })
        assert.equal((await reset(usual.clients[0].id, 'ann')).CodeDeliveryDetails?.DeliveryMedium, 'EMAIL')
        const emailFirst = await pool({
          AccountRecoverySetting: {
            RecoveryMechanisms: [
              { Name: 'verified_phone_number', Priority: 2 },
              { Name: 'verified_email', Priority: 1 },
            ],
          },
        })
        await confirmed(emailFirst.UserPoolId, 'ann', both)
        assert.equal((await reset(emailFirst.clients[0].id, 'ann')).CodeDeliveryDetails?.DeliveryMedium, 'EMAIL')
        await update(emailFirst.UserPoolId, 'ann', { email_verified: 'false' })
        assert.equal((await reset(emailFirst.clients[0].id, 'ann')).CodeDeliveryDetails?.DeliveryMedium, 'SMS')
        await update(emailFirst.UserPoolId, 'ann', { phone_number_verified: 'false' })
        await assert.rejects(reset(emailFirst.clients[0].id, 'ann'), {
          name: 'InvalidParameterException',
          message: 'Cannot reset password for the user as there is no registered/verified email or phone_number',
        })
        const admins = await pool({
          AccountRecoverySetting: { RecoveryMechanisms: [{ Name: 'admin_only', Priority: 1 }] },
        })
        await confirmed(admins.UserPoolId, 'ann', both)
        await assert.rejects(reset(admins.clients[0].id, 'ann'), {
          name: 'NotAuthorizedException',
          message: 'Contact administrator to reset password.',
        })
      })

      test('is refused to users with a temporary password and to disabled users', async () => {
        const { UserPoolId, clients } = await pool({})
        await create(UserPoolId, 'new', { email: 'new@example.com', email_verified: 'true' })
        const refused = {
          name: 'NotAuthorizedException',
          message: 'User password cannot be reset in the current state.',
        }
        await assert.rejects(reset(clients[0].id, 'new'), refused)
        await assert.rejects(
          plane.primary.cognito.send(new AdminResetUserPasswordCommand({ UserPoolId, Username: 'new' })),
          refused,
        )
        await plane.primary.cognito.send(new AdminDisableUserCommand({ UserPoolId, Username: 'new' }))
        await assert.rejects(reset(clients[0].id, 'new'), {
          name: 'NotAuthorizedException',
          message: 'User is disabled.',
        })
      })

      test('does not reveal which users exist, for clients that hide it', async () => {
        const { UserPoolId, clients } = await pool(
          { UsernameAttributes: ['email'] },
          { PreventUserExistenceErrors: 'ENABLED' },
        )
        const [hiding, revealing] = clients
        assert.deepEqual((await reset(hiding.id, 'zoe@nowhere.example')).CodeDeliveryDetails, {
          Destination: 'z***@n***',
          DeliveryMedium: 'EMAIL',
          AttributeName: 'email',
        })
        await assert.rejects(finish(hiding.id, 'zoe@nowhere.example', '123456'), {
          name: 'CodeMismatchException',
        })
        await confirmed(UserPoolId, 'real@example.com', {})
        await assert.rejects(finish(hiding.id, 'real@example.com', '123456'), { name: 'CodeMismatchException' })
        const notFound = { name: 'UserNotFoundException', message: 'Username/client id combination not found.' }
        await assert.rejects(reset(revealing.id, 'zoe@nowhere.example'), notFound)
        await assert.rejects(finish(revealing.id, 'zoe@nowhere.example', '123456'), notFound)
      })

      test('does not reveal disabled or unreachable users, for clients that hide which users exist', async () => {
        const { UserPoolId, clients } = await pool(
          { AutoVerifiedAttributes: ['email'] },
          { PreventUserExistenceErrors: 'ENABLED' },
        )
        const [hiding, revealing] = clients
        const verified = { email: 'off@example.com', email_verified: 'true' }
        await confirmed(UserPoolId, 'disabled', verified)
        await confirmed(UserPoolId, 'unreachable', { email: 'unverified@example.com' })
        await plane.primary.cognito.send(new AdminDisableUserCommand({ UserPoolId, Username: 'disabled' }))
        for (const name of ['nobody', 'disabled', 'unreachable']) {
          const { CodeDeliveryDetails } = await reset(hiding.id, name)
          assert.match(CodeDeliveryDetails?.Destination ?? '', /^[a-z]\*\*\*@[a-z]\*\*\*$/, name)
          assert.deepEqual(CodeDeliveryDetails, (await reset(hiding.id, name)).CodeDeliveryDetails)
        }
        for (const name of ['nobody', 'disabled']) {
          await assert.rejects(finish(hiding.id, name, '123456'), { name: 'CodeMismatchException' })
        }
        assert.equal(
          plane.inbox.some(({ to }) => to === verified.email || to === 'unverified@example.com'),
          false,
        )
        await assert.rejects(reset(revealing.id, 'disabled'), { message: 'User is disabled.' })
        await assert.rejects(finish(revealing.id, 'disabled', '123456'), { message: 'User is disabled.' })
      })

      test("is not replaced with a code for an address that is no longer the user's", async () => {
        const { UserPoolId, clients } = await pool({})
        const [{ id: ClientId }] = clients
        await confirmed(UserPoolId, 'ann', { email: 'lost@example.com', email_verified: 'true' })
        await reset(ClientId, 'ann')
        await update(UserPoolId, 'ann', { email: 'kept@example.com', email_verified: 'true' })
        await assert.rejects(finish(ClientId, 'ann', plane.codeFor('lost@example.com')), {
          name: 'ExpiredCodeException',
        })
        await reset(ClientId, 'ann')
        await finish(ClientId, 'ann', plane.codeFor('kept@example.com'))
      })

      test('is not replaced with a code that is older than a password set by an administrator', async () => {
        const { UserPoolId, clients } = await pool({})
        const [{ id: ClientId }] = clients
        await confirmed(UserPoolId, 'ann', { email: 'before@example.com', email_verified: 'true' })
        for (const Permanent of [true, false]) {
          await reset(ClientId, 'ann')
          await plane.primary.cognito.send(
            new AdminSetUserPasswordCommand({ UserPoolId, Username: 'ann', Password: 'Passw0rd!', Permanent }),
          )
          await assert.rejects(finish(ClientId, 'ann', plane.codeFor('before@example.com')), {
            name: 'ExpiredCodeException',
          })
        }
      })

      test('can be tried twenty times an hour, codes and responses together', async () => {
        const { UserPoolId, clients } = await pool({})
        const [{ id: ClientId }] = clients
        await confirmed(UserPoolId, 'ann', { email: 'often@example.com', email_verified: 'true' })
        for (let at = 0; at < 10; at += 1) {
          await reset(ClientId, 'ann')
          await assert.rejects(finish(ClientId, 'ann', 'wrong'), { name: 'CodeMismatchException' })
        }
        await assert.rejects(finish(ClientId, 'ann', plane.codeFor('often@example.com')), {
          name: 'LimitExceededException',
          message: 'Attempt limit exceeded, please try after some time.',
        })
      })

      test('AdminResetUserPassword asks the user for a new one', async () => {
        const { UserPoolId, clients } = await pool({})
        await confirmed(UserPoolId, 'ann', { email: 'asked@example.com', email_verified: 'true' })
        await plane.primary.cognito.send(new AdminResetUserPasswordCommand({ UserPoolId, Username: 'ann' }))
        assert.equal((await userOf(UserPoolId, 'ann')).UserStatus, 'RESET_REQUIRED')
        await finish(clients[0].id, 'ann', plane.codeFor('asked@example.com'))
        assert.equal((await userOf(UserPoolId, 'ann')).UserStatus, 'CONFIRMED')
      })

      test('is refused for unconfirmed users', async () => {
        const { UserPoolId, clients } = await pool({})
        const [{ id: ClientId }] = clients
        await plane.primary.cognito.send(
          new SignUpCommand({
            ClientId,
            Username: 'ann',
            Password: 'Passw0rd!',
            UserAttributes: attributes({ email: 'unc@example.com' }),
          }),
        )
        await assert.rejects(reset(ClientId, 'ann'), { name: 'InvalidParameterException' })
        await update(UserPoolId, 'ann', { email_verified: 'true' })
        await reset(ClientId, 'ann')
        await assert.rejects(finish(ClientId, 'ann', plane.codeFor('unc@example.com')), {
          name: 'UserNotConfirmedException',
          message: 'User is not confirmed.',
        })
        await plane.primary.cognito.send(new AdminConfirmSignUpCommand({ UserPoolId, Username: 'ann' }))
        await finish(ClientId, 'ann', plane.codeFor('unc@example.com'))
      })
    })
  })
}
