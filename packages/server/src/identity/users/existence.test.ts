import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  AdminConfirmSignUpCommand,
  AdminDeleteUserCommand,
  AdminDisableUserCommand,
  AdminInitiateAuthCommand,
  AdminResetUserPasswordCommand,
  AdminUpdateUserAttributesCommand,
  ConfirmForgotPasswordCommand,
  ConfirmSignUpCommand,
  type CreateUserPoolCommandInput,
  ForgotPasswordCommand,
  InitiateAuthCommand,
  ResendConfirmationCodeCommand,
  RespondToAuthChallengeCommand,
  SignUpCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { createClient, createPool, createUser, PASSWORD, SrpClient, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, type RunningRegion, startRegions, until } from '@twinpool/testing/regions'
import { srpSignIn } from '@twinpool/testing/srp'
import { systemClock } from '../../clock.ts'
import { lockPassword, putPassword } from '../../directory/credential.ts'
import { getOpenPool } from '../../directory/pool.ts'
import { getSub, lockUser, putUser } from '../../directory/user.ts'

const WRONG = 'Wrong-Horse-7'
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/
const MISMATCH = { name: 'CodeMismatchException', message: 'Invalid verification code provided, please try again.' }

/** Makes the user of a state; the name, `<username>@example.com`, or both find the user. */
type Prepare = (region: RunningRegion, place: { pool: string; client: string; username: string }) => Promise<unknown>

const email = (username: string) => [{ Name: 'email', Value: `${username.replace(/@.*/, '')}@example.com` }]
const verified = (username: string) => [...email(username), { Name: 'email_verified', Value: 'true' }]
const confirmed: Prepare = (region, { pool, username }) =>
  createUser(region, pool, { username, attributes: verified(username) })

const states: Record<string, Prepare> = {
  absent: async () => {},
  UNCONFIRMED: (region, { client, username }) =>
    region.cognito.send(
      new SignUpCommand({ ClientId: client, Username: username, Password: PASSWORD, UserAttributes: email(username) }),
    ),
  CONFIRMED: confirmed,
  FORCE_CHANGE_PASSWORD: (region, { pool, username }) =>
    createUser(region, pool, { username, attributes: verified(username), temporary: true }),
  RESET_REQUIRED: async (region, place) => {
    await confirmed(region, place)
    await region.cognito.send(new AdminResetUserPasswordCommand({ UserPoolId: place.pool, Username: place.username }))
  },
  disabled: async (region, place) => {
    await confirmed(region, place)
    await region.cognito.send(new AdminDisableUserCommand({ UserPoolId: place.pool, Username: place.username }))
  },
  'without a verified address': (region, { pool, username }) =>
    createUser(region, pool, { username, attributes: email(username) }),
  EXTERNAL_PROVIDER: async (region, place) => {
    await confirmed(region, place)
    const { store, pools, keys } = region.region.context
    const opened = await getOpenPool({ pools, keys }, place.pool)
    const sub = await getSub(store, opened, place.username)
    await store.write(async (tx) =>
      putUser(tx, opened, { ...(await lockUser(tx, opened, sub)), status: 'EXTERNAL_PROVIDER' }),
    )
  },
  'confirmed by an administrator': async (region, place) => {
    await states.UNCONFIRMED?.(region, place)
    await region.cognito.send(new AdminConfirmSignUpCommand({ UserPoolId: place.pool, Username: place.username }))
  },
  deleted: async (region, place) => {
    await confirmed(region, place)
    await region.cognito.send(new AdminDeleteUserCommand({ UserPoolId: place.pool, Username: place.username }))
  },
}

/** The observable result of a call: an error, or the response without the values that differ for each name or call. */
async function observe(call: () => Promise<object>): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    const { name, message } = error as Error
    return { name, message }
  }
}

type Operation = (region: RunningRegion, client: TestClient, name: string) => Promise<object>

async function beginSrp(region: RunningRegion, client: TestClient, name: string) {
  const srp = new SrpClient(client.pool)
  const asked = await region.cognito.send(
    new InitiateAuthCommand({
      ClientId: client.id,
      AuthFlow: 'USER_SRP_AUTH',
      AuthParameters: { USERNAME: name, SRP_A: srp.A },
    }),
  )
  return { srp, asked, parameters: asked.ChallengeParameters as Record<string, string> }
}

