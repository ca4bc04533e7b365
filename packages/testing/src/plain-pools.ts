import type { CreateUserPoolCommandInput } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '@twinpool/server/internal/context'
import { createPool } from '@twinpool/server/internal/identity/pools/creation'
import { sealPools as sealPoolsOf } from '@twinpool/server/internal/identity/pools/sealing'
import { FIRST_RELEASE_KINDS, formatKinds } from '@twinpool/server/internal/replication/known-kinds'
import { putPeerKinds } from '@twinpool/server/internal/store/cursors'
import type { RunningRegion } from './regions.ts'

const OLDER_REGION = 'ap-south-1'

/** Creates a pool that stores groups in plain text, as beside a region of the first release. Returns its id. */
export async function createPlainPool(
  { region: { context } }: Pick<RunningRegion, 'region'>,
  settings: Partial<CreateUserPoolCommandInput> = {},
): Promise<string> {
  await context.store.transaction((connection) =>
    putPeerKinds(connection, OLDER_REGION, formatKinds(FIRST_RELEASE_KINDS)),
  )
  const endpoints = { [context.region]: '', [OLDER_REGION]: '' }
  return createPool({ ...context, endpoints }, { PoolName: 'a plain pool', ...settings })
}

/** One sweep of a region whose peers have no older processes. */
export const sealPools = (context: Context, rewritten?: Map<string, number>): Promise<void> =>
  sealPoolsOf({ ...context, hasOlderProcesses: async () => false }, rewritten)
