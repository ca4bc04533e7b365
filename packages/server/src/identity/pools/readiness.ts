import type { Context } from '../../context.ts'
import type { Pool } from '../../directory/pool.ts'
import { peerKnows } from '../../replication/known-kinds.ts'
import type { Ability } from '../../store/database.ts'
import type { Kind } from '../../store/kinds.ts'

export interface ReadinessContext extends Pick<Context, 'store'> {
  /** Whether a process without an ability is connected to the database of another region. Throws if it cannot be reached. */
  hasOlderProcesses(region: string, ability: Ability): Promise<boolean>
}

/** Whether all processes in all regions of the pool report that they know the kinds and have the ability. */
export async function isReadyEverywhere(
  { store, hasOlderProcesses }: ReadinessContext,
  { replicas }: Pool,
  { kinds, ability }: { kinds: readonly Kind[]; ability: Ability },
): Promise<boolean> {
  if (await store.engine.hasOlderProcesses(ability)) return false
  for (const { region } of replicas) {
    if (region === store.region) continue
    if (!(await peerKnows(store, region, kinds))) return false
    // During a rolling restart, the process that follows this region may be newer than another that serves users.
    if (await hasOlderProcesses(region, ability).catch(() => true)) return false
  }
  return true
}