/** The calls of a stranger, who knows neither password nor code. */
const operations: Record<string, Operation> = {
  USER_PASSWORD_AUTH: (region, { id }, USERNAME) =>
    region.cognito.send(
      new InitiateAuthCommand({
        ClientId: id,
        AuthFlow: 'USER_PASSWORD_AUTH',
        AuthParameters: { USERNAME, PASSWORD: WRONG },
      }),
    ),
  ADMIN_USER_PASSWORD_AUTH: (region, { id, pool }, USERNAME) =>
    region.cognito.send(
      new AdminInitiateAuthCommand({
        UserPoolId: pool,
        ClientId: id,
        AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
        AuthParameters: { USERNAME, PASSWORD: WRONG },
      }),
    ),
  USER_SRP_AUTH: async (region, client, name) => {
    const { asked, parameters } = await beginSrp(region, client, name)
    const again = (await beginSrp(region, client, name)).parameters
    const { SALT = '', SRP_B: _, SECRET_BLOCK = '', USER_ID_FOR_SRP = '', USERNAME = '', ...rest } = parameters
    assert.equal(USER_ID_FOR_SRP, USERNAME)
    return {
      ...rest,
      challenge: asked.ChallengeName,
      session: asked.Session?.length,
      block: SECRET_BLOCK.length,
      isHex: /^[0-9a-f]{20,32}$/.test(SALT),
      isStable: again.SALT === SALT && again.USER_ID_FOR_SRP === USER_ID_FOR_SRP,
      id: USER_ID_FOR_SRP === name ? 'the name' : UUID.test(USER_ID_FOR_SRP) ? 'a UUID' : USER_ID_FOR_SRP,
    }
  },
  PASSWORD_VERIFIER: async (region, client, name) => {
    const { srp, asked, parameters } = await beginSrp(region, client, name)
    const respond = (USERNAME: string) =>
      region.cognito.send(
        new RespondToAuthChallengeCommand({
          ClientId: client.id,
          ChallengeName: 'PASSWORD_VERIFIER',
          Session: asked.Session,
          ChallengeResponses: { ...srp.answer(parameters, WRONG), USERNAME },
        }),
      )
    const USER_ID = parameters.USER_ID_FOR_SRP as string
    const other = name.includes('@') ? name.replace(/@.*/, '') : `${name}@example.com`
    return {
      byId: await observe(() => respond(USER_ID)),
      byName: await observe(() => respond(name)),
      byAnotherName: await observe(() => respond(other)),
    }
  },
  ForgotPassword: async (region, { id }, Username) => {
    const { CodeDeliveryDetails } = await region.cognito.send(new ForgotPasswordCommand({ ClientId: id, Username }))
    return delivery(CodeDeliveryDetails, Username)
  },
  ResendConfirmationCode: async (region, { id }, Username) => {
    const { CodeDeliveryDetails } = await region.cognito.send(
      new ResendConfirmationCodeCommand({ ClientId: id, Username }),
    )
    return delivery(CodeDeliveryDetails, Username)
  },
  ConfirmSignUp: (region, { id }, Username) =>
    region.cognito.send(new ConfirmSignUpCommand({ ClientId: id, Username, ConfirmationCode: 'no-code' })),
  ConfirmForgotPassword: (region, { id }, Username) =>
    region.cognito.send(
      new ConfirmForgotPasswordCommand({ ClientId: id, Username, ConfirmationCode: 'no-code', Password: PASSWORD }),
    ),
}

const delivery = (details: { Destination?: string } | undefined, name: string) => ({
  ...details,
  Destination: name.includes('@') ? details?.Destination?.slice(1) : details?.Destination?.replaceAll(/[a-z]/g, 'x'),
})

const pools: Record<string, Partial<CreateUserPoolCommandInput>> = {
  'with chosen usernames': { AutoVerifiedAttributes: ['email'] },
  'with aliases': { AutoVerifiedAttributes: ['email'], AliasAttributes: ['email'] },
  'with preferred usernames, without regard to case': {
    AutoVerifiedAttributes: ['email'],
    AliasAttributes: ['email', 'preferred_username'],
    UsernameConfiguration: { CaseSensitive: false },
  },
  'with addresses as usernames': { AutoVerifiedAttributes: ['email'], UsernameAttributes: ['email'] },
  'that verifies nothing, with recovery by administrators': {
    AccountRecoverySetting: { RecoveryMechanisms: [{ Name: 'admin_only', Priority: 1 }] },
  },
}

