/** A copy of the database reveals nothing without the key; pools of the first release are rewritten until that holds. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  AdminAddUserToGroupCommand,
  AdminInitiateAuthCommand,
  AdminListGroupsForUserCommand,
  AdminUserGlobalSignOutCommand,
  CreateGroupCommand,
  DescribeUserPoolCommand,
  GetGroupCommand,
  GetUserCommand,
  ListGroupsCommand,
  ListUsersInGroupCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { CreateKeyCommand } from '@aws-sdk/client-kms'
import { people } from '@twinpool/testing/people'
import { createPlainPool, sealPools } from '@twinpool/testing/plain-pools'
import { createClient, createPool, createUser, PASSWORD } from '@twinpool/testing/pools'
import { engines, type Plane, type RunningRegion, startRegions } from '@twinpool/testing/regions'
import { sql } from 'kysely'
import { countGroups, findGroup, listGroups, removeGroup } from '../../directory/group.ts'
import { countGroupsOf, listGroupsOf, listMembers, removeMember } from '../../directory/member.ts'
import { getOpenPool } from '../../directory/pool.ts'
import { sealBatch } from '../../directory/sealing.ts'
import { FIRST_RELEASE_KINDS, formatKinds } from '../../replication/known-kinds.ts'
import { putPeerKinds } from '../../store/cursors.ts'
import { kindNames, ONLY, tableOf } from '../../store/kinds.ts'
import { sealPools as sealPoolsOf } from './sealing.ts'

const PLANTED = {
  group: 'planted-group-9f3',
  description: 'planted-description-9f3',
  role: 'arn:aws:iam::000000000000:role/planted-role-9f3',
  template: 'planted-template-9f3 {####}',
  invitation: 'planted-invitation-9f3 {username} {####}',
}
const planted = Object.values(PLANTED).map((text) => text.split(' ')[0] as string)

for (const engine of engines) {
  describe(`sealed pools on ${engine}`, () => {
    let plane: Plane
    let region: RunningRegion
    before(async () => {
      plane = await startRegions({ engine })
      region = plane.primary
    })
    after(() => plane?.stop())

    /** The contents of all tables as text. */
    const dump = async (): Promise<string> => {
      const { db } = region.region.context.store
      let text = ''
      for (const table of [...kindNames.map(tableOf), 'changes', 'tombstones']) {
        const { rows } = await sql`select * from ${sql.table(table)}`.execute(db)
        text += JSON.stringify(rows)
      }
      return text
    }

    const withTemplates = async () => {
      const { KeyMetadata } = await region.kms.send(new CreateKeyCommand({}))
      return {
        KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: KeyMetadata?.Arn },
        EmailVerificationMessage: PLANTED.template,
        AdminCreateUserConfig: { InviteMessageTemplate: { EmailMessage: PLANTED.invitation } },
      } as const
    }
    const createSealedPool = async (): Promise<string> => createPool(region, await withTemplates())

    const plant = async (UserPoolId: string): Promise<string> => {
      const sub = await createUser(region, UserPoolId, { username: 'ann' })
      const { group: GroupName, description: Description, role: RoleArn } = PLANTED
      await region.cognito.send(new CreateGroupCommand({ UserPoolId, GroupName, Description, RoleArn }))
      await region.cognito.send(new AdminAddUserToGroupCommand({ UserPoolId, GroupName, Username: 'ann' }))
      return sub
    }

    const formOf = async (pool: string) => (await region.region.context.pools.get(pool)).document.form
    const groupsOf = async (UserPoolId: string) =>
      (await region.cognito.send(new AdminListGroupsForUserCommand({ UserPoolId, Username: 'ann' }))).Groups?.map(
        ({ GroupName }) => GroupName,
      )

    const check = async (UserPoolId: string): Promise<void> => {
      assert.deepEqual(await groupsOf(UserPoolId), [PLANTED.group])
      const { Group } = await region.cognito.send(new GetGroupCommand({ UserPoolId, GroupName: PLANTED.group }))
      assert.deepEqual([Group?.Description, Group?.RoleArn], [PLANTED.description, PLANTED.role])
      const { Groups } = await region.cognito.send(new ListGroupsCommand({ UserPoolId }))
      assert.deepEqual(
        Groups?.map(({ GroupName }) => GroupName),
        [PLANTED.group],
      )
      const members = await region.cognito.send(new ListUsersInGroupCommand({ UserPoolId, GroupName: PLANTED.group }))
      assert.deepEqual(
        members.Users?.map(({ Username }) => Username),
        ['ann'],
      )
    }

    it('hide names, descriptions, roles, memberships, templates and subs of sign-outs from a reader without the key', async () => {
      const UserPoolId = await createSealedPool()
      const sub = await plant(UserPoolId)
      await region.cognito.send(new AdminUserGlobalSignOutCommand({ UserPoolId, Username: 'ann' }))
      await check(UserPoolId)
      const { UserPool } = await region.cognito.send(new DescribeUserPoolCommand({ UserPoolId }))
      assert.equal(UserPool?.EmailVerificationMessage, PLANTED.template)
      assert.equal(UserPool?.AdminCreateUserConfig?.InviteMessageTemplate?.EmailMessage, PLANTED.invitation)
      assert.ok(!Object.keys(UserPool ?? {}).some((name) => /form|sealed/i.test(name)), 'not on the wire')

      const tables = await dump()
      for (const word of planted) assert.ok(!tables.includes(word), `${word} is in a table`)
      const { db } = region.region.context.store
      const { rows } = await sql`select key from ${sql.table('row_sign_out')} where key = ${sub}`.execute(db)
      assert.deepEqual(rows, [], 'the key of a sign-out is a sub')
      if (engine === 'sqlite') {
        const { rows: databases } = await sql<{
          file: string
        }>`select file from pragma_database_list where name = 'main'`.execute(db)
        const folder = dirname(databases[0]?.file as string)
        const paths = readdirSync(folder).map((name) => join(folder, name))
        const files = paths.map((path) => readFileSync(path).toString('latin1'))
        assert.ok(
          files.some((bytes) => bytes.includes(UserPoolId)),
          'the files that were searched hold the pool',
        )
        for (const word of planted) assert.ok(!files.some((bytes) => bytes.includes(word)), `${word} is in a file`)
      }
    })

    it('ignore a membership that the key of the pool did not seal', async () => {
      const UserPoolId = await createSealedPool()
      await plant(UserPoolId)
      const sub = await createUser(region, UserPoolId, { username: 'eve' })
      const { store } = region.region.context
      const [real] = await store.list('sealed-member', { pool: UserPoolId, limit: 1 })
      const group = real?.fields.group as string
      // An attacker who can write to the database but has no key invents a body, or copies the row of another user.
      for (const body of ['{}', real?.body as string]) {
        await store.write((tx) =>
          tx.put('sealed-member', { pool: UserPoolId, key: `${group}/${sub}`, body, fields: { group, sub } }),
        )
        const { Groups } = await region.cognito.send(new AdminListGroupsForUserCommand({ UserPoolId, Username: 'eve' }))
        assert.deepEqual(Groups, [])
        const members = await region.cognito.send(new ListUsersInGroupCommand({ UserPoolId, GroupName: PLANTED.group }))
        assert.deepEqual(
          members.Users?.map(({ Username }) => Username),
          ['ann'],
        )
      }
      // The row of another user, with this user's sub in the index column.
      await store.write((tx) => tx.remove('sealed-member', { pool: UserPoolId, key: `${group}/${sub}` }))
      await store.write((tx) =>
        tx.put('sealed-member', {
          pool: UserPoolId,
          key: real?.key as string,
          body: real?.body as string,
          fields: { group, sub },
        }),
      )
      const { Groups } = await region.cognito.send(new AdminListGroupsForUserCommand({ UserPoolId, Username: 'eve' }))
      assert.deepEqual(Groups, [])
    })

    it('ignore a group that the key of the pool did not seal for this name; sign-ins and other groups go on', async () => {
      const UserPoolId = await createSealedPool()
      await plant(UserPoolId)
      await region.cognito.send(new CreateGroupCommand({ UserPoolId, GroupName: 'swapped' }))
      await region.cognito.send(new AdminAddUserToGroupCommand({ UserPoolId, GroupName: 'swapped', Username: 'ann' }))
      const { store } = region.region.context
      const rows = await store.list('sealed-group', { pool: UserPoolId, limit: 10 })
      const { cipher } = await getOpenPool(region.region.context, UserPoolId)
      const victim = rows.find(({ key }) => key === cipher.index('group', 'swapped'))
      const other = rows.find(({ key }) => key !== victim?.key)
      await store.write((tx) =>
        tx.put('sealed-group', { pool: UserPoolId, key: victim?.key as string, body: other?.body as string }),
      )
      await check(UserPoolId)
      await assert.rejects(region.cognito.send(new GetGroupCommand({ UserPoolId, GroupName: 'swapped' })), {
        name: 'ResourceNotFoundException',
      })
      const client = await createClient(region, UserPoolId)
      await people(region).signInByAdmin(client, { username: 'ann' })
    })

    it('ignore a plain template beside the sealed ones', async () => {
      const UserPoolId = await createSealedPool()
      const { store } = region.region.context
      const row = await store.find('pool', { pool: UserPoolId, key: ONLY })
      assert.ok(row !== undefined)
      assert.ok(row.body.includes('sealedTemplates') && !row.body.includes('SmsAuthenticationMessage'))
      const body = JSON.stringify({ ...JSON.parse(row.body), SmsAuthenticationMessage: 'forged {####}' })
      await store.write((tx) => tx.put('pool', { ...row, body }))
      const { UserPool } = await region.cognito.send(new DescribeUserPoolCommand({ UserPoolId }))
      assert.equal(UserPool?.SmsAuthenticationMessage, undefined)
    })

    it('add a user to a group although a forged row has the key of the membership', async () => {
      const UserPoolId = await createSealedPool()
      const sub = await plant(UserPoolId)
      const { store } = region.region.context
      const [real] = await store.list('sealed-member', { pool: UserPoolId, limit: 1 })
      const { key, fields } = real as NonNullable<typeof real>
      assert.equal(fields.sub, sub)
      await store.write((tx) => tx.put('sealed-member', { pool: UserPoolId, key, body: '{}', fields }))
      assert.deepEqual(await groupsOf(UserPoolId), [])
      await region.cognito.send(
        new AdminAddUserToGroupCommand({ UserPoolId, GroupName: PLANTED.group, Username: 'ann' }),
      )
      await check(UserPoolId)
    })

    it('show a group and a membership to a reader while they move', async () => {
      const { context } = region.region
      const UserPoolId = await createPlainPool(region)
      const sub = await plant(UserPoolId)
      await sealPools(context)
      const openPool = await getOpenPool(context, UserPoolId)
      assert.equal(openPool.pool.document.form, 'sealing')
      /** The store, where all rows move after the first read. */
      const { store } = context
      let moved = false
      const moving = async <T>(read: Promise<T>): Promise<T> => {
        const found = await read
        if (!moved) {
          moved = true
          await store.write((tx) => sealBatch(tx, openPool, 100))
        }
        return found
      }
      const list: typeof store.list = (kind, query) => moving(store.list(kind, query))
      const find: typeof store.find = (kind, address) => moving(store.find(kind, address))
      const page = await listGroupsOf({ list, find }, openPool, sub, { after: undefined, size: 10 })
      assert.deepEqual(
        page.entries.map(({ name }) => name),
        [PLANTED.group],
      )
      const backToPlain = async () => {
        moved = false
        await store.write(async (tx) => {
          await removeGroup(tx, openPool, PLANTED.group)
          await removeMember(tx, openPool, { group: PLANTED.group, sub })
          const address = { pool: UserPoolId, body: '{}' }
          await tx.put('group', { ...address, key: PLANTED.group, body: '{"created":0,"modified":0}' })
          await tx.put('member', {
            ...address,
            key: `${PLANTED.group}/${sub}`,
            fields: { group_name: PLANTED.group, sub },
          })
        })
      }
      await backToPlain()
      assert.equal((await findGroup({ find }, openPool, PLANTED.group))?.name, PLANTED.group)
      await backToPlain()
      const members = await listMembers({ list }, openPool, PLANTED.group, { after: undefined, size: 10 })
      assert.deepEqual(members.entries, [sub])
      await backToPlain()
      const groups = await listGroups({ list }, openPool, { after: undefined, size: 10 })
      assert.equal(groups.entries.length, 1)
      // A page token that was issued while the rows were plain stays valid after the pool is sealed.
      const sealed = {
        ...openPool,
        pool: { ...openPool.pool, document: { ...openPool.pool.document, form: 'sealed' } },
      }
      const rest = await listGroups(store, sealed as typeof openPool, { after: 'plain\na', size: 10 })
      assert.equal(rest.entries.length, 1)
    })

    it('show a group and a membership to a request that began before the pool moved', async () => {
      const { context } = region.region
      const UserPoolId = await createPlainPool(region)
      const sub = await plant(UserPoolId)
      const before = await getOpenPool(context, UserPoolId)
      assert.equal(before.pool.document.form, undefined)
      await sealPools(context)
      // Another process of the region continues at once.
      await sealPools(context)
      assert.equal(await formOf(UserPoolId), 'sealed')
      const { store } = context
      const page = { after: undefined, size: 10 }
      assert.equal((await findGroup(store, before, PLANTED.group))?.name, PLANTED.group)
      const groups = await listGroupsOf(store, before, sub, page)
      assert.deepEqual(
        groups.entries.map(({ name }) => name),
        [PLANTED.group],
      )
      assert.deepEqual((await listMembers(store, before, PLANTED.group, page)).entries, [sub])
      assert.equal((await listGroups(store, before, page)).entries.length, 1)
      assert.equal(await countGroups(store, before, 10), 1)
      assert.equal(await countGroupsOf(store, before, sub, 10), 1)
    })

    it('are replaced in short transactions, so that other writers of the pool get their turn', async () => {
      const { context } = region.region
      const { store } = context
      const UserPoolId = await createPlainPool(region)
      await store.write(async (tx) => {
        for (let at = 0; at < 120; at += 1) {
          const sub = randomUUID()
          const fields = { group_name: 'many', sub }
          await tx.put('member', { pool: UserPoolId, key: `many/${sub}`, body: '{}', fields })
        }
      })
      await sealPools(context)
      await sealPools(context)
      assert.equal(await formOf(UserPoolId), 'sealed')
      assert.equal(await store.count('sealed-member', { pool: UserPoolId }), 120)
      const { rows } = await sql<{ moved: number }>`
        select count(*) as moved from changes where pool = ${UserPoolId} and kind = 'sealed-member' group by tx`.execute(
        store.db,
      )
      assert.ok(Math.max(...rows.map(({ moved }) => Number(moved))) <= 30)
    })

    it('replace a sign-out of the old form that arrives from a region that was cut off', async () => {
      const { context } = region.region
      const { store, clock } = context
      const UserPoolId = await createSealedPool()
      const sub = await plant(UserPoolId)
      const client = await createClient(region, UserPoolId)
      const { AccessToken } = await people(region).signInByAdmin(client, { username: 'ann' })
      const rewritten = new Map<string, number>()
      await sealPools(context, rewritten)
      const body = JSON.stringify({ before: Date.now() })
      await store.write((tx) => tx.share('sign-out', { pool: UserPoolId, key: sub, body }))
      const isOut = () =>
        assert.rejects(region.cognito.send(new GetUserCommand({ AccessToken })), { name: 'NotAuthorizedException' })
      await isOut()
      const later = { ...clock, now: () => clock.now() + 2 * 3_600_000 }
      await sealPools({ ...context, clock: later }, rewritten)
      assert.equal(await store.find('sign-out', { pool: UserPoolId, key: sub }), undefined)
      await isOut()
    })

    it('never bring back a membership that was removed while it moved', async () => {
      const { context } = region.region
      const { store } = context
      const UserPoolId = await createPlainPool(region)
      const sub = await plant(UserPoolId)
      await sealPools(context)
      const openPool = await getOpenPool(context, UserPoolId)
      const rounds = engine === 'postgres' ? 20 : 2
      for (let round = 0; round < rounds; round += 1) {
        await store.write((tx) =>
          tx.put('member', {
            pool: UserPoolId,
            key: `${PLANTED.group}/${sub}`,
            body: '{}',
            fields: { group_name: PLANTED.group, sub },
          }),
        )
        await Promise.all([
          store.write((tx) => sealBatch(tx, openPool, 100)),
          store.write((tx) => removeMember(tx, openPool, { group: PLANTED.group, sub })),
        ])
        assert.deepEqual(await groupsOf(UserPoolId), [], `round ${round}`)
      }
    })

    it('replace pools of the first release, and groups and sign-outs are never missing on the way', async () => {
      const { context } = region.region
      const UserPoolId = await createPlainPool(region, await withTemplates())
      const client = await createClient(region, UserPoolId)
      const sub = await plant(UserPoolId)
      const signIn = async () =>
        (
          await region.cognito.send(
            new AdminInitiateAuthCommand({
              UserPoolId,
              ClientId: client.id,
              AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
              AuthParameters: { USERNAME: 'ann', PASSWORD },
            }),
          )
        ).AuthenticationResult?.AccessToken as string
      const AccessToken = await signIn()
      await region.cognito.send(new AdminUserGlobalSignOutCommand({ UserPoolId, Username: 'ann' }))
      const isOut = () =>
        assert.rejects(region.cognito.send(new GetUserCommand({ AccessToken })), { name: 'NotAuthorizedException' })
      assert.equal(await context.store.count('group', { pool: UserPoolId }), 1)
      assert.equal(await context.store.count('member', { pool: UserPoolId }), 1)
      assert.ok(await context.store.find('sign-out', { pool: UserPoolId, key: sub }))

      const forms: unknown[] = []
      for (let sweep = 0; sweep < 4; sweep += 1) {
        await check(UserPoolId)
        await isOut()
        await sealPools(context)
        forms.push(await formOf(UserPoolId))
      }
      assert.deepEqual(forms, ['sealing', 'sealed', 'sealed', 'sealed'])
      await check(UserPoolId)
      await isOut()
      for (const kind of ['group', 'member'] as const) {
        assert.equal(await context.store.count(kind, { pool: UserPoolId }), 0, kind)
      }
      assert.equal(await context.store.find('sign-out', { pool: UserPoolId, key: sub }), undefined)
      const payload = JSON.parse(Buffer.from((await signIn()).split('.')[1] as string, 'base64url').toString())
      assert.deepEqual(payload['cognito:groups'], [PLANTED.group])
      const { UserPool } = await region.cognito.send(new DescribeUserPoolCommand({ UserPoolId }))
      assert.equal(UserPool?.EmailVerificationMessage, PLANTED.template)
    })

    it('rewrite a sign-out within an hour that an old process writes late', async () => {
      const { context } = region.region
      const pool = await createPool(region)
      const rewritten = new Map<string, number>()
      await sealPools(context, rewritten)
      const sub = '00000000-0000-4000-8000-000000000001'
      await context.store.write((tx) => tx.share('sign-out', { pool, key: sub, body: '{"before":1}' }))
      const now = context.clock.now()
      const sweepAt = (time: number) =>
        sealPools({ ...context, clock: { ...context.clock, now: () => time } }, rewritten)
      await sweepAt(now + 60_000)
      assert.ok(await context.store.find('sign-out', { pool, key: sub }), 'not each minute')
      await sweepAt(now + 3_600_000)
      assert.equal(await context.store.find('sign-out', { pool, key: sub }), undefined)
      assert.equal(await context.store.count('sign-out', { pool }), 1)
    })

    it('wait for every region of the pool to report that it reads the new form', async () => {
      const { context } = region.region
      const UserPoolId = await createPlainPool(region)
      await plant(UserPoolId)
      // Add only the row of a replica; no second region runs.
      await context.store.write((tx) =>
        tx.share('replica', {
          pool: UserPoolId,
          key: 'eu-west-1',
          body: JSON.stringify({ region: 'eu-west-1', status: 'ACTIVE', version: 1 }),
        }),
      )
      await sealPools(context)
      assert.equal(await formOf(UserPoolId), undefined, 'the region has not reported yet')
      const report = (kinds: string) =>
        context.store.transaction((connection) => putPeerKinds(connection, 'eu-west-1', kinds))
      await report(formatKinds(FIRST_RELEASE_KINDS))
      await sealPools(context)
      assert.equal(await formOf(UserPoolId), undefined, 'the region runs the first release')
      await check(UserPoolId)
      await report('sealed-group*sealed-member.group.sub')
      for (const hasOlderProcesses of [async () => true, () => Promise.reject(new Error('unreachable'))]) {
        await sealPoolsOf({ ...context, hasOlderProcesses })
        assert.equal(await formOf(UserPoolId), undefined, 'an older process may still serve the region')
      }
      await sealPools(context)
      await sealPools(context)
      assert.equal(await formOf(UserPoolId), 'sealed')
      await check(UserPoolId)
    })
  })
}
