import type { OperationRow } from '../../rows.ts'
import { token } from '../../rows.ts'

// biome-ignore format: a table
export const passkeysOperations = {
  StartWebAuthnRegistration:    token('P'),
  CompleteWebAuthnRegistration: token('P'),
  ListWebAuthnCredentials:      token('A'),
  DeleteWebAuthnCredential:     token('P'),
} as const satisfies Record<string, OperationRow>