for (const engine of engines) {
  describe(`a client with PreventUserExistenceErrors on ${engine}`, () => {
    let plane: Plane
    let region: RunningRegion
    let ahead = 0
    before(async () => {
      const clock = { ...systemClock, now: () => systemClock.now() + ahead }
      // All calls come from one address.
      const limits = { failedAttemptsPerMinute: 1_000_000, messagesPerMinute: 1_000_000 }
      plane = await startRegions({ engine, regions: ['us-west-2'], clock, config: { limits } })
      region = plane.primary
    })
    after(() => plane.stop())
    afterEach(() => {
      ahead = 0
    })

    const open = async (settings: Partial<CreateUserPoolCommandInput>) => {
      const pool = await createPool(region, settings)
      return { pool, client: await createClient(region, pool, { PreventUserExistenceErrors: 'ENABLED' }) }
    }
    const forgot = (client: TestClient, Username: string) =>
      region.cognito.send(new ForgotPasswordCommand({ ClientId: client.id, Username }))
    const reset = (client: TestClient, Username: string, ConfirmationCode: string) =>
      region.cognito.send(
        new ConfirmForgotPasswordCommand({ ClientId: client.id, Username, ConfirmationCode, Password: 'N3w-password' }),
      )
    const arrived = (to: string) => until(() => plane.inbox.find((message) => message.to === to)?.code)

    for (const [kind, settings] of Object.entries(pools)) {
      it(`gives a stranger the same response in every state of a user, in a pool ${kind}`, async () => {
        const { pool, client } = await open(settings)
        const byAddress = settings.UsernameAttributes !== undefined
        let users = 0
        const seen = new Map<string, unknown>()
        for (const [state, prepare] of Object.entries(states)) {
          if (kind.includes('administrators') && state === 'RESET_REQUIRED') continue
          users += 1
          const username = `user${String(users).padStart(2, '0')}`
          await prepare(region, { pool, client: client.id, username: byAddress ? `${username}@example.com` : username })
          for (const name of [username, `${username}@example.com`]) {
            for (const [operation, call] of Object.entries(operations)) {
              const what = `${operation} ${name.includes('@') ? 'by address' : 'by username'}`
              const observed = await observe(() => call(region, client, name))
              if (!seen.has(what)) seen.set(what, observed)
              assert.deepEqual(observed, seen.get(what), `${what}: ${state} differs from absent`)
            }
          }
        }
        assert.equal(seen.size, 2 * Object.keys(operations).length)
      })
    }

    for (const kind of ['with chosen usernames', 'with aliases']) {
      it(`gives every spelling of a username the same SRP name, whatever spelling is stored, in a pool ${kind}`, async () => {
        const { pool, client } = await open(pools[kind] ?? assert.fail())
        for (const [normal, stored, another] of [
          ['\u00e9lan', 'e\u0301lan', '\uff45\u0301lan'],
          ['\u00e9ric', '\u00e9ric', 'e\u0301ric'],
          ['ann', '\uff41\uff4e\uff4e', '\uff41nn'],
        ] as const) {
          const spellings = [normal, stored, another]
          const expected = (parameters: Record<string, string>) =>
            assert.deepEqual([parameters.USER_ID_FOR_SRP, parameters.USERNAME], [normal, normal])
          for (const name of spellings) expected((await beginSrp(region, client, name)).parameters)
          await createUser(region, pool, { username: stored })
          for (const name of spellings) {
            expected((await beginSrp(region, client, name)).parameters)
            const signedIn = await srpSignIn({ ...region, pool, client: client.id, username: name, password: PASSWORD })
            assert.ok(signedIn.AuthenticationResult, name)
          }
        }
      })
    }

    it('still accepts a password that an older build has set, over the username', async () => {
      const { pool, client } = await open({})
      const username = 'e\u0301lan'
      const sub = await createUser(region, pool, { username })
      const { store, pools, keys } = region.region.context
      const opened = await getOpenPool({ pools, keys }, pool)
      await store.write(async (tx) => {
        const { byNormalName, ...older } = (await lockPassword(tx, opened, sub)) ?? assert.fail()
        assert.ok(byNormalName)
        await putPassword(tx, opened, sub, older)
      })
      const signedIn = await srpSignIn({ ...region, pool, client: client.id, username, password: PASSWORD })
      assert.ok(signedIn.AuthenticationResult)
    })

    it('locks each name out by itself, so that a lockout does not show which names belong together', async () => {
      const { pool, client } = await open({ AliasAttributes: ['email'] })
      await confirmed(region, { pool, client: client.id, username: 'ann' })
      const guess = (name: string) => observe(() => operations.USER_PASSWORD_AUTH?.(region, client, name) as never)
      const locked = { name: 'NotAuthorizedException', message: 'Password attempts exceeded' }
      for (const [name, other] of [
        ['ann', 'ann@example.com'],
        ['bob', 'bob@example.com'],
      ] as const) {
        const first = await guess(name)
        for (let at = 0; at < 4; at += 1) assert.deepEqual(await guess(name), first)
        assert.deepEqual(await guess(name), locked)
        assert.deepEqual(await guess(other), first)
      }
    })

    it('counts each name by itself, and sends a user no more messages than the limit', async () => {
      const { pool, client } = await open({ AliasAttributes: ['email'], AutoVerifiedAttributes: ['email'] })
      await confirmed(region, { pool, client: client.id, username: 'flood' })
      for (const name of ['flood', 'flood@example.com', 'nobody', 'nobody@example.com']) {
        for (let at = 0; at < 20; at += 1) await forgot(client, name)
        await assert.rejects(forgot(client, name), { name: 'LimitExceededException' }, name)
      }
      await region.region.context.deferredWork.finish()
      assert.equal(plane.inbox.filter(({ to }) => to === 'flood@example.com').length, 20)
    })

    it('lets a user reset the password by each name, with the code, which arrives after the response', async () => {
      const { pool, client } = await open({ AliasAttributes: ['email'], AutoVerifiedAttributes: ['email'] })
      await confirmed(region, { pool, client: client.id, username: 'rae' })
      await forgot(client, 'rae@example.com')
      const code = await arrived('rae@example.com')
      await assert.rejects(reset(client, 'rae', `${code}0`), MISMATCH)
      await reset(client, 'rae', code)
      for (const name of ['rae', 'rae@example.com']) {
        const { srp, parameters } = await beginSrp(region, client, name)
        const { AuthenticationResult } = await region.cognito.send(
          new RespondToAuthChallengeCommand({
            ClientId: client.id,
            ChallengeName: 'PASSWORD_VERIFIER',
            ChallengeResponses: srp.answer(parameters, 'N3w-password'),
          }),
        )
        assert.ok(AuthenticationResult, name)
      }
    })

    it('learns that a code has expired only with that code', async () => {
      const { pool, client } = await open({ AutoVerifiedAttributes: ['email'] })
      await confirmed(region, { pool, client: client.id, username: 'late' })
      await forgot(client, 'late')
      const code = await arrived('late@example.com')
      ahead += 3_600_000
      await assert.rejects(reset(client, 'late', `${code}0`), MISMATCH)
      await assert.rejects(reset(client, 'late', code), { name: 'ExpiredCodeException' })
    })

    it('resets no password with a code for an address that is no longer verified', async () => {
      const { pool, client } = await open({ AutoVerifiedAttributes: ['email'] })
      await confirmed(region, { pool, client: client.id, username: 'lost' })
      await forgot(client, 'lost')
      const code = await arrived('lost@example.com')
      await region.cognito.send(
        new AdminUpdateUserAttributesCommand({
          UserPoolId: pool,
          Username: 'lost',
          UserAttributes: [{ Name: 'email_verified', Value: 'false' }],
        }),
      )
      await assert.rejects(reset(client, 'lost', code), { name: 'ExpiredCodeException' })
    })

    it('resets a password by an address whose flag is written as `True`', async () => {
      const { pool, client } = await open({ AutoVerifiedAttributes: ['email'] })
      const attributes = [...email('loud'), { Name: 'email_verified', Value: 'True' }]
      await createUser(region, pool, { username: 'loud', attributes })
      await forgot(client, 'loud')
      await reset(client, 'loud', await arrived('loud@example.com'))
    })

    it('accepts no more codes after 25 wrong ones, and does not reveal it', async () => {
      const { pool, client } = await open({ AliasAttributes: ['email'], AutoVerifiedAttributes: ['email'] })
      await confirmed(region, { pool, client: client.id, username: 'tries' })
      await forgot(client, 'tries')
      const code = await arrived('tries@example.com')
      for (let at = 0; at < 25; at += 1) {
        await assert.rejects(reset(client, at % 2 === 0 ? 'tries' : 'tries@example.com', 'wrong'), MISMATCH)
      }
      await assert.rejects(reset(client, 'tries', code), MISMATCH)
    })
  })
}
