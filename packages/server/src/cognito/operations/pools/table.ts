import type { OperationRow } from '../../rows.ts'
import { account, pool } from '../../rows.ts'
import { AddCustomAttributes } from './AddCustomAttributes.ts'
import { CreateUserPool } from './CreateUserPool.ts'
import { DeleteUserPool } from './DeleteUserPool.ts'
import { DescribeUserPool } from './DescribeUserPool.ts'
import { GetUserPoolMfaConfig } from './GetUserPoolMfaConfig.ts'
import { ListUserPools } from './ListUserPools.ts'
import { SetUserPoolMfaConfig } from './SetUserPoolMfaConfig.ts'
import { UpdateUserPool } from './UpdateUserPool.ts'

// biome-ignore format: a table
export const poolsOperations = {
  CreateUserPool:        account('P', CreateUserPool),
  DescribeUserPool:      pool('I', DescribeUserPool),
  UpdateUserPool:        pool('I', UpdateUserPool),
  DeleteUserPool:        pool('P', DeleteUserPool),
  ListUserPools:         account('I', ListUserPools),
  AddCustomAttributes:   pool('P', AddCustomAttributes),
  GetUserPoolMfaConfig:  pool('I', GetUserPoolMfaConfig),
  SetUserPoolMfaConfig:  pool('I', SetUserPoolMfaConfig),
  GetSigningCertificate: pool('I'),
  GetCSVHeader:          pool('P'),
} as const satisfies Record<string, OperationRow>
