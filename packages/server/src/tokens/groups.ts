import type { Store } from '../store/store.ts'

/** The groups of a user, in their order, and the roles that come of them. */
export interface Standing {
  groups: readonly string[]
  roles: readonly string[]
  preferredRole: string | undefined
}

interface Group {
  name: string
  role: string | undefined
  precedence: number
}

/** No user is in more groups. https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html */
const GROUPS_OF_A_USER = 1_000

/**
 * Reads in which groups a user is. Lower precedence comes first, a group without one last.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-user-groups.html
 */
export async function readStanding(
  store: Pick<Store, 'find' | 'list'>,
  { pool, sub }: { pool: string; sub: string },
): Promise<Standing> {
  const members = await store.list('member', { pool, where: { sub }, limit: GROUPS_OF_A_USER })
  const groups = await Promise.all(members.map(({ fields }) => readGroup(store, pool, fields.group_name as string)))
  return standingOf(groups.filter((group) => group !== undefined))
}

async function readGroup(store: Pick<Store, 'find'>, pool: string, name: string): Promise<Group | undefined> {
  const row = await store.find('group', { pool, key: name })
  if (!row) return undefined
  const { RoleArn, Precedence } = JSON.parse(row.body) as { RoleArn?: string; Precedence?: number }
  return { name, role: RoleArn, precedence: Precedence ?? Number.POSITIVE_INFINITY }
}

/** Among groups of equal precedence none is before the other: they give a preferred role only if it is the same. */
export function standingOf(unordered: readonly Group[]): Standing {
  const groups = [...unordered].sort(
    (a, b) => (a.precedence === b.precedence ? 0 : a.precedence - b.precedence) || (a.name < b.name ? -1 : 1),
  )
  const withRole = groups.filter(({ role }) => role !== undefined)
  const first = withRole.filter(({ precedence }) => precedence === withRole[0]?.precedence)
  return {
    groups: groups.map(({ name }) => name),
    roles: [...new Set(withRole.map(({ role }) => role as string))],
    preferredRole: new Set(first.map(({ role }) => role)).size === 1 ? first[0]?.role : undefined,
  }
}
