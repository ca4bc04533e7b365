import type { OperationRow } from '../../rows.ts'
import { pool, token, user } from '../../rows.ts'

// biome-ignore format: a table
export const sessionsOperations = {
  SetUserPoolSessionConfiguration:       pool('P'),
  GetUserPoolSessionConfiguration:       pool('P'),
  SetUserPoolClientSessionConfiguration: pool('P'),
  GetUserPoolClientSessionConfiguration: pool('P'),
  ListUserSessions:                      token('P'),
  RevokeUserSession:                     token('P'),
  AdminListUserSessions:                 user('P'),
  AdminRevokeUserSession:                user('P'),
} as const satisfies Record<string, OperationRow>
