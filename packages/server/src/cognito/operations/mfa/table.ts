import type { OperationRow } from '../../rows.ts'
import { pool, session, token } from '../../rows.ts'

// biome-ignore format: a table
export const mfaOperations = {
  AssociateSoftwareToken:       session('P'),
  VerifySoftwareToken:          session('P'),
  AdminDeleteSoftwareToken:     pool('P'),
  SetUserMFAPreference:         token('P'),
  AdminSetUserMFAPreference:    pool('P'),
  GetUserAuthFactors:           token('A'),
  AdminGetUserAuthFactors:      pool('P'),
  ConfirmDevice:                token('P'),
  GetDevice:                    token('A'),
  ListDevices:                  token('A'),
  UpdateDeviceStatus:           token('P'),
  ForgetDevice:                 token('P'),
  AdminGetDevice:               pool('I'),
  AdminListDevices:             pool('I'),
  AdminUpdateDeviceStatus:      pool('P'),
  AdminForgetDevice:            pool('P'),
  StartWebAuthnRegistration:    token('P'),
  CompleteWebAuthnRegistration: token('P'),
  ListWebAuthnCredentials:      token('A'),
  DeleteWebAuthnCredential:     token('P'),
} as const satisfies Record<string, OperationRow>
