/** Rows that were altered in the database, or that a newer build sealed: they are not believed, and no call fails with a 5xx. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import {
  AdminAddUserToGroupCommand,
  AdminGetUserCommand,
  AdminListGroupsForUserCommand,
  AdminSetUserPasswordCommand,
  ConfirmForgotPasswordCommand,
  CreateGroupCommand,
  DescribeUserPoolClientCommand,
  ForgotPasswordCommand,
  ListUsersCommand,
  ListUsersInGroupCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { tableOf } from '@twinpool/server/internal/store/kinds'
import { people, type Tokens } from '@twinpool/testing/people'
import { createClient, createPool, createUser, PASSWORD, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'
import { sql } from 'kysely'

interface Altered {
  key: string
  body: string
}

/** Alterations of a sealed body; `other`: the body of another row of the same kind. */
const alterations: Record<string, (body: string, other: string) => string> = {
  'the body of another row': (_, other) => other,
  'a version of a newer build': (body) => {
    const bytes = Buffer.from(body, 'base64')
    bytes[0] = 9
    return bytes.toString('base64')
  },
  'half of the body': (body) => body.slice(0, body.length / 2),
  'an empty body': () => '',
  'plain JSON': () => '["admin"]',
  'a very long body': () => 'A'.repeat(2_000_000),
}

const alteredTemplates: Record<string, (body: string, other: string) => string | undefined> = {
  ...alterations,
  'no value at all': () => undefined,
}

