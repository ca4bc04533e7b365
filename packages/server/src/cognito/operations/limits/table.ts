import type { OperationRow } from '../../rows.ts'
import { account } from '../../rows.ts'

// biome-ignore format: a table
export const limitsOperations = {
  GetProvisionedLimit:    account('P'),
  UpdateProvisionedLimit: account('P'),
} as const satisfies Record<string, OperationRow>
