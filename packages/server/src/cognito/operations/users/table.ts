import type { OperationRow } from '../../rows.ts'
import { PASSWORD, pool, user } from '../../rows.ts'
import { AdminConfirmSignUp } from './AdminConfirmSignUp.ts'
import { AdminCreateUser } from './AdminCreateUser.ts'
import { AdminDeleteUser } from './AdminDeleteUser.ts'
import { AdminDeleteUserAttributes } from './AdminDeleteUserAttributes.ts'
import { AdminDisableUser } from './AdminDisableUser.ts'
import { AdminEnableUser } from './AdminEnableUser.ts'
import { AdminGetUser } from './AdminGetUser.ts'
import { AdminResetUserPassword } from './AdminResetUserPassword.ts'
import { AdminSetUserPassword } from './AdminSetUserPassword.ts'
import { AdminUpdateUserAttributes } from './AdminUpdateUserAttributes.ts'
import { AdminUserGlobalSignOut } from './AdminUserGlobalSignOut.ts'
import { ListUsers } from './ListUsers.ts'

// biome-ignore format: a table
export const usersOperations = {
  AdminCreateUser:              pool('P', AdminCreateUser, PASSWORD),
  AdminGetUser:                 pool('I', AdminGetUser),
  ListUsers:                    pool('I', ListUsers),
  AdminUpdateUserAttributes:    user('P', AdminUpdateUserAttributes),
  AdminDeleteUserAttributes:    user('P', AdminDeleteUserAttributes),
  AdminDeleteUser:              user('P', AdminDeleteUser),
  AdminEnableUser:              user('P', AdminEnableUser),
  AdminDisableUser:             user('P', AdminDisableUser),
  AdminConfirmSignUp:           user('P', AdminConfirmSignUp),
  AdminResetUserPassword:       user('P', AdminResetUserPassword),
  AdminSetUserPassword:         user('P', AdminSetUserPassword, PASSWORD),
  AdminSetUserSettings:         user('P'),
  AdminLinkProviderForUser:     pool('P'),
  AdminDisableProviderForUser:  pool('P'),
  AdminUserGlobalSignOut:       user('A', AdminUserGlobalSignOut),
  AdminListUserAuthEvents:      user('I'),
  AdminUpdateAuthEventFeedback: user('A'),
} as const satisfies Record<string, OperationRow>
