import type { Replica } from '../store/merge.ts'
import type { Transaction } from '../store/write.ts'
import { parseDocument } from './document.ts'

const MOST_REGIONS = 100

/** The replicas that a pool has, deleted ones left out, in the order of their regions. */
export async function listReplicas(tx: Pick<Transaction, 'list'>, pool: string): Promise<Replica[]> {
  const rows = await tx.list('replica', { pool, limit: MOST_REGIONS })
  return rows.map((row) => parseDocument('replica', row)).filter(({ status }) => status !== 'DELETED')
}

/** Reads the replica in a region, deleted or not, that is to be written. */
export async function lockReplica(tx: Transaction, pool: string, region: string): Promise<Replica | undefined> {
  const row = await tx.lock('replica', { pool, key: region })
  return row && parseDocument('replica', row)
}

/** Writes a replica in whichever region: the newer version wins. */
export const shareReplica = (tx: Transaction, pool: string, replica: Replica): Promise<void> =>
  tx.share('replica', { pool, key: replica.region, body: JSON.stringify(replica) })
