import type { Replica } from '../store/merge.ts'
import type { Transaction } from '../store/write.ts'
import { parseDocument } from './document.ts'

const MAX_REGIONS = 100

/** Lists the replicas of a pool in the order of their regions, without deleted ones. */
export async function listReplicas(tx: Pick<Transaction, 'list'>, pool: string): Promise<Replica[]> {
  const rows = await tx.list('replica', { pool, limit: MAX_REGIONS })
  return rows.map((row) => parseDocument('replica', row)).filter(({ status }) => status !== 'DELETED')
}

/** Returns deleted replicas too: their version continues (store/merge.ts). */
export async function lockReplica(tx: Transaction, pool: string, region: string): Promise<Replica | undefined> {
  const row = await tx.lock('replica', { pool, key: region })
  return row && parseDocument('replica', row)
}

/** Writes a replica. Any region may do this: the higher version wins. */
export const shareReplica = (tx: Transaction, pool: string, replica: Replica): Promise<void> =>
  tx.share('replica', { pool, key: replica.region, body: JSON.stringify(replica) })
