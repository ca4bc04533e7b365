import type { ClientDocument } from '../../../directory/pool.ts'
import { openPageToken, pageSize, sealPageToken } from '../../../identity/page-token.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const ListUserPoolClients: Handler<'ListUserPoolClients', PoolCall> = async (
  { store, clock },
  { pool, cipher },
  { MaxResults, NextToken },
) => {
  const place = { pool, cipher }
  const list = ['ListUserPoolClients']
  const size = pageSize(MaxResults)
  const after = openPageToken({ clock }, place, { list, token: NextToken })
  const rows = await store.list('client', { pool: pool.id, after, limit: size + 1 })
  const page = rows.slice(0, size)
  const last = page.at(-1)
  return {
    UserPoolClients: page.map(({ key, body }) => ({
      ClientId: key,
      UserPoolId: pool.id,
      ClientName: (JSON.parse(body) as ClientDocument).ClientName,
    })),
    NextToken: rows.length > size && last ? sealPageToken({ clock }, place, { list, after: last.key }) : undefined,
  }
}
