import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  AdminConfirmSignUpCommand,
  AdminDisableUserCommand,
  AdminGetUserCommand,
  AdminUpdateUserAttributesCommand,
  type AttributeType,
  ConfirmSignUpCommand,
  ResendConfirmationCodeCommand,
  SignUpCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { createClient, createPool, secretHash } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'

const Password = 'Passw0rd!'
const attributes = (values: Record<string, string>): AttributeType[] =>
  Object.entries(values).map(([Name, Value]) => ({ Name, Value }))

for (const engine of engines) {
  describe(`sign-up on ${engine}`, () => {
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
    const signUp = (ClientId: string, Username: string, values: Record<string, string> = {}, more: object = {}) =>
      plane.primary.cognito.send(
        new SignUpCommand({ ClientId, Username, Password, UserAttributes: attributes(values), ...more }),
      )
    const confirm = (ClientId: string, Username: string, ConfirmationCode: string, more: object = {}) =>
      plane.primary.cognito.send(new ConfirmSignUpCommand({ ClientId, Username, ConfirmationCode, ...more }))
    const resend = (ClientId: string, Username: string) =>
      plane.primary.cognito.send(new ResendConfirmationCodeCommand({ ClientId, Username }))
    const userOf = async (UserPoolId: string, Username: string) => {
      const user = await plane.primary.cognito.send(new AdminGetUserCommand({ UserPoolId, Username }))
      return {
        ...user,
        attributes: Object.fromEntries((user.UserAttributes ?? []).map(({ Name, Value }) => [Name, Value])),
      }
    }
    const otherCode = (code: string) => (code === '000000' ? '000001' : '000000')

    test('a user signs up, receives a code, and confirms with it', async () => {
      const { UserPoolId, clients } = await pool({ AutoVerifiedAttributes: ['email'] })
      const [{ id: ClientId }] = clients
      const answer = await signUp(ClientId, 'ann', { email: 'ann@example.com', name: 'Ann' })
      assert.equal(answer.UserConfirmed, false)
      assert.match(answer.UserSub ?? '', /^[0-9a-f-]{36}$/)
      assert.deepEqual(answer.CodeDeliveryDetails, {
        Destination: 'a***@e***',
        DeliveryMedium: 'EMAIL',
        AttributeName: 'email',
      })
      const unconfirmed = await userOf(UserPoolId, 'ann')
      assert.equal(unconfirmed.UserStatus, 'UNCONFIRMED')
      assert.deepEqual(unconfirmed.attributes, {
        sub: answer.UserSub,
        email: 'ann@example.com',
        name: 'Ann',
      })

      const code = plane.codeFor('ann@example.com')
      assert.match(code, /^\d{6}$/)
      await assert.rejects(confirm(ClientId, 'ann', otherCode(code)), {
        name: 'CodeMismatchException',
        message: 'Invalid verification code provided, please try again.',
      })
      await confirm(ClientId, 'ann', code)
      const confirmed = await userOf(UserPoolId, 'ann')
      assert.equal(confirmed.UserStatus, 'CONFIRMED')
      assert.equal(confirmed.attributes.email_verified, 'true')
      await assert.rejects(confirm(ClientId, 'ann', code), {
        name: 'NotAuthorizedException',
        message: 'User cannot be confirmed. Current status is CONFIRMED',
      })
      await assert.rejects(resend(ClientId, 'ann'), {
        name: 'InvalidParameterException',
        message: 'User is already confirmed.',
      })
    })

    test('the code goes to the phone first, with the template of the pool, and the number is masked', async () => {
      const { clients } = await pool({
        AutoVerifiedAttributes: ['email', 'phone_number'],
        SmsVerificationMessage: 'Code {####} for {username}',
      })
      const answer = await signUp(clients[0].id, 'bo<b', {
        email: 'bob@example.com',
        phone_number: '+12065551234',
      })
      assert.deepEqual(answer.CodeDeliveryDetails, {
        Destination: '+*******1234',
        DeliveryMedium: 'SMS',
        AttributeName: 'phone_number',
      })
      assert.equal(plane.inbox[0]?.body, `Code ${plane.codeFor('+12065551234')} for bo<b`)
    })

    test('user input is escaped in an e-mail', async () => {
      const { clients } = await pool({
        AutoVerifiedAttributes: ['email'],
        VerificationMessageTemplate: { EmailMessage: '<p>{username}: {####}</p>', EmailSubject: 'For {username}' },
      })
      await signUp(clients[0].id, '<b>{####}', { email: 'html@example.com' })
      const code = plane.codeFor('html@example.com')
      assert.equal(plane.inbox[0]?.body, `<p>&#60;b&#62;{####}: ${code}</p>`)
      assert.equal(plane.inbox[0]?.subject, 'For <b>{####}')
    })

    test('a new code invalidates the previous one', async () => {
      const { clients } = await pool({ AutoVerifiedAttributes: ['email'] })
      const [{ id: ClientId }] = clients
      await signUp(ClientId, 'eve', { email: 'eve@example.com' })
      const first = plane.codeFor('eve@example.com')
      let second = first
      // Once in a million runs both codes are equal.
      while (second === first) {
        const { CodeDeliveryDetails } = await resend(ClientId, 'eve')
        assert.equal(CodeDeliveryDetails?.Destination, 'e***@e***')
        second = plane.codeFor('eve@example.com')
      }
      await assert.rejects(confirm(ClientId, 'eve', first), { name: 'CodeMismatchException' })
      await confirm(ClientId, 'eve', second)
    })

    test('five codes an hour can be requested, and fifteen can be tried', async () => {
      const { clients } = await pool({ AutoVerifiedAttributes: ['email'] }, { PreventUserExistenceErrors: 'ENABLED' })
      const [{ id: ClientId }] = clients
      await signUp(ClientId, 'lim', { email: 'lim@example.com' })
      const exceeded = {
        name: 'LimitExceededException',
        message: 'Attempt limit exceeded, please try after some time.',
      }
      for (const name of ['lim', 'nobody']) {
        for (let at = 0; at < 5; at += 1) await resend(ClientId, name)
        await assert.rejects(resend(ClientId, name), exceeded)
      }
      const wrong = otherCode(plane.codeFor('lim@example.com'))
      for (let at = 0; at < 15; at += 1) {
        await assert.rejects(confirm(ClientId, 'lim', wrong), { name: 'CodeMismatchException' })
      }
      await assert.rejects(confirm(ClientId, 'lim', plane.codeFor('lim@example.com')), exceeded)
    })

    test('a client that hides which users exist responds the same for an unknown user; other clients report it', async () => {
      const { clients } = await pool(
        { AutoVerifiedAttributes: ['email'] },
        { PreventUserExistenceErrors: 'ENABLED' },
        { PreventUserExistenceErrors: 'LEGACY' },
      )
      const [hiding, revealing] = clients
      const invented = await resend(hiding.id, 'ghost')
      assert.match(invented.CodeDeliveryDetails?.Destination ?? '', /^[a-z]\*\*\*@[a-z]\*\*\*$/)
      assert.deepEqual((await resend(hiding.id, 'ghost')).CodeDeliveryDetails, invented.CodeDeliveryDetails)
      await assert.rejects(confirm(hiding.id, 'ghost', '123456'), { name: 'CodeMismatchException' })
      const notFound = { name: 'UserNotFoundException', message: 'Username/client id combination not found.' }
      await assert.rejects(resend(revealing.id, 'ghost'), notFound)
      await assert.rejects(confirm(revealing.id, 'ghost', '123456'), notFound)
    })

    test('a pool that verifies nothing sends no code, and an administrator confirms', async () => {
      const { UserPoolId, clients } = await pool({})
      const [{ id: ClientId }] = clients
      const answer = await signUp(ClientId, 'quiet', { email: 'quiet@example.com' })
      assert.equal(answer.CodeDeliveryDetails, undefined)
      await assert.rejects(resend(ClientId, 'quiet'), {
        name: 'InvalidParameterException',
        message: 'Cannot resend codes. Auto verification not turned on.',
      })
      await assert.rejects(confirm(ClientId, 'quiet', '123456'), {
        name: 'ExpiredCodeException',
        message: 'Invalid code provided, please request a code again.',
      })
      const confirmation = new AdminConfirmSignUpCommand({ UserPoolId, Username: 'quiet' })
      await plane.primary.cognito.send(confirmation)
      const user = await userOf(UserPoolId, 'quiet')
      assert.deepEqual([user.UserStatus, user.attributes.email_verified], ['CONFIRMED', undefined])
      await assert.rejects(plane.primary.cognito.send(confirmation), {
        name: 'NotAuthorizedException',
        message: 'User cannot be confirmed. Current status is CONFIRMED',
      })
    })

    test('a username is unique, also in another case where the pool is case-insensitive', async () => {
      const exact = await pool({})
      await signUp(exact.clients[0].id, 'Kim')
      await signUp(exact.clients[0].id, 'kim')
      const taken = { name: 'UsernameExistsException', message: 'User already exists' }
      await assert.rejects(signUp(exact.clients[0].id, 'Kim'), taken)
      const folding = await pool({ UsernameConfiguration: { CaseSensitive: false } })
      await signUp(folding.clients[0].id, 'Kim')
      await assert.rejects(signUp(folding.clients[0].id, 'kIM'), taken)
      assert.equal((await userOf(folding.UserPoolId, 'KIM')).Username, 'Kim')
    })

    test('of many sign-ups with one name at once, one succeeds', async () => {
      const { clients } = await pool({})
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => signUp(clients[0].id, 'race')))
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
      for (const result of results) {
        if (result.status === 'rejected') assert.equal(result.reason.name, 'UsernameExistsException')
      }
    })

    test("another user's sub cannot be a username", async () => {
      const { clients } = await pool({})
      const { UserSub } = await signUp(clients[0].id, 'first')
      await assert.rejects(signUp(clients[0].id, UserSub as string), { name: 'UsernameExistsException' })
    })

    describe('where people sign up with an address', () => {
      test('the address becomes the attribute and the sub the username, and each address has one account', async () => {
        const { UserPoolId, clients } = await pool({ UsernameAttributes: ['email'], AutoVerifiedAttributes: ['email'] })
        const [{ id: ClientId }] = clients
        const { UserSub } = await signUp(ClientId, 'una@example.com')
        const user = await userOf(UserPoolId, 'una@example.com')
        assert.equal(user.Username, UserSub)
        assert.equal(user.attributes.email, 'una@example.com')
        await assert.rejects(signUp(ClientId, 'una@example.com'), {
          name: 'UsernameExistsException',
          message: 'An account with the given email already exists.',
        })
        await confirm(ClientId, 'una@example.com', plane.codeFor('una@example.com'))
        assert.equal((await userOf(UserPoolId, UserSub as string)).UserStatus, 'CONFIRMED')
      })

      test('a name that is not an address is refused with the message for the pool', async () => {
        const only = await pool({ UsernameAttributes: ['email'] })
        const both = await pool({ UsernameAttributes: ['phone_number', 'email'] })
        const refused = (message: string) => ({ name: 'InvalidParameterException', message })
        await assert.rejects(signUp(only.clients[0].id, 'una'), refused('Username should be an email.'))
        await assert.rejects(signUp(only.clients[0].id, '+12065550001'), refused('Username should be an email.'))
        await assert.rejects(
          signUp(both.clients[0].id, 'una'),
          refused('Username should be either an email or a phone number.'),
        )
        await signUp(both.clients[0].id, '+12065550001')
        await assert.rejects(signUp(both.clients[0].id, 'x@example.com', { phone_number: '+12065550001' }), {
          name: 'UsernameExistsException',
          message: 'An account with the given phone_number already exists.',
        })
        await assert.rejects(signUp(only.clients[0].id, 'a@example.com', { email: 'b@example.com' }), {
          name: 'InvalidParameterException',
        })
      })
    })

    describe('where an address is an alias', () => {
      test('a username must not look like one', async () => {
        const { clients } = await pool({ AliasAttributes: ['email', 'phone_number'] })
        await assert.rejects(signUp(clients[0].id, 'ann@example.com'), {
          name: 'InvalidParameterException',
          message: 'Username cannot be of email format, since user pool is configured for email alias.',
        })
        await assert.rejects(signUp(clients[0].id, '+12065551234'), { name: 'InvalidParameterException' })
      })

      test('it is unique once verified; a second owner gets an error at confirmation, and may take it over', async () => {
        const { UserPoolId, clients } = await pool({ AliasAttributes: ['email'], AutoVerifiedAttributes: ['email'] })
        const [{ id: ClientId }] = clients
        await signUp(ClientId, 'owner', { email: 'shared@example.com' })
        await assert.rejects(userOf(UserPoolId, 'shared@example.com'), { name: 'UserNotFoundException' })
        await confirm(ClientId, 'owner', plane.codeFor('shared@example.com'))
        assert.equal((await userOf(UserPoolId, 'shared@example.com')).Username, 'owner')

        await signUp(ClientId, 'heir', { email: 'shared@example.com' })
        const code = plane.codeFor('shared@example.com')
        await assert.rejects(confirm(ClientId, 'heir', code), {
          name: 'AliasExistsException',
          message: 'An account with the email already exists.',
        })
        assert.equal((await userOf(UserPoolId, 'heir')).UserStatus, 'UNCONFIRMED')
        await confirm(ClientId, 'heir', code, { ForceAliasCreation: true })
        assert.equal((await userOf(UserPoolId, 'shared@example.com')).Username, 'heir')
        assert.equal((await userOf(UserPoolId, 'owner')).attributes.email_verified, 'false')
      })

      test('a preferred username names its user once confirmed, and never another user', async () => {
        const { UserPoolId, clients } = await pool({ AliasAttributes: ['preferred_username'] })
        const [{ id: ClientId }] = clients
        await assert.rejects(signUp(ClientId, 'p1', { preferred_username: 'sunny' }), {
          name: 'InvalidParameterException',
          message: /cannot be provided for unconfirmed account$/,
        })
        await signUp(ClientId, 'p1')
        await plane.primary.cognito.send(
          new AdminUpdateUserAttributesCommand({
            UserPoolId,
            Username: 'p1',
            UserAttributes: attributes({ preferred_username: 'sunny' }),
          }),
        )
        await assert.rejects(userOf(UserPoolId, 'sunny'), { name: 'UserNotFoundException' })
        await plane.primary.cognito.send(new AdminConfirmSignUpCommand({ UserPoolId, Username: 'p1' }))
        assert.equal((await userOf(UserPoolId, 'sunny')).Username, 'p1')
        await assert.rejects(signUp(ClientId, 'sunny'), { name: 'UsernameExistsException' })
        const prefer = (preferred_username: string) =>
          plane.primary.cognito.send(
            new AdminUpdateUserAttributesCommand({
              UserPoolId,
              Username: 'p1',
              UserAttributes: attributes({ preferred_username }),
            }),
          )
        await prefer('p1')
        await signUp(ClientId, 'sunny')
        await assert.rejects(prefer('sunny'), { name: 'AliasExistsException' })
      })
    })

    test('a code confirms nobody once an administrator has replaced its address; a new code does', async () => {
      const { UserPoolId, clients } = await pool(
        { AutoVerifiedAttributes: ['email'] },
        {},
        { PreventUserExistenceErrors: 'ENABLED' },
      )
      const [{ id: ClientId }, hiding] = clients
      await signUp(ClientId, 'moved', { email: 'mistyped@example.com' })
      const code = plane.codeFor('mistyped@example.com')
      const UserAttributes = attributes({ email: 'moved@example.com' })
      await plane.primary.cognito.send(
        new AdminUpdateUserAttributesCommand({ UserPoolId, Username: 'moved', UserAttributes }),
      )
      for (const id of [ClientId, hiding.id]) {
        await assert.rejects(confirm(id, 'moved', code), { name: 'ExpiredCodeException' })
      }
      assert.equal((await userOf(UserPoolId, 'moved')).UserStatus, 'UNCONFIRMED')
      await resend(ClientId, 'moved')
      await confirm(ClientId, 'moved', plane.codeFor('moved@example.com'))
      const { UserStatus, attributes: present } = await userOf(UserPoolId, 'moved')
      assert.deepEqual([UserStatus, present.email_verified], ['CONFIRMED', 'true'])
    })

    test('attributes are checked against the schema', async () => {
      const { UserPoolId, clients } = await pool(
        {
          Schema: [
            { Name: 'email', Required: true, AttributeDataType: 'String' },
            {
              Name: 'plan',
              AttributeDataType: 'String',
              Mutable: true,
              StringAttributeConstraints: { MinLength: '2', MaxLength: '4' },
            },
            { Name: 'age', AttributeDataType: 'Number', Mutable: true, NumberAttributeConstraints: { MinValue: '18' } },
            { Name: 'since', AttributeDataType: 'DateTime', Mutable: true },
            { Name: 'happy', AttributeDataType: 'Boolean', Mutable: true },
          ],
        },
        {
          WriteAttributes: [
            'email',
            'birthdate',
            'phone_number',
            'custom:plan',
            'custom:age',
            'custom:since',
            'custom:happy',
          ],
        },
      )
      const [wide, narrow] = clients
      const email = 'ok@example.com'
      const cases: [Record<string, string>, string][] = [
        [{}, 'Attributes did not conform to the schema: email: The attribute is required'],
        [{ email: '' }, 'Attributes did not conform to the schema: email: The attribute is required'],
        [{ email: 'no address' }, 'Invalid email address format.'],
        [{ email: 'a@b..c' }, 'Invalid email address format.'],
        [{ email, phone_number: '555-1234' }, 'Invalid phone number format'],
        [
          { email, birthdate: '1990' },
          'Attributes did not conform to the schema: birthdate: String must be no shorter than 10 characters',
        ],
        [
          { email, 'custom:plan': 'x' },
          'Attributes did not conform to the schema: custom:plan: String must be no shorter than 2 characters',
        ],
        [
          { email, 'custom:plan': 'xxxxx' },
          'Attributes did not conform to the schema: custom:plan: String must be no longer than 4 characters',
        ],
        [
          { email, 'custom:age': 'old' },
          'Attributes did not conform to the schema: custom:age: Number is not a number',
        ],
        [
          { email, 'custom:age': '17' },
          'Attributes did not conform to the schema: custom:age: Number must be no less than 18',
        ],
        [
          { email, 'custom:since': 'once' },
          'Attributes did not conform to the schema: custom:since: DateTime must be in ISO 8601 format',
        ],
        [
          { email, 'custom:happy': 'very' },
          'Attributes did not conform to the schema: custom:happy: Boolean must be true or false',
        ],
      ]
      for (const [values, message] of cases) {
        await assert.rejects(signUp(wide.id, 'sam', values), { name: 'InvalidParameterException', message })
      }
      const unauthorized = {
        name: 'NotAuthorizedException',
        message: 'A client attempted to write unauthorized attribute',
      }
      for (const name of ['custom:plan', 'email_verified', 'dev:x']) {
        await assert.rejects(signUp(narrow.id, 'sam', { email, [name]: 'true' }), unauthorized)
      }
      await assert.rejects(signUp(wide.id, 'sam', { email, name: 'Sam' }), unauthorized)
      await assert.rejects(signUp(narrow.id, 'sam', { email, sub: 'mine' }), {
        name: 'InvalidParameterException',
      })
      const good = {
        email,
        birthdate: '1990-02-03',
        'custom:plan': 'gold',
        'custom:age': '18',
        'custom:since': '2020-01-02T03:04:05Z',
        'custom:happy': 'True',
      }
      await signUp(wide.id, 'sam', good)
      const { sub, ...kept } = (await userOf(UserPoolId, 'sam')).attributes
      assert.deepEqual(kept, good)
    })

    test('passwords must meet the policy; a password is required unless users sign in with codes', async () => {
      const { clients } = await pool({})
      const [{ id: ClientId }] = clients
      await assert.rejects(signUp(ClientId, 'pw', {}, { Password: 'Short1!' }), {
        name: 'InvalidPasswordException',
        message: 'Password did not conform with policy: Password not long enough',
      })
      await assert.rejects(signUp(ClientId, 'pw', {}, { Password: '' }), { name: 'InvalidPasswordException' })
      await assert.rejects(signUp(ClientId, 'pw', {}, { Password: undefined }), { name: 'InvalidParameterException' })
      const passwordless = await pool({
        Policies: { SignInPolicy: { AllowedFirstAuthFactors: ['PASSWORD', 'EMAIL_OTP'] } },
      })
      const [without] = passwordless.clients
      await assert.rejects(signUp(without.id, 'pw', {}, { Password: undefined }), {
        name: 'InvalidParameterException',
      })
      await signUp(without.id, 'pw', { email: 'pw@example.com' }, { Password: undefined })
      await signUp(without.id, 'pw2', { email: 'pw@example.com' }, { Password: '' })
    })

    test('a client that hides which users exist does not reveal a disabled user, whatever the spelling of the name', async () => {
      const { UserPoolId, clients } = await pool(
        { AutoVerifiedAttributes: ['email'], UsernameConfiguration: { CaseSensitive: false } },
        { PreventUserExistenceErrors: 'ENABLED' },
      )
      const [hiding] = clients
      await signUp(hiding.id, 'off', { email: 'off@example.com' })
      await plane.primary.cognito.send(new AdminDisableUserCommand({ UserPoolId, Username: 'off' }))
      const before = plane.inbox.length
      const { CodeDeliveryDetails } = await resend(hiding.id, 'off')
      assert.equal(CodeDeliveryDetails?.DeliveryMedium, 'EMAIL')
      assert.equal(plane.inbox.length, before)
      for (const [one, other] of [
        ['off', 'OFF'],
        ['nobody', 'NOBODY'],
      ] as const) {
        for (;;)
          if (
            await resend(hiding.id, one).then(
              () => false,
              () => true,
            )
          )
            break
        await assert.rejects(resend(hiding.id, other), { name: 'LimitExceededException' }, other)
      }
    })

    test('a pool may leave sign-up to administrators', async () => {
      const { clients } = await pool({ AdminCreateUserConfig: { AllowAdminCreateUserOnly: true } })
      await assert.rejects(signUp(clients[0].id, 'ann'), {
        name: 'NotAuthorizedException',
        message: 'SignUp is not permitted for this user pool',
      })
    })

    test('a client with a secret proves it in every call', async () => {
      const { clients } = await pool({ AutoVerifiedAttributes: ['email'] }, { GenerateSecret: true })
      const [client] = clients
      const SecretHash = secretHash(client, 'sec')
      const values = { email: 'sec@example.com' }
      await assert.rejects(signUp(client.id, 'sec', values), {
        name: 'NotAuthorizedException',
        message: `Client ${client.id} is configured with secret but SECRET_HASH was not received`,
      })
      await assert.rejects(signUp(client.id, 'other', values, { SecretHash }), {
        name: 'NotAuthorizedException',
        message: `SecretHash does not match for the client: ${client.id}`,
      })
      await signUp(client.id, 'sec', values, { SecretHash })
      const code = plane.codeFor('sec@example.com')
      await assert.rejects(confirm(client.id, 'sec', code), { name: 'NotAuthorizedException' })
      await confirm(client.id, 'sec', code, { SecretHash })
    })
  })
}

describe('where no message can be sent', () => {
  test('the caller gets an error, but the user exists', async () => {
    const plane = await startRegions({ regions: ['us-west-2'], config: { messages: { kind: 'none' } } })
    try {
      const UserPoolId = await createPool(plane.primary, { AutoVerifiedAttributes: ['email'] })
      const { id: ClientId } = await createClient(plane.primary, UserPoolId)
      const UserAttributes = attributes({ email: 'ann@example.com' })
      await assert.rejects(
        plane.primary.cognito.send(new SignUpCommand({ ClientId, Username: 'ann', Password, UserAttributes })),
        { name: 'CodeDeliveryFailureException' },
      )
      const user = await plane.primary.cognito.send(new AdminGetUserCommand({ UserPoolId, Username: 'ann' }))
      assert.equal(user.UserStatus, 'UNCONFIRMED')
    } finally {
      await plane.stop()
    }
  })
})
