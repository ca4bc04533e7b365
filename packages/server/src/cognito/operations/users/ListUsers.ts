import { checkKnown } from '../../../identity/users/attributes.ts'
import { describeUser } from '../../../identity/users/description.ts'
import { listUsers } from '../../../identity/users/listing.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const ListUsers: Handler<'ListUsers', PoolCall> = async (context, call, input) => {
  const { AttributesToGet: names, Filter: filter, Limit: limit, PaginationToken } = input
  checkKnown(call.pool, names ?? [])
  const { users, token } = await listUsers(context, call, { filter, limit, token: PaginationToken })
  return { Users: users.map((user) => describeUser(user, names)), PaginationToken: token }
}
