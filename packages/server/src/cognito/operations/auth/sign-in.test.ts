import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  AdminDisableUserCommand,
  AdminGetUserCommand,
  AdminInitiateAuthCommand,
  AdminResetUserPasswordCommand,
  AdminRespondToAuthChallengeCommand,
  AdminSetUserPasswordCommand,
  type AuthFlowType,
  type ChallengeNameType,
  type CreateUserPoolClientCommandInput,
  GetUserCommand,
  InitiateAuthCommand,
  type InitiateAuthCommandOutput,
  RespondToAuthChallengeCommand,
  SetUserPoolMfaConfigCommand,
  SignUpCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import {
  createClient,
  createPool,
  createUser,
  PASSWORD,
  SrpClient,
  secretHash,
  type TestClient,
  timestampOf,
} from '@twinpool/testing/pools'
import { engines, type Plane, type RunningRegion, startRegions } from '@twinpool/testing/regions'
import { systemClock } from '../../../clock.ts'

const MINUTE = 60_000
const notAuthorized = (message: string) => ({ name: 'NotAuthorizedException', message })
const invalid = (message: string | RegExp) => ({ name: 'InvalidParameterException', message })
const WRONG = notAuthorized('Incorrect username or password.')

for (const engine of engines) {
  describe(`sign-in on ${engine}`, () => {
    let plane: Plane
    let region: RunningRegion
    let pool: string
    let open: TestClient
    let hiding: TestClient
    let confidential: TestClient
    // How far the region's clock is ahead, or the time at which it is stopped.
    let wound = 0
    let stopped: number | undefined
    let users = 0

    before(async () => {
      const clock = { ...systemClock, now: () => (stopped ?? systemClock.now()) + wound }
      plane = await startRegions({ engine, regions: ['us-west-2'], clock })
      region = plane.primary
      pool = await createPool(region)
      open = await createClient(region, pool)
      hiding = await createClient(region, pool, { PreventUserExistenceErrors: 'ENABLED' })
      confidential = await createClient(region, pool, { GenerateSecret: true })
    })
    after(() => plane.stop())
    afterEach(() => {
      wound = 0
      stopped = undefined
    })

    const newUser = async (options: { temporary?: boolean; pool?: string } = {}): Promise<string> => {
      users += 1
      const username = `user${users}`
      await createUser(region, options.pool ?? pool, { username, ...options })
      return username
    }
    const begin = (AuthFlow: AuthFlowType, { id }: TestClient, AuthParameters: Record<string, string>) =>
      region.cognito.send(new InitiateAuthCommand({ AuthFlow, ClientId: id, AuthParameters }))
    const byPassword = (client: TestClient, USERNAME: string, password = PASSWORD) =>
      begin('USER_PASSWORD_AUTH', client, { USERNAME, PASSWORD: password })
    const respond = (
      { id }: TestClient,
      ChallengeName: ChallengeNameType,
      ChallengeResponses: Record<string, string>,
      Session?: string,
    ) =>
      region.cognito.send(
        new RespondToAuthChallengeCommand({ ClientId: id, ChallengeName, ChallengeResponses, Session }),
      )
    const beginSrp = async (client: TestClient, USERNAME: string, extra: Record<string, string> = {}) => {
      const srp = new SrpClient(pool)
      const asked = await begin('USER_SRP_AUTH', client, { USERNAME, SRP_A: srp.A, ...extra })
      return { srp, asked, parameters: asked.ChallengeParameters as Record<string, string> }
    }

    describe('by password', () => {
      it('returns tokens, empty ChallengeParameters and no session', async () => {
        const answer = await byPassword(open, await newUser())
        const { AccessToken, IdToken, RefreshToken, ...rest } = answer.AuthenticationResult ?? {}
        assert.deepEqual(rest, { ExpiresIn: 3600, TokenType: 'Bearer' })
        assert.match(AccessToken ?? '', /^[\w-]+\.[\w-]+\.[\w-]+$/)
        assert.match(IdToken ?? '', /^[\w-]+\.[\w-]+\.[\w-]+$/)
        assert.match(RefreshToken ?? '', /^eyJjdHki/)
        assert.equal(RefreshToken?.split('.').length, 5)
        assert.deepEqual(answer.ChallengeParameters, {})
        assert.equal(answer.Session, undefined)
        assert.equal(answer.ChallengeName, undefined)
      })

      it('does not accept the sub as a name, which administrators may use', async () => {
        const sub = await createUser(region, pool, { username: 'known-by-sub' })
        const unknown = { name: 'UserNotFoundException', message: 'User does not exist.' }
        for (const name of [sub, sub.toUpperCase()]) {
          await assert.rejects(byPassword(open, name), unknown)
          await assert.rejects(beginSrp(open, name), unknown)
          await assert.rejects(byPassword(hiding, name), WRONG)
        }
        const found = await region.cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username: sub }))
        assert.equal(found.Username, 'known-by-sub')
      })

      it('works for an administrator, also under the legacy flow name', async () => {
        const USERNAME = await newUser()
        for (const AuthFlow of ['ADMIN_USER_PASSWORD_AUTH', 'ADMIN_NO_SRP_AUTH'] as const) {
          const { AuthenticationResult } = await region.cognito.send(
            new AdminInitiateAuthCommand({
              UserPoolId: pool,
              ClientId: open.id,
              AuthFlow,
              AuthParameters: { USERNAME, PASSWORD },
            }),
          )
          assert.ok(AuthenticationResult?.AccessToken)
        }
      })

      it('names the missing parameter', async () => {
        await assert.rejects(
          begin('USER_PASSWORD_AUTH', open, { USERNAME: 'x' }),
          invalid('Missing required parameter PASSWORD'),
        )
        await assert.rejects(begin('USER_PASSWORD_AUTH', open, {}), invalid('Missing required parameter USERNAME'))
        await assert.rejects(
          begin('USER_SRP_AUTH', open, { USERNAME: 'x' }),
          invalid('Missing required parameter SRP_A'),
        )
        await assert.rejects(begin('REFRESH_TOKEN_AUTH', open, {}), invalid('Missing required parameter REFRESH_TOKEN'))
      })

      it('refuses a client of another pool', async () => {
        const other = await createPool(region)
        await assert.rejects(
          region.cognito.send(
            new AdminInitiateAuthCommand({
              UserPoolId: other,
              ClientId: open.id,
              AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
              AuthParameters: { USERNAME: 'x', PASSWORD },
            }),
          ),
          { name: 'ResourceNotFoundException', message: `User pool client ${open.id} does not exist.` },
        )
      })
    })

    describe('flows', () => {
      const withFlows = (ExplicitAuthFlows: CreateUserPoolClientCommandInput['ExplicitAuthFlows']) =>
        createClient(region, pool, { ExplicitAuthFlows })

      it('are refused where the client does not list them', async () => {
        const srpOnly = await withFlows(['ALLOW_USER_SRP_AUTH'])
        const passwordOnly = await withFlows(['ALLOW_USER_PASSWORD_AUTH'])
        await assert.rejects(byPassword(srpOnly, 'x'), invalid('USER_PASSWORD_AUTH flow not enabled for this client'))
        await assert.rejects(
          begin('USER_SRP_AUTH', passwordOnly, { USERNAME: 'x', SRP_A: 'abc' }),
          invalid('Auth flow not enabled for this client'),
        )
        await assert.rejects(
          begin('CUSTOM_AUTH', passwordOnly, { USERNAME: 'x' }),
          invalid('CUSTOM_AUTH is not enabled for the client.'),
        )
        await assert.rejects(
          begin('REFRESH_TOKEN_AUTH', passwordOnly, { REFRESH_TOKEN: 'x' }),
          invalid('Auth flow not enabled for this client'),
        )
        await assert.rejects(
          region.cognito.send(
            new AdminInitiateAuthCommand({
              UserPoolId: pool,
              ClientId: passwordOnly.id,
              AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
              AuthParameters: { USERNAME: 'x', PASSWORD },
            }),
          ),
          invalid('Auth flow not enabled for this client'),
        )
      })

      it('of administrators are refused in unsigned calls', async () => {
        for (const flow of ['ADMIN_USER_PASSWORD_AUTH', 'ADMIN_NO_SRP_AUTH'] as const) {
          await assert.rejects(
            begin(flow, open, { USERNAME: 'x', PASSWORD }),
            invalid('Initiate Auth method not supported'),
          )
        }
      })

      it('with the password of the user are refused in calls of administrators, who have their own', async () => {
        await assert.rejects(
          region.cognito.send(
            new AdminInitiateAuthCommand({
              UserPoolId: pool,
              ClientId: open.id,
              AuthFlow: 'USER_PASSWORD_AUTH',
              AuthParameters: { USERNAME: await newUser(), PASSWORD },
            }),
          ),
          invalid('Initiate Auth method not supported'),
        )
      })

      it('are SRP, custom and refresh by default', async () => {
        const client = await withFlows(undefined)
        await assert.rejects(byPassword(client, 'x'), invalid('USER_PASSWORD_AUTH flow not enabled for this client'))
        assert.equal((await beginSrp(client, await newUser())).asked.ChallengeName, 'PASSWORD_VERIFIER')
        await assert.rejects(begin('CUSTOM_AUTH', client, { USERNAME: 'x' }), { name: 'NotImplementedException' })
      })

      it('have legacy names', async () => {
        const USERNAME = await newUser()
        const legacy = await withFlows(['ADMIN_NO_SRP_AUTH', 'USER_PASSWORD_AUTH'])
        assert.ok((await byPassword(legacy, USERNAME)).AuthenticationResult)
        assert.equal((await beginSrp(legacy, USERNAME)).asked.ChallengeName, 'PASSWORD_VERIFIER')
        const custom = await withFlows(['CUSTOM_AUTH_FLOW_ONLY'])
        await assert.rejects(beginSrp(custom, USERNAME), invalid('Auth flow not enabled for this client'))
      })
    })

    describe('by SRP', () => {
      it('asks for the proof of the password, and accepts it with and without Session', async () => {
        const username = await newUser()
        for (const withSession of [true, false]) {
          const srp = new SrpClient(pool)
          const asked = await region.cognito.send(
            new InitiateAuthCommand({
              AuthFlow: 'USER_SRP_AUTH',
              ClientId: open.id,
              AuthParameters: { USERNAME: username, SRP_A: srp.A },
              ...(withSession && { Session: 'the-session-of-a-step-before' }),
            }),
          )
          const parameters = asked.ChallengeParameters as Record<string, string>
          assert.equal(asked.ChallengeName, 'PASSWORD_VERIFIER')
          assert.deepEqual(Object.keys(parameters).sort(), [
            'SALT',
            'SECRET_BLOCK',
            'SRP_B',
            'USERNAME',
            'USER_ID_FOR_SRP',
          ])
          assert.equal(parameters.USER_ID_FOR_SRP, username)
          if (withSession) assert.ok(asked.Session && asked.Session.length >= 20 && asked.Session.length <= 2048)
          else assert.equal(asked.Session, undefined)
          const { AuthenticationResult } = await respond(
            open,
            'PASSWORD_VERIFIER',
            srp.answer(parameters, PASSWORD),
            asked.Session,
          )
          const { Username } = await region.cognito.send(
            new GetUserCommand({ AccessToken: AuthenticationResult?.AccessToken }),
          )
          assert.equal(Username, username)
        }
      })

      it('works through the operations of administrators', async () => {
        const USERNAME = await newUser()
        const srp = new SrpClient(pool)
        const asked = await region.cognito.send(
          new AdminInitiateAuthCommand({
            UserPoolId: pool,
            ClientId: open.id,
            AuthFlow: 'USER_SRP_AUTH',
            AuthParameters: { USERNAME, SRP_A: srp.A },
          }),
        )
        const { AuthenticationResult } = await region.cognito.send(
          new AdminRespondToAuthChallengeCommand({
            UserPoolId: pool,
            ClientId: open.id,
            ChallengeName: 'PASSWORD_VERIFIER',
            Session: asked.Session,
            ChallengeResponses: srp.answer(asked.ChallengeParameters as Record<string, string>, PASSWORD),
          }),
        )
        assert.ok(AuthenticationResult?.IdToken)
      })

      it('refuses a wrong password, and a proof over other values', async () => {
        const { srp, parameters } = await beginSrp(open, await newUser())
        await assert.rejects(respond(open, 'PASSWORD_VERIFIER', srp.answer(parameters, 'Wrong-Horse-7')), WRONG)
        const stranger = new SrpClient(pool)
        await assert.rejects(respond(open, 'PASSWORD_VERIFIER', stranger.answer(parameters, PASSWORD)), WRONG)
      })

      it('accepts a response once', async () => {
        const { srp, asked, parameters } = await beginSrp(open, await newUser())
        const answer = srp.answer(parameters, PASSWORD)
        await respond(open, 'PASSWORD_VERIFIER', answer, asked.Session)
        const spent = notAuthorized('Invalid session for the user, session can only be used once.')
        await assert.rejects(respond(open, 'PASSWORD_VERIFIER', answer, asked.Session), spent)
        await assert.rejects(respond(open, 'PASSWORD_VERIFIER', answer), spent)
      })

      it('accepts only one of two concurrent responses', async () => {
        const { srp, parameters } = await beginSrp(open, await newUser())
        const answer = srp.answer(parameters, PASSWORD)
        const outcomes = await Promise.allSettled(
          Array.from({ length: 4 }, () => respond(open, 'PASSWORD_VERIFIER', answer)),
        )
        assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
      })

      it('refuses a response after the session has expired', async () => {
        const { srp, parameters } = await beginSrp(open, await newUser())
        wound = 3 * MINUTE + 1_000
        await assert.rejects(
          respond(open, 'PASSWORD_VERIFIER', srp.answer(parameters, PASSWORD)),
          notAuthorized('Invalid session for the user, session is expired.'),
        )
      })

      it('keeps a session as long as the client configures', async () => {
        const patient = await createClient(region, pool, { AuthSessionValidity: 15 })
        const { srp, parameters } = await beginSrp(patient, await newUser())
        wound = 14 * MINUTE
        const now = new Date(Date.now() + wound)
        assert.ok(
          (await respond(patient, 'PASSWORD_VERIFIER', srp.answer(parameters, PASSWORD, now))).AuthenticationResult,
        )
      })

      it('binds the session to its client, its user and its block', async () => {
        const [one, two] = [await newUser(), await newUser()]
        const { srp, parameters } = await beginSrp(open, one)
        const answer = srp.answer(parameters, PASSWORD)
        const broken = notAuthorized('Invalid session for the user.')
        await assert.rejects(respond(hiding, 'PASSWORD_VERIFIER', answer), broken)
        await assert.rejects(respond(open, 'PASSWORD_VERIFIER', { ...answer, USERNAME: two }), broken)
        const { Session } = await byPassword(open, await newUser({ temporary: true }))
        await assert.rejects(respond(open, 'PASSWORD_VERIFIER', answer, Session), broken)
        const block = Buffer.from(parameters.SECRET_BLOCK ?? '', 'base64')
        block.writeUInt8(block.readUInt8(40) ^ 1, 40)
        await assert.rejects(
          respond(open, 'PASSWORD_VERIFIER', { ...answer, PASSWORD_CLAIM_SECRET_BLOCK: block.toString('base64') }),
          broken,
        )
        assert.ok((await respond(open, 'PASSWORD_VERIFIER', answer)).AuthenticationResult)
      })

      it('refuses a timestamp that is malformed, old, or of another weekday', async () => {
        const malformed = invalid('TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english')
        const { srp, parameters } = await beginSrp(open, await newUser())
        const answer = srp.answer(parameters, PASSWORD)
        await assert.rejects(
          respond(open, 'PASSWORD_VERIFIER', { ...answer, TIMESTAMP: new Date().toISOString() }),
          malformed,
        )
        const now = timestampOf(new Date())
        const [weekday = '', ...rest] = now.split(' ')
        for (const TIMESTAMP of [
          now.replace('UTC', 'GMT'),
          now.replace(/ (\d+) /, ' 0$1 '),
          now.replace(/ (\d+) /, '  $1 '),
          now.replace(/ \d+ /, ' 31 ').replace(/ [A-Z][a-z]{2} /, ' Feb '),
          now.toUpperCase(),
          `${now} `,
          rest.join(' '),
          `Day ${rest.join(' ')}`,
        ]) {
          await assert.rejects(respond(open, 'PASSWORD_VERIFIER', { ...answer, TIMESTAMP }), malformed, TIMESTAMP)
        }
        const other = weekday === 'Mon' ? 'Tue' : 'Mon'
        await assert.rejects(respond(open, 'PASSWORD_VERIFIER', { ...answer, TIMESTAMP: [other, ...rest].join(' ') }), {
          name: 'NotAuthorizedException',
        })
        const old = timestampOf(new Date(Date.now() - 10 * MINUTE))
        await assert.rejects(respond(open, 'PASSWORD_VERIFIER', { ...answer, TIMESTAMP: old }), {
          name: 'NotAuthorizedException',
        })
      })

      it('accepts an address as the username where users sign up with one, and returns the sub for SRP', async () => {
        const addressed = await createPool(region, { UsernameAttributes: ['email'] })
        const client = await createClient(region, addressed, { PreventUserExistenceErrors: 'ENABLED' })
        const sub = await createUser(region, addressed, { username: 'ada@example.com' })
        for (const USERNAME of ['ada@example.com', sub]) {
          const srp = new SrpClient(addressed)
          const asked = await begin('USER_SRP_AUTH', client, { USERNAME, SRP_A: srp.A })
          const parameters = asked.ChallengeParameters as Record<string, string>
          assert.equal(parameters.USER_ID_FOR_SRP, sub)
          const answer = { ...srp.answer(parameters, PASSWORD), USERNAME }
          assert.ok((await respond(client, 'PASSWORD_VERIFIER', answer)).AuthenticationResult)
        }
        const { ChallengeParameters } = await begin('USER_SRP_AUTH', client, {
          USERNAME: 'nobody@example.com',
          SRP_A: new SrpClient(addressed).A,
        })
        assert.match(ChallengeParameters?.USER_ID_FOR_SRP ?? '', /^[0-9a-f-]{36}$/)
      })

      it('refuses a public value that would make the session key predictable', async () => {
        const USERNAME = await newUser()
        for (const SRP_A of ['0', '1', 'no number']) {
          await assert.rejects(begin('USER_SRP_AUTH', open, { USERNAME, SRP_A }), {
            name: 'InvalidParameterException',
          })
        }
      })
    })

    describe('the secret of a client', () => {
      it('is proved over the username; in a response over the username of the response', async () => {
        const username = await newUser()
        const SECRET_HASH = secretHash(confidential, username)
        assert.ok(
          (await begin('USER_PASSWORD_AUTH', confidential, { USERNAME: username, PASSWORD, SECRET_HASH }))
            .AuthenticationResult,
        )
        const { srp, parameters } = await beginSrp(confidential, username, { SECRET_HASH })
        assert.ok(
          (await respond(confidential, 'PASSWORD_VERIFIER', { ...srp.answer(parameters, PASSWORD), SECRET_HASH }))
            .AuthenticationResult,
        )
      })

      it('is required, and a wrong proof is refused', async () => {
        const USERNAME = await newUser()
        await assert.rejects(
          byPassword(confidential, USERNAME),
          notAuthorized(`Client ${confidential.id} is configured with secret but SECRET_HASH was not received`),
        )
        await assert.rejects(
          begin('USER_PASSWORD_AUTH', confidential, {
            USERNAME,
            PASSWORD,
            SECRET_HASH: secretHash(confidential, 'somebody else'),
          }),
          notAuthorized(`SecretHash does not match for the client: ${confidential.id}`),
        )
        await assert.rejects(
          begin('USER_PASSWORD_AUTH', open, { USERNAME, PASSWORD, SECRET_HASH: 'abc' }),
          notAuthorized(`Unable to verify secret hash for client ${open.id}`),
        )
      })
    })

    describe('a user who does not exist', () => {
      it('is reported by a client that does not hide which users exist', async () => {
        const missing = { name: 'UserNotFoundException', message: 'User does not exist.' }
        await assert.rejects(byPassword(open, 'nobody'), missing)
        await assert.rejects(beginSrp(open, 'nobody'), missing)
      })

      it('looks like a wrong password to a client that hides which users exist', async () => {
        const username = await newUser()
        await assert.rejects(byPassword(hiding, username, 'Wrong-Horse-7'), WRONG)
        await assert.rejects(byPassword(hiding, 'nobody', 'Wrong-Horse-7'), WRONG)
      })

      it('is asked for a proof by SRP, with the name as the id and the same salt each time, and fails at the proof', async () => {
        const first = await beginSrp(hiding, 'nobody')
        const second = await beginSrp(hiding, 'nobody')
        const third = await beginSrp(hiding, 'nobody else')
        assert.equal(first.parameters.USER_ID_FOR_SRP, 'nobody')
        assert.match(first.parameters.SALT ?? '', /^[0-9a-f]{25,32}$/)
        for (const name of ['SALT', 'USER_ID_FOR_SRP']) {
          assert.equal(first.parameters[name], second.parameters[name])
          assert.notEqual(first.parameters[name], third.parameters[name])
        }
        assert.notEqual(first.parameters.SRP_B, second.parameters.SRP_B)
        const answer = first.srp.answer(first.parameters, PASSWORD)
        await assert.rejects(respond(hiding, 'PASSWORD_VERIFIER', answer, first.asked.Session), WRONG)
        await assert.rejects(
          respond(hiding, 'PASSWORD_VERIFIER', { ...answer, USERNAME: 'another' }),
          notAuthorized('Invalid session for the user.'),
        )
      })

      it('is locked out like an existing user', async () => {
        stopped = systemClock.now()
        for (let i = 0; i < 5; i += 1) await assert.rejects(byPassword(hiding, 'locked nobody'), WRONG)
        await assert.rejects(byPassword(hiding, 'locked nobody'), notAuthorized('Password attempts exceeded'))
      })
    })

    describe('wrong passwords', () => {
      it('lock the user out after the fifth, and twice as long after each further one', async () => {
        const username = await newUser()
        stopped = systemClock.now()
        const locked = notAuthorized('Password attempts exceeded')
        for (let i = 0; i < 5; i += 1) await assert.rejects(byPassword(open, username, 'Wrong-Horse-7'), WRONG)
        for (let i = 0; i < 3; i += 1) await assert.rejects(byPassword(open, username), locked)
        wound = 999
        await assert.rejects(byPassword(open, username), locked)
        wound = 1_000
        await assert.rejects(byPassword(open, username, 'Wrong-Horse-7'), WRONG)
        wound = 2_999
        await assert.rejects(byPassword(open, username), locked)
        wound = 3_000
        assert.ok((await byPassword(open, username)).AuthenticationResult)
        await assert.rejects(byPassword(open, username, 'Wrong-Horse-7'), WRONG)
        assert.ok((await byPassword(open, username)).AuthenticationResult)
      })

      it('count in SRP too', async () => {
        const username = await newUser()
        stopped = systemClock.now()
        for (let i = 0; i < 5; i += 1) {
          const { srp, parameters } = await beginSrp(open, username)
          await assert.rejects(respond(open, 'PASSWORD_VERIFIER', srp.answer(parameters, 'Wrong-Horse-7')), WRONG)
        }
        const { srp, parameters } = await beginSrp(open, username)
        await assert.rejects(
          respond(open, 'PASSWORD_VERIFIER', srp.answer(parameters, PASSWORD)),
          notAuthorized('Password attempts exceeded'),
        )
        await assert.rejects(byPassword(open, username), notAuthorized('Password attempts exceeded'))
      })

      it('are forgotten after 15 minutes', async () => {
        const username = await newUser()
        for (let i = 0; i < 4; i += 1) await assert.rejects(byPassword(open, username, 'Wrong-Horse-7'), WRONG)
        wound = 15 * MINUTE + 1_000
        for (let i = 0; i < 4; i += 1) await assert.rejects(byPassword(open, username, 'Wrong-Horse-7'), WRONG)
        assert.ok((await byPassword(open, username)).AuthenticationResult)
      })
    })

    describe('the state of the user', () => {
      it('unconfirmed: is reported at once, or only with the correct password', async () => {
        await region.cognito.send(new SignUpCommand({ ClientId: open.id, Username: 'unconfirmed', Password: PASSWORD }))
        const unconfirmed = { name: 'UserNotConfirmedException', message: 'User is not confirmed.' }
        await assert.rejects(byPassword(open, 'unconfirmed'), unconfirmed)
        await assert.rejects(byPassword(open, 'unconfirmed', 'Wrong-Horse-7'), unconfirmed)
        await assert.rejects(beginSrp(open, 'unconfirmed'), unconfirmed)
        await assert.rejects(byPassword(hiding, 'unconfirmed', 'Wrong-Horse-7'), WRONG)
        await assert.rejects(byPassword(hiding, 'unconfirmed'), unconfirmed)
      })

      it('disabled: is reported at once, or only with the correct password', async () => {
        const username = await newUser()
        await region.cognito.send(new AdminDisableUserCommand({ UserPoolId: pool, Username: username }))
        const disabled = notAuthorized('User is disabled.')
        await assert.rejects(byPassword(open, username, 'Wrong-Horse-7'), disabled)
        await assert.rejects(beginSrp(open, username), disabled)
        await assert.rejects(byPassword(hiding, username, 'Wrong-Horse-7'), WRONG)
        await assert.rejects(byPassword(hiding, username), disabled)
        const { srp, parameters } = await beginSrp(hiding, username)
        await assert.rejects(respond(hiding, 'PASSWORD_VERIFIER', srp.answer(parameters, PASSWORD)), disabled)
      })

      it('to be reset: is reported at once, or only with the correct password', async () => {
        const username = 'to-reset'
        await createUser(region, pool, {
          username,
          attributes: [
            { Name: 'email', Value: 'reset@example.com' },
            { Name: 'email_verified', Value: 'true' },
          ],
        })
        await region.cognito.send(new AdminResetUserPasswordCommand({ UserPoolId: pool, Username: username }))
        const reset = { name: 'PasswordResetRequiredException', message: 'Password reset required for the user' }
        await assert.rejects(byPassword(open, username, 'Wrong-Horse-7'), reset)
        await assert.rejects(byPassword(hiding, username, 'Wrong-Horse-7'), WRONG)
      })

      it('in need of MFA: never gets tokens without MFA', async () => {
        const strict = await createPool(region)
        await region.cognito.send(
          new SetUserPoolMfaConfigCommand({
            UserPoolId: strict,
            MfaConfiguration: 'ON',
            SoftwareTokenMfaConfiguration: { Enabled: true },
          }),
        )
        const client = await createClient(region, strict)
        const username = await newUser({ pool: strict })
        await assert.rejects(byPassword(client, username), {
          name: 'NotImplementedException',
          message: /has to pass MFA/,
        })
      })
    })

    describe('a temporary password', () => {
      const answerNew = (
        client: TestClient,
        { Session }: InitiateAuthCommandOutput,
        responses: Record<string, string>,
      ) => respond(client, 'NEW_PASSWORD_REQUIRED', responses, Session)

      it('asks for a new password, which replaces it', async () => {
        const USERNAME = await newUser({ temporary: true })
        const asked = await byPassword(open, USERNAME)
        assert.equal(asked.ChallengeName, 'NEW_PASSWORD_REQUIRED')
        assert.equal(asked.AuthenticationResult, undefined)
        assert.deepEqual(asked.ChallengeParameters, {
          USER_ID_FOR_SRP: USERNAME,
          userAttributes: '{}',
          requiredAttributes: '[]',
        })
        const done = await answerNew(open, asked, { USERNAME, NEW_PASSWORD: 'Battery-Staple-8' })
        assert.ok(done.AuthenticationResult?.AccessToken)
        await assert.rejects(byPassword(open, USERNAME), WRONG)
        assert.ok((await byPassword(open, USERNAME, 'Battery-Staple-8')).AuthenticationResult)
        await assert.rejects(
          answerNew(open, asked, { USERNAME, NEW_PASSWORD: 'Battery-Staple-9' }),
          notAuthorized('Invalid session for the user, session can only be used once.'),
        )
      })

      it('asks for a new password after SRP too', async () => {
        const USERNAME = await newUser({ temporary: true })
        const { srp, parameters } = await beginSrp(open, USERNAME)
        const asked = await respond(open, 'PASSWORD_VERIFIER', srp.answer(parameters, PASSWORD))
        assert.equal(asked.ChallengeName, 'NEW_PASSWORD_REQUIRED')
        assert.ok((await answerNew(open, asked, { USERNAME, NEW_PASSWORD: 'Battery-Staple-8' })).AuthenticationResult)
      })

      it('accepts another response after a new password that the policy refuses', async () => {
        const USERNAME = await newUser({ temporary: true })
        const asked = await byPassword(open, USERNAME)
        const refusals = {
          'Ab1-': 'Password not long enough',
          'battery-staple-8': 'Password must have uppercase characters',
          'BATTERY-STAPLE-8': 'Password must have lowercase characters',
          'Battery-Staple-x': 'Password must have numeric characters',
          BatteryStaple88: 'Password must have symbol characters',
          [`${'Battery-Staple-8'.repeat(16)}!`]: 'Password too long',
        }
        for (const [NEW_PASSWORD, reason] of Object.entries(refusals)) {
          await assert.rejects(answerNew(open, asked, { USERNAME, NEW_PASSWORD }), {
            name: 'InvalidPasswordException',
            message: `Password did not conform with policy: ${reason}`,
          })
        }
        assert.ok((await answerNew(open, asked, { USERNAME, NEW_PASSWORD: 'Battery-Staple-8' })).AuthenticationResult)
      })

      it('asks for the attributes that the pool requires and the user lacks', async () => {
        const demanding = await createPool(region, {
          Schema: [
            { Name: 'email', AttributeDataType: 'String', Required: true, Mutable: true },
            { Name: 'given_name', AttributeDataType: 'String', Required: true, Mutable: true },
            { Name: 'fixed', AttributeDataType: 'String' },
          ],
        })
        const client = await createClient(region, demanding)
        const USERNAME = 'demanded'
        await createUser(region, demanding, {
          username: USERNAME,
          temporary: true,
          attributes: [
            { Name: 'email', Value: 'one@example.com' },
            { Name: 'email_verified', Value: 'true' },
            { Name: 'custom:fixed', Value: 'true' },
          ],
        })
        const asked = await byPassword(client, USERNAME)
        assert.deepEqual(JSON.parse(asked.ChallengeParameters?.requiredAttributes ?? ''), ['userAttributes.given_name'])
        assert.equal(JSON.parse(asked.ChallengeParameters?.userAttributes ?? '').email, 'one@example.com')
        const NEW_PASSWORD = 'Battery-Staple-8'
        await assert.rejects(
          answerNew(client, asked, { USERNAME, NEW_PASSWORD }),
          invalid(/given_name: The attribute is required/),
        )
        await assert.rejects(
          answerNew(client, asked, {
            USERNAME,
            NEW_PASSWORD,
            'userAttributes.given_name': 'Ada',
            'userAttributes.email': 'two@example.com',
          }),
          notAuthorized('Cannot modify an already provided email'),
        )
        for (const [name, refusal] of [
          ['email_verified', invalid('Cannot modify the non-mutable attribute email_verified')],
          ['sub', invalid('Cannot modify the non-mutable attribute sub')],
          ['custom:fixed', notAuthorized('A client attempted to write unauthorized attribute')],
        ] as const) {
          const unchanged = { 'userAttributes.given_name': 'Ada', [`userAttributes.${name}`]: 'true' }
          await assert.rejects(answerNew(client, asked, { USERNAME, NEW_PASSWORD, ...unchanged }), refusal, name)
        }
        const done = await answerNew(client, asked, {
          USERNAME,
          NEW_PASSWORD,
          'userAttributes.given_name': 'Ada',
          'userAttributes.email': 'one@example.com',
        })
        const { UserAttributes } = await region.cognito.send(
          new GetUserCommand({ AccessToken: done.AuthenticationResult?.AccessToken }),
        )
        assert.equal(UserAttributes?.find(({ Name }) => Name === 'given_name')?.Value, 'Ada')
      })

      it('expires', async () => {
        const USERNAME = await newUser({ temporary: true })
        wound = 7 * 24 * 60 * MINUTE + 1_000
        await assert.rejects(
          byPassword(open, USERNAME),
          notAuthorized('Temporary password has expired and must be reset by an administrator.'),
        )
      })

      it('is invalid once it has been replaced, also in the middle of a sign-in', async () => {
        const USERNAME = await newUser({ temporary: true })
        const { Session } = await byPassword(open, USERNAME)
        wound = MINUTE
        await region.cognito.send(
          new AdminSetUserPasswordCommand({ UserPoolId: pool, Username: USERNAME, Password: 'Another-Horse-8' }),
        )
        await assert.rejects(
          respond(open, 'NEW_PASSWORD_REQUIRED', { USERNAME, NEW_PASSWORD: 'My-own-Horse-9' }, Session),
          notAuthorized('Invalid session for the user.'),
        )
      })

      it('accepts a response with its own session only', async () => {
        const USERNAME = await newUser({ temporary: true })
        const NEW_PASSWORD = 'Battery-Staple-8'
        const broken = notAuthorized('Invalid session for the user.')
        const asked = await byPassword(open, USERNAME)
        await assert.rejects(answerNew(hiding, asked, { USERNAME, NEW_PASSWORD }), broken)
        await assert.rejects(answerNew(open, asked, { USERNAME: await newUser(), NEW_PASSWORD }), broken)
        await assert.rejects(respond(open, 'NEW_PASSWORD_REQUIRED', { USERNAME, NEW_PASSWORD }), broken)
        await assert.rejects(
          respond(open, 'NEW_PASSWORD_REQUIRED', { USERNAME, NEW_PASSWORD }, 'x'.repeat(100)),
          broken,
        )
        const other = await byPassword(open, await newUser({ temporary: true }))
        await assert.rejects(respond(open, 'NEW_PASSWORD_REQUIRED', { USERNAME, NEW_PASSWORD }, other.Session), broken)
      })
    })
  })
}
