/** A region in its own process, for main.ts: started by `fork`, it carries out orders that arrive as messages. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRegion, parseConfig, type Region } from '@twinpool/server'
import type { Connection } from '@twinpool/server/internal/store/database'
import { ONLY } from '@twinpool/server/internal/store/kinds'
import type { Store } from '@twinpool/server/internal/store/store'
import { sql } from 'kysely'

export interface Load {
  users: number
  /** Rows of LARGE_BYTES. */
  large: number
  /** Changes in one transaction. */
  transaction: number
}

export type Order =
  | { what: 'start'; config: object }
  | { what: 'create'; pool: string }
  | { what: 'replicate'; pool: string; replica: string }
  | { what: 'write'; pool: string; name: string; load: Load }
  | { what: 'look'; pool: string; peer: string }
  | { what: 'stop' }

export interface Look {
  /** Rows of all kinds that were written. */
  rows: number
  status: string | undefined
  lagSeconds: number | undefined
  /** Maximum resident memory of the process so far. */
  peakMebibytes: number
}

const LARGE_BYTES = 100_000
const ROWS_PER_TRANSACTION = 100

let region: Region

const textOf = (bytes: number): string => randomBytes(Math.ceil((bytes * 3) / 4)).toString('base64')

async function carryOut(order: Order): Promise<unknown> {
  if (order.what === 'start') {
    region = await createRegion(parseConfig(order.config))
    return region.start()
  }
  const { store } = region.context
  switch (order.what) {
    case 'create':
      return store.write(async (tx) => {
        const { pool } = order
        await tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: store.region, epoch: 1 }) })
        await tx.put('pool', { pool, key: ONLY, body: '{}' })
      })
    case 'replicate':
      return store.write(async (tx) => {
        const { pool, replica } = order
        await tx.share('replica', {
          ...{ pool, key: replica },
          body: JSON.stringify({ region: replica, status: 'CREATING', version: 1 }),
        })
      })
    case 'write':
      return writeLoad(store, order)
    case 'look':
      return look(store, order)
    case 'stop':
      await region.stop()
      process.disconnect()
  }
}

async function writeLoad(
  store: Store,
  { pool, name, load }: { pool: string; name: string; load: Load },
): Promise<void> {
  const { users, large, transaction } = load
  for (let at = 0; at < users; at += ROWS_PER_TRANSACTION) {
    await store.write(async (tx) => {
      for (let one = at; one < Math.min(users, at + ROWS_PER_TRANSACTION); one += 1) {
        const sub = `${name}-${one}`
        const fields = { username: textOf(43), email: textOf(43), enabled: textOf(43), user_status: textOf(43) }
        await tx.put('user', { pool, key: sub, body: textOf(800), fields })
        await tx.put('alias', { pool, key: `username:${textOf(43)}`, body: '{}', fields: { sub } })
        await tx.put('credential', { pool, key: sub, body: textOf(1_200), fields: { sub } })
      }
    })
  }
  for (let one = 0; one < large; one += 1) {
    await store.write((tx) => tx.put('user', { pool, key: `${name}-large-${one}`, body: textOf(LARGE_BYTES) }))
  }
  if (transaction > 0)
    await store.transaction((connection) => logTransaction(store, connection, { pool, name, transaction }))
}

/** Writes a transaction to the log only: no operation writes one that large, and the rows would take minutes. */
async function logTransaction(
  { engine }: Store,
  connection: Connection,
  { pool, name, transaction }: { pool: string; name: string; transaction: number },
): Promise<void> {
  const number = await engine.transactionNumber(connection)
  await sql`
    with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${transaction})
    insert into changes (tx, pool, kind, key, epoch, body, fields, at)
    select cast(${number} as bigint), cast(${pool} as text), 'user', ${`${name}-logged-`} || n, 1, ${textOf(200)}, '{}', cast(${Date.now()} as bigint)
    from numbers`.execute(connection)
}

const readMetrics = async (): Promise<string> => (await region.fetch(new Request('http://localhost/metrics'))).text()

async function look(store: Store, { pool, peer }: { pool: string; peer: string }): Promise<Look> {
  const [users, aliases, credentials, row, status] = await Promise.all([
    store.count('user', { pool }),
    store.count('alias', { pool }),
    store.count('credential', { pool }),
    store.list('replica', { pool, limit: 1 }),
    readMetrics(),
  ])
  const [, lag] =
    new RegExp(`twinpool_replication_lag_seconds\\{[^}]*peer="${peer}"[^}]*\\} ([\\d.]+)`).exec(status) ?? []
  const [, peak] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return {
    rows: users + aliases + credentials,
    status: row[0] && (JSON.parse(row[0].body) as { status: string }).status,
    lagSeconds: lag === undefined ? undefined : Number(lag),
    peakMebibytes: Math.round(Number(peak) / 1_024),
  }
}

process.on('message', ({ id, order }: { id: number; order: Order }) => {
  carryOut(order).then(
    (result) => process.connected && process.send?.({ id, result }),
    (error: Error) => process.send?.({ id, error: error.stack }),
  )
})
