import type { OperationRow } from '../../rows.ts'
import { pool, token } from '../../rows.ts'

// biome-ignore format: a table
export const devicesOperations = {
  ConfirmDevice:           token('P'),
  GetDevice:               token('A'),
  ListDevices:             token('A'),
  UpdateDeviceStatus:      token('P'),
  ForgetDevice:            token('P'),
  AdminGetDevice:          pool('I'),
  AdminListDevices:        pool('I'),
  AdminUpdateDeviceStatus: pool('P'),
  AdminForgetDevice:       pool('P'),
} as const satisfies Record<string, OperationRow>
