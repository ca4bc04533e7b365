import type { OperationRow } from '../../rows.ts'
import { pool } from '../../rows.ts'

// biome-ignore format: a table
export const riskOperations = {
  DescribeRiskConfiguration:   pool('I'),
  SetRiskConfiguration:        pool('I'),
  GetLogDeliveryConfiguration: pool('I'),
  SetLogDeliveryConfiguration: pool('I'),
} as const satisfies Record<string, OperationRow>
