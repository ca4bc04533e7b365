import { type Batch, readLog, readLogState } from '@twinpool/server/internal/store/changes'
import type { Engine } from '@twinpool/server/internal/store/database'

/** Reads the complete transactions after a position, in the order of the log. */
export async function readBatches(
  engine: Engine,
  { after, limit }: { after: number; limit: number },
): Promise<Batch[]> {
  return (await readLog(engine, { after, limit: { changes: limit, bytes: 64 * 1024 * 1024 }, now: 0 })).batches
}

/** Reads the position of the newest readable transaction; 0 when there is none. */
export async function readHead(engine: Engine): Promise<number> {
  return (await readLogState(engine)).head
}
