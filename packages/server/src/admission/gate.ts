import type { Pool } from '../directory/pool.ts'
import { CognitoError } from '../errors.ts'

/**
 * Whether an operation is allowed in a secondary region of a pool: I while INACTIVE or ACTIVE, A only while ACTIVE, P never
 * (only in the primary).
 * https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-multi-region-replication.html
 */
export type ReplicaRight = 'I' | 'A' | 'P'

/** The gate's decision for a call in this region. (A later `forward` will send the call to the primary.) */
export type Verdict = 'allow' | 'refuse'

export function decide(pool: Pick<Pool, 'role' | 'status'>, right: ReplicaRight): Verdict {
  if (pool.role === 'PRIMARY') return 'allow'
  const allowed = pool.status === 'ACTIVE' ? right !== 'P' : pool.status === 'INACTIVE' && right === 'I'
  return allowed ? 'allow' : 'refuse'
}

/** Throws OperationNotEnabledException. */
export function checkGate(pool: Pick<Pool, 'role' | 'status'>, right: ReplicaRight): void {
  if (decide(pool, right) === 'refuse') throw operationNotEnabled()
}

export const operationNotEnabled = (): CognitoError =>
  new CognitoError('OperationNotEnabledException', 'This operation is not enabled for this user pool in this Region.')