for (const engine of engines) {
  describe(`altered rows on ${engine}`, () => {
    let plane: Plane
    let UserPoolId: string
    let client: TestClient
    let tokens: Tokens
    const subs = { ann: '', bob: '' }

    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
      const { primary } = plane
      UserPoolId = await createPool(primary, { AliasAttributes: ['email'], AutoVerifiedAttributes: ['email'] })
      client = await createClient(primary, UserPoolId, { PreventUserExistenceErrors: 'ENABLED' })
      for (const username of ['ann', 'bob'] as const) {
        subs[username] = await createUser(primary, UserPoolId, {
          username,
          attributes: [
            { Name: 'email', Value: `${username}@example.com` },
            { Name: 'email_verified', Value: 'true' },
          ],
        })
      }
      await primary.cognito.send(new CreateGroupCommand({ UserPoolId, GroupName: 'readers' }))
      await primary.cognito.send(new AdminAddUserToGroupCommand({ UserPoolId, GroupName: 'readers', Username: 'ann' }))
      tokens = await people(primary).signIn(client, { username: 'ann' })
    })
    after(() => plane?.stop())

    type SealedKind = 'user' | 'credential' | 'code' | 'alias' | 'client' | 'pool' | 'signing-key'
    const rowsOf = async (kind: SealedKind): Promise<(Altered & Record<string, string | null>)[]> => {
      const { store } = plane.primary.region.context
      const { rows } = await sql<Altered & Record<string, string | null>>`
        select * from ${sql.table(tableOf(kind))} where pool = ${UserPoolId} order by key`.execute(store.db)
      return rows
    }
    const setColumn = async (kind: SealedKind, key: string, column: string, value: string | null): Promise<void> => {
      await plane.primary.region.context.store.transaction((connection) =>
        sql`update ${sql.table(tableOf(kind))} set ${sql.ref(column)} = ${value}
          where pool = ${UserPoolId} and key = ${key}`.execute(connection),
      )
    }
    /** Runs the work while one row has another value in a column. */
    const whileAltered = async (
      kind: SealedKind,
      { key, column = 'body', value }: { key: string; column?: string; value: string | null },
      work: () => Promise<void>,
    ): Promise<void> => {
      const row = (await rowsOf(kind)).find((entry) => entry.key === key)
      await setColumn(kind, key, column, value)
      try {
        await work()
      } finally {
        await setColumn(kind, key, column, row?.[column] ?? null)
      }
    }
    const usernames = async (Filter?: string): Promise<(string | undefined)[]> => {
      const { Users } = await plane.primary.cognito.send(new ListUsersCommand({ UserPoolId, Filter }))
      return Users?.map(({ Username }) => Username).sort() ?? []
    }
    const get = (Username: string) => plane.primary.cognito.send(new AdminGetUserCommand({ UserPoolId, Username }))
    const refuses = (call: Promise<unknown>, name: string): Promise<void> => assert.rejects(call, { name })

    for (const [name, alter] of Object.entries(alterations)) {
      it(`a user with ${name} counts as absent, and no other user is affected`, async () => {
        const [ann, bob] = ['ann', 'bob'].map((username) => subs[username as 'ann' | 'bob'])
        const rows = await rowsOf('user')
        const body = rows.find(({ key }) => key === ann)?.body as string
        const other = rows.find(({ key }) => key === bob)?.body as string
        await whileAltered('user', { key: ann as string, value: alter(body, other) }, async () => {
          for (const username of ['ann', 'ann@example.com', subs.ann]) {
            await refuses(get(username), 'UserNotFoundException')
            await refuses(people(plane.primary).signIn(client, { username }), 'NotAuthorizedException')
          }
          await refuses(people(plane.primary).signInBySrp(client, { username: 'ann' }), 'NotAuthorizedException')
          await refuses(people(plane.primary).refresh(client, tokens.RefreshToken), 'NotAuthorizedException')
          await refuses(people(plane.primary).getUser(tokens.AccessToken), 'UserNotFoundException')
          const inGroup = new ListUsersInGroupCommand({ UserPoolId, GroupName: 'readers' })
          assert.deepEqual((await plane.primary.cognito.send(inGroup)).Users, [])
          assert.deepEqual(await usernames(), ['bob'])
          await people(plane.primary).signIn(client, { username: 'bob' })
        })
        assert.equal((await get('ann')).Username, 'ann')
        await people(plane.primary).refresh(client, tokens.RefreshToken)
      })

      it(`a password with ${name} matches nothing, and can be set again`, async () => {
        const rows = await rowsOf('credential')
        const row = rows.find(({ i_sub }) => i_sub === subs.ann)
        const other = rows.find(({ i_sub }) => i_sub === subs.bob)?.body as string
        await setColumn('credential', row?.key as string, 'body', alter(row?.body as string, other))
        await refuses(people(plane.primary).signIn(client, { username: 'ann' }), 'NotAuthorizedException')
        await refuses(people(plane.primary).signInBySrp(client, { username: 'ann' }), 'NotAuthorizedException')
        await plane.primary.cognito.send(
          new AdminSetUserPasswordCommand({ UserPoolId, Username: 'ann', Password: PASSWORD, Permanent: true }),
        )
        await people(plane.primary).signInBySrp(client, { username: 'ann' })
      })
    }

    it('a code that cannot be opened counts as expired', async () => {
      const whose = { ClientId: (await createClient(plane.primary, UserPoolId)).id, Username: 'bob' }
      await plane.primary.cognito.send(new ForgotPasswordCommand(whose))
      const [row] = await rowsOf('code')
      for (const alter of Object.values(alterations).slice(1, 5)) {
        await whileAltered('code', { key: row?.key as string, value: alter(row?.body as string, '') }, () =>
          refuses(
            plane.primary.cognito.send(
              new ConfirmForgotPasswordCommand({ ...whose, ConfirmationCode: '000000', Password: PASSWORD }),
            ),
            'ExpiredCodeException',
          ),
        )
      }
    })

    it('a client secret that cannot be opened matches nothing, and the client still needs a secret', async () => {
      const own = await createClient(plane.primary, UserPoolId, { GenerateSecret: true })
      const row = (await rowsOf('client')).find(({ key }) => key === own.id)
      const document = JSON.parse(row?.body as string)
      const secrets = [{ ...document.secrets[0], sealed: '' }]
      await setColumn('client', own.id, 'body', JSON.stringify({ ...document, secrets }))
      await plane.primary.restart()
      await until(() => get('ann'))
      for (const secret of [own.secret, undefined, 'another']) {
        await refuses(people(plane.primary).signIn({ ...own, secret }, { username: 'ann' }), 'NotAuthorizedException')
      }
      const describe = new DescribeUserPoolClientCommand({ UserPoolId, ClientId: own.id })
      assert.equal((await plane.primary.cognito.send(describe)).UserPoolClient?.ClientSecret, undefined)
    })

    it('a foreign public key in the row of a signing key verifies nothing and is not published', async () => {
      const { primary } = plane
      const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const { n, e } = publicKey.export({ format: 'jwk' })
      const forge = (token: string): string => {
        const [head, claims] = token.split('.')
        return `${head}.${claims}.${sign('sha256', Buffer.from(`${head}.${claims}`), privateKey).toString('base64url')}`
      }
      const published = async (): Promise<unknown[]> => {
        const response = await fetch(`${primary.endpoint}/${UserPoolId}/.well-known/jwks.json`)
        return ((await response.json()) as { keys: { n: string }[] }).keys.map((key) => key.n)
      }
      const before = await published()
      const row = (await rowsOf('signing-key')).find(({ key }) => key === 'access') as Altered
      const value = JSON.stringify({ ...JSON.parse(row.body), n, e })
      await whileAltered('signing-key', { key: 'access', value }, async () => {
        await primary.restart()
        await until(() => get('ann'))
        assert.deepEqual(await published(), before)
        await refuses(people(primary).getUser(forge(tokens.AccessToken)), 'NotAuthorizedException')
        await people(primary).getUser(tokens.AccessToken)
      })
      await primary.restart()
      await until(() => get('ann'))
    })

    for (const [name, alter] of Object.entries(alteredTemplates)) {
      it(`a pool whose templates have ${name} sends the default texts, and serves every other call`, async () => {
        const { primary } = plane
        const other = await createPool(primary)
        const find = async (id: string): Promise<Record<string, unknown>> => {
          const { store } = primary.region.context
          const body = await sql<{ body: string }>`select body from ${sql.table(tableOf('pool'))} where pool = ${id}`
          return JSON.parse((await body.execute(store.db)).rows[0]?.body ?? '{}')
        }
        const own = await find(UserPoolId)
        const { sealedTemplates } = await find(other)
        const value = JSON.stringify({
          ...own,
          sealedTemplates: alter(own.sealedTemplates as string, sealedTemplates as string),
        })
        const [row] = await rowsOf('pool')
        await whileAltered('pool', { key: row?.key as string, value }, async () => {
          await primary.restart()
          await until(() => get('ann'))
          await people(primary).signIn(client, { username: 'ann' })
          await primary.cognito.send(new ForgotPasswordCommand({ ClientId: client.id, Username: 'bob' }))
        })
      })
    }

    it('an index column or an alias of one user in the row of another finds nobody', async () => {
      const rows = await rowsOf('user')
      const [ann, bob] = [subs.ann, subs.bob].map((sub) => rows.find(({ key }) => key === sub))
      await whileAltered('user', { key: subs.ann, column: 'i_username', value: null }, async () => {
        await whileAltered(
          'user',
          { key: subs.bob, column: 'i_username', value: ann?.i_username ?? null },
          async () => {
            await refuses(get('ann'), 'UserNotFoundException')
            const add = { UserPoolId, GroupName: 'readers', Username: 'ann' }
            await refuses(plane.primary.cognito.send(new AdminAddUserToGroupCommand(add)), 'UserNotFoundException')
            assert.deepEqual(await usernames('username = "ann"'), [])
          },
        )
      })
      const groupsOfBob = new AdminListGroupsForUserCommand({ UserPoolId, Username: 'bob' })
      assert.deepEqual((await plane.primary.cognito.send(groupsOfBob)).Groups, [])
      for (const [column, filter, expected] of [
        ['i_email', 'email = "ann@example.com"', ['ann']],
        ['i_user_status', 'cognito:user_status = "CONFIRMED"', ['ann', 'bob']],
      ] as const) {
        await whileAltered('user', { key: subs.bob, column, value: ann?.[column] ?? null }, async () => {
          assert.deepEqual(await usernames(filter), expected)
        })
      }
      assert.ok(bob)
      const alias = (await rowsOf('alias')).find(({ key, i_sub }) => key.startsWith('email:') && i_sub === subs.ann)
      await whileAltered('alias', { key: alias?.key as string, column: 'i_sub', value: subs.bob }, async () => {
        await refuses(get('ann@example.com'), 'UserNotFoundException')
        await refuses(people(plane.primary).signIn(client, { username: 'ann@example.com' }), 'NotAuthorizedException')
      })
      assert.equal((await get('ann@example.com')).Username, 'ann')
    })
  })
}

/** A kept connection may still lead to the process before a restart: the first call may fail. */
async function until(call: () => Promise<unknown>): Promise<void> {
  await call().catch(call)
}
