import type { Transaction } from '../store/write.ts'
import { putGroup, toGroup } from './group.ts'
import { lockForm } from './group-rows.ts'
import { putMember } from './member.ts'
import type { OpenPool } from './open-pool.ts'

/** Moves up to `limit` rows from the plain kinds to the sealed kinds; returns how many it moved. */
export async function sealBatch(tx: Transaction, openPool: OpenPool, limit: number): Promise<number> {
  const pool = openPool.pool.id
  // Before any row, in the order of all other writers.
  if ((await lockForm(tx, openPool)) !== 'sealing') return 0
  const groups = await tx.list('group', { pool, limit })
  for (const { key } of groups) {
    const row = await tx.lock('group', { pool, key })
    if (row) await putGroup(tx, openPool, toGroup(row))
  }
  const members = await tx.list('member', { pool, limit: limit - groups.length })
  for (const { key } of members) {
    const row = await tx.lock('member', { pool, key })
    const { group_name: group, sub } = row?.fields ?? {}
    if (group && sub) await putMember(tx, openPool, { group, sub })
  }
  return groups.length + members.length
}
