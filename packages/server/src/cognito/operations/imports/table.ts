import type { OperationRow } from '../../rows.ts'
import { pool } from '../../rows.ts'

// biome-ignore format: a table
export const importsOperations = {
  CreateUserImportJob:   pool('P'),
  DescribeUserImportJob: pool('P'),
  ListUserImportJobs:    pool('P'),
  StartUserImportJob:    pool('P'),
  StopUserImportJob:     pool('P'),
} as const satisfies Record<string, OperationRow>
