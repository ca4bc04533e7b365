import { listGroupsOf } from '../directory/member.ts'
import type { OpenPool } from '../directory/open-pool.ts'
import type { Store } from '../store/store.ts'

/** The groups of a user in order of precedence, and their roles, as tokens contain them. */
export interface Membership {
  groups: readonly string[]
  roles: readonly string[]
  preferredRole: string | undefined
}

interface RankedGroup {
  name: string
  role: string | undefined
  precedence: number
}

/** Quota of groups per user. https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html */
const GROUPS_OF_A_USER = 1_000

/**
 * Reads the groups of a user. Lower precedence comes first; a group without precedence comes last.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-user-groups.html
 */
export async function getMembership(
  store: Pick<Store, 'find' | 'list'>,
  openPool: OpenPool,
  sub: string,
): Promise<Membership> {
  const { entries } = await listGroupsOf(store, openPool, sub, { after: undefined, size: GROUPS_OF_A_USER })
  return membershipOf(
    entries.map(({ name, RoleArn, Precedence }) => ({
      name,
      role: RoleArn,
      precedence: Precedence ?? Number.POSITIVE_INFINITY,
    })),
  )
}

/** Groups of equal precedence have no order: they define a preferred role only if their roles are equal. */
function membershipOf(unordered: readonly RankedGroup[]): Membership {
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
