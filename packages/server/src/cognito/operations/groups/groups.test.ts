import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  AdminAddUserToGroupCommand,
  AdminDeleteUserCommand,
  AdminListGroupsForUserCommand,
  AdminRemoveUserFromGroupCommand,
  CreateGroupCommand,
  type CreateGroupCommandInput,
  DeleteGroupCommand,
  GetGroupCommand,
  ListGroupsCommand,
  ListUsersInGroupCommand,
  UpdateGroupCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'
import { putMember } from '../../../directory/member.ts'
import type { OpenPool } from '../../../directory/open-pool.ts'
import { getOpenPool } from '../../../directory/pool.ts'
import { deleteGroup, sweepDeletedGroups } from '../../../identity/users/group-removal.ts'

const RoleArn = 'arn:aws:iam::000000000000:role/readers'
const notFound = { name: 'ResourceNotFoundException', message: 'Group not found.' }

for (const engine of engines) {
  describe(`groups on ${engine}`, () => {
    let plane: Plane
    let UserPoolId: string
    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
      UserPoolId = await createPool(plane.primary)
      for (const username of ['ann', 'bob', 'cid']) await createUser(plane.primary, UserPoolId, { username })
    })
    after(() => plane.stop())

    const create = (GroupName: string, more: Partial<CreateGroupCommandInput> = {}) =>
      plane.primary.cognito.send(new CreateGroupCommand({ UserPoolId, GroupName, ...more }))
    const get = async (GroupName: string) =>
      (await plane.primary.cognito.send(new GetGroupCommand({ UserPoolId, GroupName }))).Group
    const remove = (GroupName: string) => plane.primary.cognito.send(new DeleteGroupCommand({ UserPoolId, GroupName }))
    const add = (GroupName: string, Username: string) =>
      plane.primary.cognito.send(new AdminAddUserToGroupCommand({ UserPoolId, GroupName, Username }))
    const take = (GroupName: string, Username: string) =>
      plane.primary.cognito.send(new AdminRemoveUserFromGroupCommand({ UserPoolId, GroupName, Username }))
    const membersOf = async (GroupName: string) => {
      const { Users } = await plane.primary.cognito.send(new ListUsersInGroupCommand({ UserPoolId, GroupName }))
      return (Users ?? []).map(({ Username }) => Username).sort()
    }
    const groupsOf = async (Username: string) => {
      const { Groups } = await plane.primary.cognito.send(new AdminListGroupsForUserCommand({ UserPoolId, Username }))
      return (Groups ?? []).map(({ GroupName }) => GroupName ?? '').sort()
    }

    test('a group keeps its members until they are updated', async () => {
      const { Group } = await create('readers', { Description: 'They read', RoleArn, Precedence: 0 })
      assert.deepEqual(await get('readers'), Group)
      const { CreationDate, LastModifiedDate, ...kept } = Group ?? {}
      assert.deepEqual(kept, { GroupName: 'readers', UserPoolId, Description: 'They read', RoleArn, Precedence: 0 })
      assert.ok(CreationDate instanceof Date && LastModifiedDate instanceof Date)
      await plane.primary.cognito.send(
        new UpdateGroupCommand({ UserPoolId, GroupName: 'readers', Precedence: 7, Description: '' }),
      )
      const changed = await get('readers')
      assert.deepEqual([changed?.Precedence, changed?.Description, changed?.RoleArn], [7, '', RoleArn])
      assert.deepEqual(changed?.CreationDate, CreationDate)
    })

    test('a name is unique; a group that does not exist is reported as missing', async () => {
      await create('once')
      await assert.rejects(create('once'), {
        name: 'GroupExistsException',
        message: 'A group with the name already exists',
      })
      await assert.rejects(get('missing'), notFound)
      await assert.rejects(remove('missing'), notFound)
      await assert.rejects(add('missing', 'ann'), notFound)
      await assert.rejects(take('missing', 'ann'), notFound)
      await assert.rejects(membersOf('missing'), notFound)
      await assert.rejects(
        plane.primary.cognito.send(new UpdateGroupCommand({ UserPoolId, GroupName: 'missing' })),
        notFound,
      )
      await assert.rejects(add('once', 'nobody'), { name: 'UserNotFoundException', message: 'User does not exist.' })
      await assert.rejects(groupsOf('nobody'), { name: 'UserNotFoundException' })
      await assert.rejects(create('negative', { Precedence: -1 }), { name: 'InvalidParameterException' })
    })

    test('users join and leave; doing it twice is not an error', async () => {
      await create('club')
      await add('club', 'ann')
      await add('club', 'ann')
      await add('club', 'bob')
      assert.deepEqual(await membersOf('club'), ['ann', 'bob'])
      await take('club', 'ann')
      await take('club', 'ann')
      assert.deepEqual(await membersOf('club'), ['bob'])
    })

    test('names with a slash are not confused', async () => {
      for (const name of ['a', 'a/b', 'a/b/c', 'ä🎉']) await create(name)
      await add('a/b', 'cid')
      await add('ä🎉', 'cid')
      assert.deepEqual(await membersOf('a'), [])
      assert.deepEqual(await membersOf('a/b'), ['cid'])
      assert.deepEqual(await groupsOf('cid'), ['a/b', 'ä🎉'])
      await remove('a')
      assert.deepEqual(await membersOf('a/b'), ['cid'])
    })

    test('a group that is created again has none of its previous members', async () => {
      await create('phoenix')
      await add('phoenix', 'ann')
      await remove('phoenix')
      assert.ok(!(await groupsOf('ann')).includes('phoenix'))
      await create('phoenix')
      assert.deepEqual(await membersOf('phoenix'), [])
    })

    /** Creates a group with more members than one transaction removes: 'ann', and subs that sort before every other. */
    const createCrowd = async (group: string): Promise<OpenPool> => {
      await create(group)
      await add(group, 'ann')
      const { context } = plane.primary.region
      const openPool = await getOpenPool(context, UserPoolId)
      await context.store.write(async (tx) => {
        for (let at = 0; at < 512; at += 1) {
          await putMember(tx, openPool, { group, sub: `00000000-0000-0000-0000-${String(at).padStart(12, '0')}` })
        }
      })
      return openPool
    }
    const countMembers = ({ cipher }: OpenPool, group: string): Promise<number> =>
      plane.primary.region.context.store.count('sealed-member', {
        pool: UserPoolId,
        where: { group: cipher.index('group', group) },
      })

    test('deleting a group deletes all of its memberships, however many', async () => {
      const openPool = await createCrowd('crowd')
      await remove('crowd')
      await assert.rejects(get('crowd'), notFound)
      assert.equal(await countMembers(openPool, 'crowd'), 0)
      assert.equal(await plane.primary.region.context.store.count('group-removal', { pool: UserPoolId }), 0)
    })

    test('a deletion that is cut short has deleted the group, and is finished by a sweep or by CreateGroup', async () => {
      const { context } = plane.primary.region
      const { store } = context
      for (const group of ['swept', 'created-again']) {
        const openPool = await createCrowd(group)
        let writes = 0
        const dying: typeof store.write = (work) => {
          writes += 1
          return writes > 1 ? Promise.reject(new Error('killed')) : store.write(work)
        }
        await assert.rejects(deleteGroup({ store: { ...store, write: dying } }, openPool, group), /killed/)
        await assert.rejects(get(group), notFound)
        assert.equal(await countMembers(openPool, group), 1)
        assert.ok(!(await groupsOf('ann')).includes(group))

        if (group === 'created-again') {
          await create(group)
          assert.deepEqual(await membersOf(group), [])
          await add(group, 'bob')
        }
        await sweepDeletedGroups(context)
        assert.equal(await countMembers(openPool, group), group === 'swept' ? 0 : 1)
        assert.equal(await store.count('group-removal', { pool: UserPoolId }), 0)
      }
      assert.deepEqual(await membersOf('created-again'), ['bob'])
    })

    test('a deleted user is in no group', async () => {
      await create('mortal')
      await createUser(plane.primary, UserPoolId, { username: 'dan' })
      await add('mortal', 'dan')
      await plane.primary.cognito.send(new AdminDeleteUserCommand({ UserPoolId, Username: 'dan' }))
      assert.deepEqual(await membersOf('mortal'), [])
    })

    test('tokens list groups in the order of their precedence', async () => {
      const client = await createClient(plane.primary, UserPoolId)
      await createUser(plane.primary, UserPoolId, { username: 'tok' })
      for (const [name, Precedence] of [
        ['t-none', undefined],
        ['t-two', 2],
        ['t-one', 1],
      ] as const) {
        await create(name, { Precedence })
        await add(name, 'tok')
      }
      const { AccessToken } = await people(plane.primary).signInByAdmin(client, { username: 'tok' })
      const payload = AccessToken.split('.')[1] as string
      assert.deepEqual(JSON.parse(Buffer.from(payload, 'base64url').toString())['cognito:groups'], [
        't-one',
        't-two',
        't-none',
      ])
    })

    test('lists are paged, and a token is valid for its own list only', async () => {
      for (let at = 0; at < 7; at += 1) {
        await create(`page-${at}`)
        await add(`page-${at}`, 'bob')
      }
      const expected = (await plane.primary.cognito.send(new ListGroupsCommand({ UserPoolId }))).Groups ?? []
      const seen: (string | undefined)[] = []
      let NextToken: string | undefined
      do {
        const page = await plane.primary.cognito.send(new ListGroupsCommand({ UserPoolId, Limit: 3, NextToken }))
        assert.ok((page.Groups?.length ?? 0) <= 3)
        seen.push(...(page.Groups ?? []).map(({ GroupName }) => GroupName))
        NextToken = page.NextToken
      } while (NextToken)
      assert.deepEqual(
        seen,
        expected.map(({ GroupName }) => GroupName),
      )
      const ofBob: (string | undefined)[] = []
      do {
        const page = await plane.primary.cognito.send(
          new AdminListGroupsForUserCommand({ UserPoolId, Username: 'bob', Limit: 2, NextToken }),
        )
        ofBob.push(...(page.Groups ?? []).map(({ GroupName }) => GroupName))
        NextToken = page.NextToken
      } while (NextToken)
      assert.deepEqual(ofBob.sort(), await groupsOf('bob'))

      const first = await plane.primary.cognito.send(new ListGroupsCommand({ UserPoolId, Limit: 1 }))
      const wrong = { name: 'InvalidParameterException', message: 'Invalid pagination token given.' }
      for (const token of ['nonsense', `${first.NextToken}A`]) {
        await assert.rejects(plane.primary.cognito.send(new ListGroupsCommand({ UserPoolId, NextToken: token })), wrong)
      }
      await assert.rejects(
        plane.primary.cognito.send(
          new ListUsersInGroupCommand({ UserPoolId, GroupName: 'club', NextToken: first.NextToken }),
        ),
        wrong,
      )
      const other = await createPool(plane.primary)
      await assert.rejects(
        plane.primary.cognito.send(new ListGroupsCommand({ UserPoolId: other, NextToken: first.NextToken })),
        wrong,
      )
    })
  })
}
