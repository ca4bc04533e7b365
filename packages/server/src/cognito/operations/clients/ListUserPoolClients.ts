import { listClients } from '../../../directory/client.ts'
import { openPageToken, pageSize, sealPageToken } from '../../../identity/page-token.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const ListUserPoolClients: Handler<'ListUserPoolClients', PoolCall> = async (
  { store, clock },
  call,
  { MaxResults, NextToken },
) => {
  const list = ['ListUserPoolClients']
  const size = pageSize(MaxResults)
  const after = openPageToken({ clock }, call, { list, token: NextToken })
  const clients = await listClients(store, call.pool, { after, limit: size + 1 })
  const page = clients.slice(0, size)
  const last = page.at(-1)
  return {
    UserPoolClients: page.map(({ id, pool, document }) => ({
      ClientId: id,
      UserPoolId: pool,
      ClientName: document.ClientName,
    })),
    NextToken: clients.length > size && last ? sealPageToken({ clock }, call, { list, after: last.id }) : undefined,
  }
}
