import type { OperationRow } from '../../rows.ts'
import { pool } from '../../rows.ts'

// biome-ignore format: a table
export const resourceServersOperations = {
  CreateResourceServer:   pool('P'),
  DescribeResourceServer: pool('I'),
  UpdateResourceServer:   pool('P'),
  DeleteResourceServer:   pool('P'),
  ListResourceServers:    pool('I'),
} as const satisfies Record<string, OperationRow>
