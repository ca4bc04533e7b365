import type { UserType } from '@aws-sdk/client-cognito-identity-provider'
import type { UserDocument } from '../../directory/user.ts'
import { listAttributes } from './attributes.ts'

/** Renders a user for lists and AdminCreateUser. `names`: the attributes to include; all if undefined. */
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

/** Renders a user's second factors for AdminGetUser and GetUser. */
export function describeMfa({ mfa }: UserDocument): { PreferredMfaSetting?: string; UserMFASettingList?: string[] } {
  return {
    ...(mfa?.preferred && { PreferredMfaSetting: mfa.preferred }),
    ...(mfa?.enabled?.length && { UserMFASettingList: mfa.enabled }),
  }
}
