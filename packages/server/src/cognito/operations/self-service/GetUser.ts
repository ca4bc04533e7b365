import { listAttributes } from '../../../identity/users/attributes.ts'
import { describeMfa } from '../../../identity/users/description.ts'
import type { TokenCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const GetUser: Handler<'GetUser', TokenCall> = async (_context, { client, user }) => ({
  Username: user.username,
  UserAttributes: listAttributes(user, client),
  ...describeMfa(user),
})
