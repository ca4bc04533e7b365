import type { OperationRow } from '../../rows.ts'
import { token, user } from '../../rows.ts'

// biome-ignore format: a table
export const devicesOperations = {
  ConfirmDevice:           token('P'),
  GetDevice:               token('A'),
  ListDevices:             token('A'),
  UpdateDeviceStatus:      token('P'),
  ForgetDevice:            token('P'),
  AdminGetDevice:          user('I'),
  AdminListDevices:        user('I'),
  AdminUpdateDeviceStatus: user('P'),
  AdminForgetDevice:       user('P'),
} as const satisfies Record<string, OperationRow>
