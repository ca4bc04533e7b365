import type { OperationRow } from '../../rows.ts'
import { pool, session, token, user } from '../../rows.ts'

// biome-ignore format: a table
export const mfaOperations = {
  AssociateSoftwareToken:    session('P'),
  VerifySoftwareToken:       session('P'),
  AdminDeleteSoftwareToken:  user('P'),
  SetUserMFAPreference:      token('P'),
  AdminSetUserMFAPreference: user('P'),
  GetUserAuthFactors:        token('A'),
  AdminGetUserAuthFactors:   pool('P'),
} as const satisfies Record<string, OperationRow>
