import type { GroupType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import type { Group, GroupDocument } from '../../directory/group.ts'
import * as groupRows from '../../directory/group.ts'
import type { Page } from '../../directory/group-rows.ts'
import type { Member } from '../../directory/member.ts'
import * as memberRows from '../../directory/member.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { findUserBySub, lockUser, type User, withoutLostNames } from '../../directory/user.ts'
import { CognitoError } from '../../errors.ts'
import type { Transaction } from '../../store/write.ts'
import { withKept } from '../omitted.ts'
import { openPageToken, pageSize, sealPageToken } from '../page-token.ts'
import { removeSomeMembers } from './group-removal.ts'
import { GROUP_ROWS } from './omitted.ts'

export type GroupSettings = Pick<GroupDocument, 'Description' | 'RoleArn' | 'Precedence'>

// https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
const GROUPS_PER_POOL = 10_000
const GROUPS_PER_USER = 100

/** Throws GroupExistsException, LimitExceededException. */
export async function createGroup(
  { store }: Pick<Context, 'store'>,
  openPool: OpenPool,
  name: string,
  settings: GroupSettings,
): Promise<GroupType> {
  for (;;) {
    const group = await store.write((tx) => insertEmptyGroup(tx, openPool, name, settings))
    if (group) return describeGroup(openPool, group)
  }
}

/** Returns undefined if memberships of a deleted group with the same name are left: the next transaction continues. */
async function insertEmptyGroup(
  tx: Transaction,
  openPool: OpenPool,
  name: string,
  settings: GroupSettings,
): Promise<Group | undefined> {
  if ((await groupRows.countGroups(tx, openPool, GROUPS_PER_POOL)) >= GROUPS_PER_POOL) {
    throw new CognitoError('LimitExceededException', `A user pool can have at most ${GROUPS_PER_POOL} groups.`)
  }
  if (await groupRows.lockGroup(tx, openPool, name)) {
    throw new CognitoError('GroupExistsException', 'A group with the name already exists')
  }
  if (!(await removeSomeMembers(tx, openPool, name))) return undefined
  const group: Group = { name, ...settings, created: tx.now, modified: tx.now }
  await groupRows.putGroup(tx, openPool, group)
  return group
}

/** Throws ResourceNotFoundException. */
export async function getGroup(
  { store }: Pick<Context, 'store'>,
  openPool: OpenPool,
  name: string,
): Promise<GroupType> {
  const group = await groupRows.findGroup(store, openPool, name)
  if (!group) throw groupRows.groupNotFound()
  return describeGroup(openPool, group)
}

/** Changes the given settings only. Throws ResourceNotFoundException. */
export async function updateGroup(
  { store }: Pick<Context, 'store'>,
  openPool: OpenPool,
  name: string,
  settings: GroupSettings,
): Promise<GroupType> {
  return store.write(async (tx) => {
    const present = await groupRows.lockGroup(tx, openPool, name)
    if (!present) throw groupRows.groupNotFound()
    const group: Group = { ...present, ...withKept(GROUP_ROWS, settings, present), modified: tx.now }
    await groupRows.putGroup(tx, openPool, group)
    return describeGroup(openPool, group)
  })
}

/**
 * Adds a user to a group; does nothing if the user is a member. Throws ResourceNotFoundException, UserNotFoundException,
 * LimitExceededException.
 */
export async function addMember({ store }: Pick<Context, 'store'>, openPool: OpenPool, member: Member): Promise<void> {
  await store.write(async (tx) => {
    if (!(await groupRows.lockGroup(tx, openPool, member.group))) throw groupRows.groupNotFound()
    await lockUser(tx, openPool, member.sub)
    if (await memberRows.lockMember(tx, openPool, member)) return
    if ((await memberRows.countGroupsOf(tx, openPool, member.sub, GROUPS_PER_USER)) >= GROUPS_PER_USER) {
      throw new CognitoError('LimitExceededException', `A user can be in at most ${GROUPS_PER_USER} groups.`)
    }
    await memberRows.putMember(tx, openPool, member)
  })
}

/** Removes a user from a group; does nothing if the user is not a member. Throws ResourceNotFoundException. */
export async function removeMember(
  { store }: Pick<Context, 'store'>,
  openPool: OpenPool,
  member: Member,
): Promise<void> {
  await store.write(async (tx) => {
    if (!(await groupRows.findGroup(tx, openPool, member.group))) throw groupRows.groupNotFound()
    await memberRows.removeMember(tx, openPool, member)
  })
}

interface PageInput {
  limit?: number | undefined
  token?: string | undefined
}

/** Lists the groups of a pool. Throws InvalidParameterException. */
export async function listGroups(
  context: Pick<Context, 'store' | 'clock'>,
  openPool: OpenPool,
  page: PageInput,
): Promise<{ groups: GroupType[]; token: string | undefined }> {
  const { entries, token } = await listPage(context, openPool, ['ListGroups'], page, (wanted) =>
    groupRows.listGroups(context.store, openPool, wanted),
  )
  return { groups: entries.map((group) => describeGroup(openPool, group)), token }
}

/** Lists the groups of a user. Throws InvalidParameterException. */
export async function listGroupsOf(
  context: Pick<Context, 'store' | 'clock'>,
  openPool: OpenPool,
  sub: string,
  page: PageInput,
): Promise<{ groups: GroupType[]; token: string | undefined }> {
  const { entries, token } = await listPage(context, openPool, ['AdminListGroupsForUser', sub], page, (wanted) =>
    memberRows.listGroupsOf(context.store, openPool, sub, wanted),
  )
  return { groups: entries.map((group) => describeGroup(openPool, group)), token }
}

/** Lists the users in a group. Throws ResourceNotFoundException, InvalidParameterException. */
export async function listMembers(
  context: Pick<Context, 'store' | 'clock'>,
  openPool: OpenPool,
  group: string,
  page: PageInput,
): Promise<{ users: User[]; token: string | undefined }> {
  const { store } = context
  if (!(await groupRows.findGroup(store, openPool, group))) throw groupRows.groupNotFound()
  const { entries, token } = await listPage(context, openPool, ['ListUsersInGroup', group], page, (wanted) =>
    memberRows.listMembers(store, openPool, group, wanted),
  )
  const users = await Promise.all(
    entries.map(async (sub) => {
      const user = await findUserBySub(store, openPool, sub)
      return user && openPool.pool.isCopiedAgain ? withoutLostNames(store, openPool, user) : user
    }),
  )
  return { users: users.filter((user) => user !== undefined), token }
}

/** Opens the page token, lists one page, and seals the token of the next page. */
async function listPage<T>(
  context: Pick<Context, 'clock'>,
  openPool: OpenPool,
  list: readonly string[],
  { limit, token }: PageInput,
  read: (wanted: { after: string | undefined; size: number }) => Promise<Page<T>>,
): Promise<{ entries: T[]; token: string | undefined }> {
  const after = openPageToken(context, openPool, { list, token })
  const { entries, next } = await read({ after, size: pageSize(limit) })
  return { entries, token: next && sealPageToken(context, openPool, { list, after: next }) }
}

const describeGroup = ({ pool }: OpenPool, { name, created, modified, ...settings }: Group): GroupType => ({
  GroupName: name,
  UserPoolId: pool.id,
  ...settings,
  CreationDate: new Date(created),
  LastModifiedDate: new Date(modified),
})
