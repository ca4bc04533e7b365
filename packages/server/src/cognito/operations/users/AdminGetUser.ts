import { getUser } from '../../../directory/user.ts'
import { listAttributes } from '../../../identity/users/attributes.ts'
import { describeMfa } from '../../../identity/users/description.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminGetUser: Handler<'AdminGetUser', PoolCall> = async ({ store }, call, input) => {
  const user = await getUser(store, call, input.Username)
  return {
    Username: user.username,
    UserAttributes: listAttributes(user),
    UserCreateDate: new Date(user.created),
    UserLastModifiedDate: new Date(user.modified),
    Enabled: user.enabled,
    UserStatus: user.status,
    ...describeMfa(user),
  }
}
