import type { UserType } from '@aws-sdk/client-cognito-identity-provider'
import type { UserDocument } from '../../directory/user.ts'
import { listAttributes } from './attributes.ts'

/** A user as lists and AdminCreateUser show them; with `names`, those attributes only. */
export function describeUser(user: UserDocument, names?: readonly string[]): UserType {
  const attributes = listAttributes(user)
  return {
    Username: user.username,
    Attributes: names ? attributes.filter(({ Name = '' }) => names.includes(Name)) : attributes,
    UserCreateDate: new Date(user.created),
    UserLastModifiedDate: new Date(user.modified),
    Enabled: user.enabled,
    UserStatus: user.status,
  }
}

/** What AdminGetUser and GetUser tell of a user's second factors. */
export function describeMfa({ mfa }: UserDocument): { PreferredMfaSetting?: string; UserMFASettingList?: string[] } {
  return {
    ...(mfa?.preferred && { PreferredMfaSetting: mfa.preferred }),
    ...(mfa?.enabled?.length && { UserMFASettingList: mfa.enabled }),
  }
}
