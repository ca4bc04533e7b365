import { lockClient, putClient } from '../../../directory/client.ts'
import { describeClient } from '../../../identity/clients/description.ts'
import { CLIENT_ROWS } from '../../../identity/clients/omitted.ts'
import { parseClientSettings } from '../../../identity/clients/settings.ts'
import { withKept } from '../../../identity/omitted.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const UpdateUserPoolClient: Handler<'UpdateUserPoolClient', PoolCall> = async ({ store }, call, given) => {
  const { pool } = call
  const { ClientId: id } = given
  const document = await store.write(async (tx) => {
    const present = await lockClient(tx, pool, id)
    const { created, secrets, ClientType } = present
    const { UserPoolId: _, ClientId, ClientName = '', ...input } = withKept(CLIENT_ROWS, given, present)
    const settings = parseClientSettings(
      { ...input, ClientName },
      { pool, hasSecret: secrets.length > 0, providers: [], scopes: [], operation: 'updating' },
    )
    const replaced = { ...settings, ClientType, created, modified: tx.now, secrets }
    await putClient(tx, pool, { id, document: replaced })
    return replaced
  })
  return { UserPoolClient: describeClient(call, { id, document }) }
}
