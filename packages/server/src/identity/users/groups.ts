import type { GroupType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import { findUserBySub, lockUser, type User, type UserPlace } from '../../directory/user.ts'
import { CognitoError } from '../../errors.ts'
import type { Row } from '../../store/rows.ts'
import { RowExistsError } from '../../store/write.ts'
import { openPageToken, pageSize, sealPageToken } from '../page-token.ts'

/**
 * Groups of a pool, and who is in them. What they mean in tokens is told in tokens/groups.ts.
 *
 *   group   key: the name                body: GroupDocument
 *   member  key: `<group name>/<sub>`    index: group_name, sub
 *
 * A group's name may contain a slash; a member's key still has one meaning, for a sub always has 36 characters. Members are
 * looked for by the index columns, never by a prefix of the key, which `a/` and `a/b/` would share.
 */
interface GroupDocument {
  Description?: string | undefined
  RoleArn?: string | undefined
  Precedence?: number | undefined
  created: number
  modified: number
}

export type GroupSettings = Pick<GroupDocument, 'Description' | 'RoleArn' | 'Precedence'>

// https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
const GROUPS_PER_POOL = 10_000
const GROUPS_PER_USER = 100
const BATCH_ROWS = 500

/** Throws GroupExistsException, LimitExceededException. */
export async function createGroup(
  { store, clock }: Pick<Context, 'store' | 'clock'>,
  place: UserPlace,
  name: string,
  settings: GroupSettings,
): Promise<GroupType> {
  const now = clock.now()
  const body = JSON.stringify({ ...settings, created: now, modified: now } satisfies GroupDocument)
  const pool = place.pool.id
  await store.write(async (tx) => {
    if ((await tx.count('group', { pool })) >= GROUPS_PER_POOL) {
      throw new CognitoError('LimitExceededException', `A user pool may have ${GROUPS_PER_POOL} groups.`)
    }
    try {
      await tx.insert('group', { pool, key: name, body })
    } catch (error) {
      if (!(error instanceof RowExistsError)) throw error
      throw new CognitoError('GroupExistsException', 'A group with the name already exists')
    }
  })
  return describeGroup({ pool, key: name, body })
}

/** Throws ResourceNotFoundException. */
export async function getGroup(
  { store }: Pick<Context, 'store'>,
  { pool }: UserPlace,
  name: string,
): Promise<GroupType> {
  const row = await store.find('group', { pool: pool.id, key: name })
  if (!row) throw noSuchGroup()
  return describeGroup(row)
}

/** Changes what is given, and leaves the rest. Throws ResourceNotFoundException. */
export async function updateGroup(
  { store, clock }: Pick<Context, 'store' | 'clock'>,
  { pool }: UserPlace,
  name: string,
  settings: GroupSettings,
): Promise<GroupType> {
  const address = { pool: pool.id, key: name }
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
  const body = await store.write(async (tx) => {
    const row = await tx.lock('group', address)
    if (!row) throw noSuchGroup()
    const body = JSON.stringify({ ...(JSON.parse(row.body) as GroupDocument), ...given, modified: clock.now() })
    await tx.put('group', { ...address, body })
    return body
  })
  return describeGroup({ ...address, body })
}

/**
 * Removes a group with its memberships: most of them in transactions of bounded size, the last ones together with the group,
 * so that a group of the same name that is made later has no members of old. Throws ResourceNotFoundException.
 */
export async function deleteGroup({ store }: Pick<Context, 'store'>, { pool }: UserPlace, name: string): Promise<void> {
  const address = { pool: pool.id, key: name }
  for (let gone = false; !gone; ) {
    gone = await store.write(async (tx) => {
      if (!(await tx.lock('group', address))) throw noSuchGroup()
      const members = await tx.list('member', { pool: pool.id, where: { group_name: name }, limit: BATCH_ROWS })
      for (const { key } of members) await tx.remove('member', { pool: pool.id, key })
      if (members.length === BATCH_ROWS) return false
      await tx.remove('group', address)
      return true
    })
  }
}

/** Puts a user into a group; no harm if there already. Throws ResourceNotFoundException, UserNotFoundException, LimitExceededException. */
export async function addMember(
  { store }: Pick<Context, 'store'>,
  place: UserPlace,
  { group, sub }: { group: string; sub: string },
): Promise<void> {
  const pool = place.pool.id
  await store.write(async (tx) => {
    if (!(await tx.lock('group', { pool, key: group }))) throw noSuchGroup()
    await lockUser(tx, place, sub)
    const key = memberKey(group, sub)
    if (await tx.lock('member', { pool, key })) return
    if ((await tx.count('member', { pool, where: { sub } })) >= GROUPS_PER_USER) {
      throw new CognitoError('LimitExceededException', `A user may be in ${GROUPS_PER_USER} groups.`)
    }
    await tx.put('member', { pool, key, body: '{}', fields: { group_name: group, sub } })
  })
}

/** Takes a user out of a group; no harm if not in it. Throws ResourceNotFoundException. */
export async function removeMember(
  { store }: Pick<Context, 'store'>,
  { pool }: UserPlace,
  { group, sub }: { group: string; sub: string },
): Promise<void> {
  await store.write(async (tx) => {
    if (!(await tx.find('group', { pool: pool.id, key: group }))) throw noSuchGroup()
    await tx.remove('member', { pool: pool.id, key: memberKey(group, sub) })
  })
}

interface Page {
  limit?: number | undefined
  token?: string | undefined
}

/** Lists the groups of a pool by name. Throws InvalidParameterException. */
export async function listGroups(
  context: Pick<Context, 'store' | 'clock'>,
  place: UserPlace,
  page: Page,
): Promise<{ groups: GroupType[]; token: string | undefined }> {
  const { rows, token } = await readPage(context, place, ['ListGroups'], page, (query) =>
    context.store.list('group', { pool: place.pool.id, ...query }),
  )
  return { groups: rows.map(describeGroup), token }
}

/** Lists the groups of a user by name. Throws InvalidParameterException. */
export async function listGroupsOf(
  context: Pick<Context, 'store' | 'clock'>,
  place: UserPlace,
  sub: string,
  page: Page,
): Promise<{ groups: GroupType[]; token: string | undefined }> {
  const pool = place.pool.id
  const { rows, token } = await readPage(context, place, ['AdminListGroupsForUser', sub], page, (query) =>
    context.store.list('member', { pool, where: { sub }, ...query }),
  )
  const groups = await Promise.all(
    rows.map(({ fields }) => context.store.find('group', { pool, key: fields.group_name as string })),
  )
  return { groups: groups.flatMap((row) => (row ? [describeGroup(row)] : [])), token }
}

/** Lists the users in a group. Throws ResourceNotFoundException, InvalidParameterException. */
export async function listMembers(
  context: Pick<Context, 'store' | 'clock'>,
  place: UserPlace,
  group: string,
  page: Page,
): Promise<{ users: User[]; token: string | undefined }> {
  const pool = place.pool.id
  if (!(await context.store.find('group', { pool, key: group }))) throw noSuchGroup()
  const { rows, token } = await readPage(context, place, ['ListUsersInGroup', group], page, (query) =>
    context.store.list('member', { pool, where: { group_name: group }, ...query }),
  )
  const users = await Promise.all(rows.map(({ fields }) => findUserBySub(context.store, place, fields.sub as string)))
  return { users: users.filter((user) => user !== undefined), token }
}

/** One page of rows in the order of their keys, and the token of the next one if there is any. */
async function readPage<K extends 'group' | 'member'>(
  context: Pick<Context, 'clock'>,
  place: UserPlace,
  list: readonly string[],
  { limit, token }: Page,
  read: (query: { after: string | undefined; limit: number }) => Promise<Row<K>[]>,
): Promise<{ rows: Row<K>[]; token: string | undefined }> {
  const size = pageSize(limit)
  const rows = await read({ after: openPageToken(context, place, { list, token }), limit: size + 1 })
  const page = rows.slice(0, size)
  const last = page.at(-1)
  return {
    rows: page,
    token: rows.length > size && last ? sealPageToken(context, place, { list, after: last.key }) : undefined,
  }
}

const memberKey = (group: string, sub: string): string => `${group}/${sub}`

const noSuchGroup = (): CognitoError => new CognitoError('ResourceNotFoundException', 'Group not found.')

function describeGroup({ pool, key, body }: Pick<Row, 'pool' | 'key' | 'body'>): GroupType {
  const { created, modified, ...settings } = JSON.parse(body) as GroupDocument
  return {
    GroupName: key,
    UserPoolId: pool,
    ...settings,
    CreationDate: new Date(created),
    LastModifiedDate: new Date(modified),
  }
}
