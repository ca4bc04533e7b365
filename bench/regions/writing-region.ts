import { createRegion, readConfig } from '@twinpool/server'
import type { OpenPool } from '@twinpool/server/internal/directory/open-pool'
import { columnOf, lockUser, putUser } from '@twinpool/server/internal/directory/user'
import { moment } from './moment.ts'

/**
 * A region as `twinpool serve` runs it, which also generates writes on request: at a given rate, in an open loop, limited
 * only by the speed of the machine. A write does the same as AdminUpdateUserAttributes inside: lock, read, open, seal,
 * put, in one durable transaction. The load runs in this process because an HTTP client for a thousand writes per second
 * would use a core of the machine.
 */

export interface WriteOrder {
  pools: readonly string[]
  perSecond: number
  seconds: number
}

/** One acknowledged write. The pool and the index column of the name (`token`) identify it. */
export interface Write {
  pool: string
  token: string
  /** Time of the acknowledgement; see moment.ts. */
  at: number
}

export type WriterMessage = { written: Write[] } | { ended: { failed: number; why: string } }

/** Users that are written to in rotation, over all pools: more than the changes that a follower can be behind. */
const USERS = 10_000
const TICK_MILLISECONDS = 2
/** Maximum concurrent writes. More would only wait for a database connection. */
const MAX_CONCURRENT = 64

const region = await createRegion(readConfig(process.argv[2] as string))
const { store, pools, keys, clock } = region.context
let run = 0

process.on('message', (order: WriteOrder) => {
  void write(order)
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    await region.stop()
    process.exit(0)
  })
}
process.once('disconnect', () => process.exit(0))
const { endpoint } = await region.start()
process.send?.({ endpoint })

async function write({ pools: ids, perSecond, seconds }: WriteOrder): Promise<void> {
  run += 1
  const targets: { openPool: OpenPool; sub: string }[] = []
  for (const id of ids) {
    const openPool: OpenPool = { pool: await pools.get(id), cipher: await keys.get(id) }
    const rows = await store.list('user', { pool: id, limit: Math.ceil(USERS / ids.length) })
    targets.push(...rows.map(({ key }) => ({ openPool, sub: key })))
  }
  let written: Write[] = []
  let failed = 0
  let why = ''
  let open = 0
  const all = perSecond * seconds
  const done = Promise.withResolvers<void>()
  const writeOne = async (number: number): Promise<void> => {
    const { openPool, sub } = targets[number % targets.length] as (typeof targets)[number]
    const name = `Write ${run}.${number}`
    open += 1
    try {
      await store.write(async (tx) => {
        const user = await lockUser(tx, openPool, sub)
        await putUser(tx, openPool, { ...user, attributes: { ...user.attributes, name }, modified: clock.now() })
      })
      written.push({ pool: openPool.pool.id, token: columnOf(openPool, 'name', name), at: moment() })
    } catch (error) {
      failed += 1
      why = String(error)
    }
    open -= 1
    if (begun === all && open === 0) done.resolve()
  }
  let begun = 0
  const start = moment()
  const timer = setInterval(() => {
    const due = Math.min(all, Math.floor(((moment() - start) / 1_000) * perSecond) + 1)
    while (begun < due && open < MAX_CONCURRENT) {
      begun += 1
      void writeOne(begun)
    }
    if (written.length > 0) send({ written })
    written = []
  }, TICK_MILLISECONDS)
  await done.promise
  clearInterval(timer)
  send({ written })
  send({ ended: { failed, why } })
}

function send(message: WriterMessage): void {
  process.send?.(message)
}
