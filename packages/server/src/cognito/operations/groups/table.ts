import type { OperationRow } from '../../rows.ts'
import { pool, user } from '../../rows.ts'
import { AdminAddUserToGroup } from './AdminAddUserToGroup.ts'
import { AdminListGroupsForUser } from './AdminListGroupsForUser.ts'
import { AdminRemoveUserFromGroup } from './AdminRemoveUserFromGroup.ts'
import { CreateGroup } from './CreateGroup.ts'
import { DeleteGroup } from './DeleteGroup.ts'
import { GetGroup } from './GetGroup.ts'
import { ListGroups } from './ListGroups.ts'
import { ListUsersInGroup } from './ListUsersInGroup.ts'
import { UpdateGroup } from './UpdateGroup.ts'

// biome-ignore format: a table
export const groupsOperations = {
  CreateGroup:              pool('P', CreateGroup),
  GetGroup:                 pool('I', GetGroup),
  UpdateGroup:              pool('P', UpdateGroup),
  DeleteGroup:              pool('P', DeleteGroup),
  ListGroups:               pool('I', ListGroups),
  ListUsersInGroup:         pool('I', ListUsersInGroup),
  AdminAddUserToGroup:      user('P', AdminAddUserToGroup),
  AdminRemoveUserFromGroup: user('P', AdminRemoveUserFromGroup),
  AdminListGroupsForUser:   user('I', AdminListGroupsForUser),
} as const satisfies Record<string, OperationRow>
