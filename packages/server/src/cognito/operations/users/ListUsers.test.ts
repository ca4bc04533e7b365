import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminDisableUserCommand,
  ListUsersCommand,
  type ListUsersCommandInput,
} from '@aws-sdk/client-cognito-identity-provider'
import { createPool, createUser } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'
import fc from 'fast-check'
import { getOpenPool } from '../../../directory/pool.ts'
import { getUser, insertUser } from '../../../directory/user.ts'
import { listUsers } from '../../../identity/users/listing.ts'

const PEOPLE = {
  ann: { email: 'ann@example.com', given_name: 'Ann', family_name: 'O"Hara', phone_number: '+12065550001' },
  anna: { email: 'Anna@example.com', given_name: 'Anna' },
  bob: { email: 'bob@example.com', given_name: 'Bob', name: 'Bob \\ Builder', preferred_username: 'bobby' },
  cid: {},
}

for (const engine of engines) {
  describe(`ListUsers on ${engine}`, () => {
    let plane: Plane
    let UserPoolId: string
    const subs: Record<string, string> = {}
    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
      UserPoolId = await createPool(plane.primary)
      for (const [username, values] of Object.entries(PEOPLE)) {
        const attributes = Object.entries(values).map(([Name, Value]) => ({ Name, Value }))
        subs[username] = await createUser(plane.primary, UserPoolId, { username, attributes })
      }
      await plane.primary.cognito.send(new AdminCreateUserCommand({ UserPoolId, Username: 'temp' }))
      await plane.primary.cognito.send(new AdminDisableUserCommand({ UserPoolId, Username: 'cid' }))
    })
    after(() => plane.stop())

    const list = (more: Partial<ListUsersCommandInput>) =>
      plane.primary.cognito.send(new ListUsersCommand({ UserPoolId, ...more }))
    const names = async (Filter: string) =>
      ((await list({ Filter })).Users ?? []).map(({ Username }) => Username).sort()

    test('filters match by equality and by prefix', async () => {
      const cases: [string, string[]][] = [
        ['', ['ann', 'anna', 'bob', 'cid', 'temp']],
        ['username = "ann"', ['ann']],
        ['username ^= "ann"', ['ann', 'anna']],
        ['username^="ann"', ['ann', 'anna']],
        ['  username  =  "nobody"  ', []],
        ['username = "ANN"', []],
        ['email = "ann@example.com"', ['ann']],
        ['email ^= "ann"', ['ann', 'anna']],
        ['"email" ^= "ANN"', ['ann', 'anna']],
        ['"email"="anna@EXAMPLE.com"', ['anna']],
        ['email ^= ""', ['ann', 'anna', 'bob']],
        ['phone_number ^= "+1206"', ['ann']],
        ['phone_number = "+12065550001"', ['ann']],
        ['given_name ^= "An"', ['ann', 'anna']],
        ['given_name = "Ann"', ['ann']],
        ['given_name = "ANN"', ['ann']],
        ['name ^= "bob "', ['bob']],
        ['preferred_username = "Bobby"', ['bob']],
        ['family_name = "O\\"Hara"', ['ann']],
        ['name = "Bob \\\\ Builder"', ['bob']],
        ['preferred_username = "bobby"', ['bob']],
        ['status = "Enabled"', ['ann', 'anna', 'bob', 'temp']],
        ['status = "Disabled"', ['cid']],
        ['status ^= "Dis"', ['cid']],
        ['status ^= ""', ['ann', 'anna', 'bob', 'cid', 'temp']],
        ['status = "disabled"', []],
        ['cognito:user_status = "CONFIRMED"', ['ann', 'anna', 'bob', 'cid']],
        ['cognito:user_status = "force_change_password"', ['temp']],
        ['cognito:user_status ^= "CO"', ['ann', 'anna', 'bob', 'cid']],
        ['cognito:user_status = "none"', []],
        [`sub = "${subs.bob}"`, ['bob']],
        [`sub = "${subs.bob?.toUpperCase()}"`, ['bob']],
        [`sub ^= "${subs.bob?.slice(0, 13)}"`, ['bob']],
        ['sub = "a"', []],
        ['sub ^= "\u0000"', []],
      ]
      for (const [filter, expected] of cases) assert.deepEqual(await names(filter), expected, filter)
    })

    test('a malformed filter is refused', async () => {
      for (const filter of [
        'email',
        'email = ann',
        'email == "a"',
        'email = "a" and name = "b"',
        'email = "a',
        "email = 'a'",
        'email > "a"',
        '"email = "a"',
        'email" = "a"',
      ]) {
        await assert.rejects(
          names(filter),
          { name: 'InvalidParameterException', message: 'Error while parsing filter' },
          filter,
        )
      }
      await assert.rejects(names('nickname = "a"'), {
        name: 'InvalidParameterException',
        message: 'Invalid search attribute: nickname',
      })
    })

    test('a case-insensitive pool finds names and addresses in any case', async () => {
      const pool = await createPool(plane.primary, { UsernameConfiguration: { CaseSensitive: false } })
      await createUser(plane.primary, pool, {
        username: 'Ann',
        attributes: [{ Name: 'email', Value: 'Ann@Example.com' }],
      })
      for (const Filter of ['username = "aNN"', 'username ^= "aN"', 'email = "ann@example.com"', 'email ^= "ANN@"']) {
        assert.equal((await list({ UserPoolId: pool, Filter })).Users?.length, 1, Filter)
      }
    })

    test('a user of an earlier build, whose index is by the value as written, is found in this spelling', async () => {
      const id = await createPool(plane.primary)
      const attributes = [{ Name: 'name', Value: 'Ada L' }]
      for (const username of ['old', 'new']) await createUser(plane.primary, id, { username, attributes })
      const { context } = plane.primary.region
      const openPool = await getOpenPool(context, id)
      await context.store.write(async (tx) => {
        const { sub } = await getUser(tx, openPool, 'old')
        const row = await tx.lock('user', { pool: id, key: sub })
        assert.ok(row)
        const fields = { ...row.fields, name: openPool.cipher.index('name', 'Ada L') }
        await tx.put('user', { pool: id, key: sub, body: row.body, fields })
      })
      const found = async (Filter: string, Limit?: number) => {
        const seen: (string | undefined)[] = []
        let PaginationToken: string | undefined
        do {
          const page = await list({ UserPoolId: id, Filter, Limit, PaginationToken })
          seen.push(...(page.Users ?? []).map(({ Username }) => Username))
          PaginationToken = page.PaginationToken
        } while (PaginationToken)
        return seen.sort()
      }
      assert.deepEqual(await found('name = "Ada L"'), ['new', 'old'])
      assert.deepEqual(await found('name = "Ada L"', 1), ['new', 'old'])
      assert.deepEqual(await found('name = "ada l"'), ['new'])
      assert.deepEqual(await found('name ^= "ada"'), ['new', 'old'])
      await plane.primary.cognito.send(new AdminDisableUserCommand({ UserPoolId: id, Username: 'old' }))
      assert.deepEqual(await found('name = "ADA L"'), ['new', 'old'])
    })

    test('returns the requested attributes', async () => {
      const [user] = (await list({ Filter: 'username = "ann"', AttributesToGet: ['email', 'locale'] })).Users ?? []
      assert.deepEqual(user?.Attributes, [{ Name: 'email', Value: 'ann@example.com' }])
      const [whole] = (await list({ Filter: 'username = "cid"' })).Users ?? []
      assert.deepEqual(whole?.Attributes, [{ Name: 'sub', Value: subs.cid }])
      assert.deepEqual([whole?.Enabled, whole?.UserStatus], [false, 'CONFIRMED'])
      await assert.rejects(list({ AttributesToGet: ['custom:none'] }), {
        name: 'InvalidParameterException',
        message: 'One or more requested attributes do not exist in user pool.',
      })
    })

    test('the pages end, and a token is valid for its own filter only', async () => {
      const seen: (string | undefined)[] = []
      let PaginationToken: string | undefined
      do {
        const page = await list({ Limit: 2, PaginationToken })
        assert.ok((page.Users?.length ?? 0) <= 2)
        seen.push(...(page.Users ?? []).map(({ Username }) => Username))
        PaginationToken = page.PaginationToken
      } while (PaginationToken)
      assert.deepEqual(seen.toSorted(), ['ann', 'anna', 'bob', 'cid', 'temp'])
      assert.equal((await list({ Limit: 0 })).Users?.length, 5)
      assert.equal((await list({ Limit: 5 })).PaginationToken, undefined)
      const { PaginationToken: token } = await list({ Limit: 1, Filter: 'username ^= "a"' })
      for (const wrong of [
        { PaginationToken: 'none' },
        { PaginationToken: token },
        { PaginationToken: token, Filter: 'username ^= "b"' },
      ]) {
        await assert.rejects(list(wrong), {
          name: 'InvalidParameterException',
          message: 'Invalid pagination token given.',
        })
      }
      await assert.rejects(list({ Limit: 61 }), { name: 'InvalidParameterException' })
    })

    test('every user who matches is on exactly one page, wherever the search pauses', async () => {
      const id = await createPool(plane.primary)
      const { context } = plane.primary.region
      const openPool = { pool: await context.pools.get(id), cipher: await context.keys.get(id) }
      const now = context.clock.now()
      const usernames = Array.from({ length: 40 }, (_, at) => `${'abc'[at % 3]}${at}`)
      await context.store.write(async (tx) => {
        for (const username of usernames) {
          const user = {
            sub: context.clock.uuid(),
            username,
            attributes: {},
            enabled: true,
            created: now,
            modified: now,
          }
          await insertUser(tx, openPool, { ...user, status: 'CONFIRMED' })
        }
      })
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom('', 'a', 'b1', 'none'),
          fc.integer({ min: 1, max: 60 }),
          fc.integer({ min: 1, max: 50 }),
          fc.integer({ min: 1, max: 50 }),
          async (beginning, limit, rows, batch) => {
            const filter = `username ^= "${beginning}"`
            const found: string[] = []
            let token: string | undefined
            do {
              const page = await listUsers(context, openPool, { filter, limit, token }, { rows, batch })
              assert.ok(page.users.length <= limit)
              found.push(...page.users.map(({ username }) => username))
              token = page.token
            } while (token)
            assert.deepEqual(found.toSorted(), usernames.filter((name) => name.startsWith(beginning)).toSorted())
          },
        ),
        { numRuns: 25, seed: 7 },
      )
    })
  })
}
