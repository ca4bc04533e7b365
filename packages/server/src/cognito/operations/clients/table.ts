import type { OperationRow } from '../../rows.ts'
import { pool } from '../../rows.ts'
import { CreateUserPoolClient } from './CreateUserPoolClient.ts'
import { DeleteUserPoolClient } from './DeleteUserPoolClient.ts'
import { DescribeUserPoolClient } from './DescribeUserPoolClient.ts'
import { ListUserPoolClients } from './ListUserPoolClients.ts'
import { UpdateUserPoolClient } from './UpdateUserPoolClient.ts'

// biome-ignore format: a table
export const clientsOperations = {
  CreateUserPoolClient:       pool('P', CreateUserPoolClient),
  DescribeUserPoolClient:     pool('I', DescribeUserPoolClient),
  UpdateUserPoolClient:       pool('P', UpdateUserPoolClient),
  DeleteUserPoolClient:       pool('P', DeleteUserPoolClient),
  ListUserPoolClients:        pool('I', ListUserPoolClients),
  AddUserPoolClientSecret:    pool('P'),
  DeleteUserPoolClientSecret: pool('P'),
  ListUserPoolClientSecrets:  pool('I'),
} as const satisfies Record<string, OperationRow>
