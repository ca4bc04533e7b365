import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  AdminGetUserCommand,
  AdminUpdateUserAttributesCommand,
  type CreateUserPoolCommandInput,
  SignUpCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser, PASSWORD } from '@twinpool/testing/pools'
import { engines, type Plane, type RunningRegion, startRegions } from '@twinpool/testing/regions'
import { systemClock } from '../../clock.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { getOpenPool } from '../../directory/pool.ts'
import { findUser, putUser } from '../../directory/user.ts'
import { indexNames } from './name-index.ts'

const NFC = 'Zo\u00eb'
const NFD = 'Zoe\u0308'
const WIDE = '\uff3a\uff4f\uff45\u0308'
const NEVER = new AbortController().signal

for (const engine of engines) {
  describe(`names in several spellings on ${engine}`, () => {
    let plane: Plane
    let region: RunningRegion
    let ahead = 0
    before(async () => {
      const clock = { ...systemClock, now: () => systemClock.now() + ahead }
      plane = await startRegions({ engine, regions: ['us-west-2'], clock })
      region = plane.primary
    })
    after(() => plane.stop())

    const open = async (settings: Partial<CreateUserPoolCommandInput> = {}) => {
      const pool = await createPool(region, settings)
      return { pool, client: await createClient(region, pool), opened: await getOpenPool(region.region.context, pool) }
    }
    const usernameOf = async (UserPoolId: string, Username: string) =>
      (await region.cognito.send(new AdminGetUserCommand({ UserPoolId, Username }))).Username
    const notFound = { name: 'UserNotFoundException' }

    /** Writes a user as a release up to 0.1.0 did: with the alias and the index column of the exact spelling only. */
    const writeAsBefore = (
      opened: OpenPool,
      username: string,
      { email, aliases = [] }: { email?: string; aliases?: readonly string[] } = {},
    ) =>
      region.region.context.store.write(async (tx) => {
        const sub = systemClock.uuid()
        const insert = (type: string, value: string) =>
          tx.insert('alias', {
            pool: opened.pool.id,
            key: `${type}:${opened.cipher.index(type, value)}`,
            body: '{}',
            fields: { sub },
          })
        await insert('username', username)
        for (const value of aliases) await insert('email', value)
        await putUser(tx, opened, {
          sub,
          username,
          attributes: email === undefined ? {} : { email, email_verified: 'true' },
          status: 'CONFIRMED',
          enabled: true,
          created: tx.now,
          modified: tx.now,
        })
        return sub
      })

    it('composed, decomposed and fullwidth forms of a word are one name, and no other user can have it', async () => {
      for (const stored of [NFC, NFD, WIDE]) {
        const { pool, client } = await open()
        await createUser(region, pool, { username: stored })
        for (const typed of [NFC, NFD, WIDE]) {
          assert.equal(await usernameOf(pool, typed), stored)
          assert.ok((await people(region).signIn(client, { username: typed })).AccessToken)
          await assert.rejects(
            region.cognito.send(new SignUpCommand({ ClientId: client.id, Username: typed, Password: PASSWORD })),
            { name: 'UsernameExistsException' },
          )
        }
        for (const other of ['Zoe', 'Zo\u00e8', 'zo\u00eb']) await assert.rejects(usernameOf(pool, other), notFound)
      }
    })

    it('case follows the pool', async () => {
      const { pool } = await open({ UsernameConfiguration: { CaseSensitive: false } })
      await createUser(region, pool, { username: '\uff21\uff4e\uff4e' })
      for (const typed of ['ann', 'ANN', '\uff41\uff2e\uff4e'])
        assert.equal(await usernameOf(pool, typed), '\uff21\uff4e\uff4e')
    })

    it('addresses are names too; the alias moves with the address', async () => {
      const { pool } = await open({ AliasAttributes: ['email'] })
      const verified = (email: string) => [
        { Name: 'email', Value: email },
        { Name: 'email_verified', Value: 'true' },
      ]
      await createUser(region, pool, { username: 'ann', attributes: verified(`${NFD}@example.com`) })
      for (const typed of [NFC, NFD, WIDE]) assert.equal(await usernameOf(pool, `${typed}@example.com`), 'ann')
      await createUser(region, pool, { username: 'bob' })
      const move = (Username: string, email: string) =>
        region.cognito.send(
          new AdminUpdateUserAttributesCommand({ UserPoolId: pool, Username, UserAttributes: verified(email) }),
        )
      const found = async (Username: string) => {
        for (const typed of [NFC, NFD, WIDE]) assert.equal(await usernameOf(pool, `${typed}@example.com`), Username)
      }
      await move('ann', `${NFC}@example.com`)
      await found('ann')
      await move('ann', `${NFD}@example.com`)
      await found('ann')
      // An address that an administrator marks as verified moves to this user.
      await move('bob', `${NFC}@example.com`)
      await found('bob')
      await move('ann', `${WIDE}@example.com`)
      await found('ann')
      await move('ann', 'ann@example.com')
      await assert.rejects(usernameOf(pool, `${NFD}@example.com`), notFound)
    })

    it('names that older builds wrote are found in their spelling, and in all others once they are indexed', async () => {
      const { pool, opened } = await open({ AliasAttributes: ['email'] })
      const email = `${NFD}@example.com`
      await writeAsBefore(opened, NFD, { email, aliases: [email] })
      assert.equal(await usernameOf(pool, NFD), NFD)
      assert.equal(await usernameOf(pool, email), NFD)
      await assert.rejects(usernameOf(pool, NFC), notFound)
      const { context } = region.region
      await indexNames(context, NEVER)
      for (const typed of [NFC, NFD, WIDE]) {
        assert.equal(await usernameOf(pool, typed), NFD)
        assert.equal(await usernameOf(pool, `${typed}@example.com`), NFD)
      }
      // A process of the older build, which still runs during the upgrade.
      await writeAsBefore(opened, '\uff42\uff4f\uff42')
      await indexNames(context, NEVER)
      await assert.rejects(usernameOf(pool, 'bob'), notFound)
      ahead += 3_600_000
      await indexNames(context, NEVER)
      ahead = 0
      assert.equal(await usernameOf(pool, 'bob'), '\uff42\uff4f\uff42')
    })

    it('of two users whose names are one now, each keeps the exact spelling, and both are reported', async () => {
      const { pool, opened } = await open()
      const decomposed = await writeAsBefore(opened, NFD)
      const composed = await writeAsBefore(opened, NFC)
      const reported: unknown[] = []
      const { context } = region.region
      const noted = (event: string, details: object) => reported.push({ event, ...details })
      await indexNames({ ...context, events: { ...context.events, noted } }, NEVER)
      assert.deepEqual(reported, [{ event: 'names-collide', pool, sub: decomposed, other: composed, type: 'username' }])
      assert.equal(await usernameOf(pool, NFD), NFD)
      assert.equal(await usernameOf(pool, NFC), NFC)
      assert.equal(await usernameOf(pool, WIDE), NFC)
    })

    it('an ASCII name is looked up once', async () => {
      const { pool, opened } = await open({ AliasAttributes: ['email'] })
      await createUser(region, pool, { username: 'ann' })
      const { store } = region.region.context
      let reads = 0
      const counting = {
        find: (...read: Parameters<typeof store.find>) => {
          reads += 1
          return store.find(...read)
        },
        findFirst: (...read: Parameters<typeof store.findFirst>) => {
          reads += 1
          return store.findFirst(...read)
        },
      }
      for (const name of ['ann', 'nobody']) {
        reads = 0
        await findUser(counting as typeof store, opened, name)
        assert.equal(reads, 1, name)
      }
    })
  })
}
