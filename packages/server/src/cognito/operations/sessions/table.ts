import type { OperationRow } from '../../rows.ts'
import { pool, token } from '../../rows.ts'

// biome-ignore format: a table
export const sessionsOperations = {
  SetUserPoolSessionConfiguration:       pool('P'),
  GetUserPoolSessionConfiguration:       pool('P'),
  SetUserPoolClientSessionConfiguration: pool('P'),
  GetUserPoolClientSessionConfiguration: pool('P'),
  ListUserSessions:                      token('P'),
  RevokeUserSession:                     token('P'),
  AdminListUserSessions:                 pool('P'),
  AdminRevokeUserSession:                pool('P'),
} as const satisfies Record<string, OperationRow>
