import { getOpenPool } from '../../../directory/pool.ts'
import { createPool } from '../../../identity/pools/creation.ts'
import { describePool } from '../../../identity/pools/description.ts'
import type { AccountCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const CreateUserPool: Handler<'CreateUserPool', AccountCall> = async (context, _call, input) => {
  const id = await createPool(context, input)
  return { UserPool: await describePool(context, (await getOpenPool(context, id)).pool) }
}
