import type { OperationRow } from '../../rows.ts'
import { pool } from '../../rows.ts'
import { CreateUserPoolReplica } from './CreateUserPoolReplica.ts'
import { DeleteUserPoolReplica } from './DeleteUserPoolReplica.ts'
import { ListUserPoolReplicas } from './ListUserPoolReplicas.ts'
import { UpdateUserPoolReplica } from './UpdateUserPoolReplica.ts'

// biome-ignore format: a table
export const replicasOperations = {
  CreateUserPoolReplica: pool('P', CreateUserPoolReplica),
  ListUserPoolReplicas:  pool('I', ListUserPoolReplicas),
  UpdateUserPoolReplica: pool('I', UpdateUserPoolReplica),
  DeleteUserPoolReplica: pool('I', DeleteUserPoolReplica),
} as const satisfies Record<string, OperationRow>
