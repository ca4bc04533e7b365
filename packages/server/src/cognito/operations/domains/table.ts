import type { OperationRow } from '../../rows.ts'
import { account, pool } from '../../rows.ts'
import { CreateUserPoolDomain } from './CreateUserPoolDomain.ts'
import { DeleteUserPoolDomain } from './DeleteUserPoolDomain.ts'
import { DescribeUserPoolDomain } from './DescribeUserPoolDomain.ts'
import { UpdateUserPoolDomain } from './UpdateUserPoolDomain.ts'

// biome-ignore format: a table
export const domainsOperations = {
  CreateUserPoolDomain:   pool('I', CreateUserPoolDomain),
  DescribeUserPoolDomain: account('I', DescribeUserPoolDomain),
  UpdateUserPoolDomain:   pool('I', UpdateUserPoolDomain),
  DeleteUserPoolDomain:   pool('I', DeleteUserPoolDomain),
} as const satisfies Record<string, OperationRow>
