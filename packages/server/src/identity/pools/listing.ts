import type { Context } from '../../context.ts'
import type { Pool } from '../../directory/pool.ts'
import { invalidParameter } from '../../errors.ts'
import { ONLY } from '../../store/kinds.ts'
import { listRowsOfAllPools } from '../../store/rows.ts'
import { isPoolId } from '../../tokens/issuer.ts'

/** Lists the pools that this region holds, in the order of their ids. Throws InvalidParameterException. */
export async function listPools(
  { store, pools }: Pick<Context, 'store' | 'pools'>,
  { limit, token }: { limit: number; token: string | undefined },
): Promise<{ pools: Pool[]; next: string | undefined }> {
  let after = token === undefined ? undefined : { pool: decodeToken(token), key: ONLY }
  const page: Pool[] = []
  for (;;) {
    const rows = await listRowsOfAllPools(store.db, 'pool', { after, limit: limit + 1 })
    for (const [at, { pool: id }] of rows.entries()) {
      const pool = await pools.find(id)
      if (pool) page.push(pool)
      after = { pool: id, key: ONLY }
      if (page.length === limit) return { pools: page, next: at + 1 < rows.length ? encodeToken(id) : undefined }
    }
    if (rows.length <= limit) return { pools: page, next: undefined }
  }
}

/** Not sealed: the list belongs to no pool, so there is no key, and the caller has just received the id inside. */
const encodeToken = (id: string): string => Buffer.from(JSON.stringify({ after: id })).toString('base64url')

function decodeToken(token: string): string {
  try {
    const { after } = JSON.parse(Buffer.from(token, 'base64url').toString()) as { after?: unknown }
    if (typeof after === 'string' && isPoolId(after) && encodeToken(after) === token) return after
  } catch {
    // Not JSON: refused below.
  }
  throw invalidParameter('Invalid pagination token given.')
}
