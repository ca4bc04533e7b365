/**
 * npm run bulk -- [options]: a first copy, then a follower that catches up, over a link of limited bandwidth. Prints the times and the
 * peak memory of both processes. Exit code 0: both completed within the limits; 1: not; 2: it could not run.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { credentials, freePorts } from '@twinpool/testing/regions'
import { type LinkProxy, startLinkProxy } from 'twinpool/internal/link-proxy'
import { type Postgres, startPostgres } from 'twinpool/internal/postgres/start'
import { pause } from '../pace.ts'
import type { Load, Look, Order } from './region.ts'

const help = `npm run bulk -- [options]

  --rate N                 bytes per second in each direction; 0: no limit       (50000)
  --users N                users, about 3 KB each                                (1500)
  --large N                rows of 100 KB                                        (30)
  --transaction N          while catching up, changes in one transaction         (0)
  --store sqlite|postgres                                                        (sqlite)
  --seconds N              how long each phase may take                          (900)
`

const NAMES = { primary: 'us-west-2', secondary: 'us-east-1' } as const
const POOL = `${NAMES.primary}_bulk`
const MOST_MEBIBYTES = 300
const LOOK_MILLISECONDS = 250
const ROWS_PER_USER = 3

interface Process {
  order<T>(order: Order): Promise<T>
  kill(): void
}

/** A region whose process can be replaced: the peak memory of a process must not include the generation of the load. */
interface BulkRegion {
  process: Process
  proxy: LinkProxy
  start(): Promise<void>
  restart(): Promise<void>
}

function startProcess(): Process {
  const child: ChildProcess = fork(new URL('./region.ts', import.meta.url), { execArgv: process.execArgv })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  child.on('message', ({ id, result, error }: { id: number; result?: unknown; error?: string }) => {
    if (error === undefined) waiting.get(id)?.resolve(result)
    else waiting.get(id)?.reject(new Error(error))
  })
  let orders = 0
  return {
    order: <T>(order: Order): Promise<T> => {
      const id = orders++
      const response = Promise.withResolvers<unknown>()
      waiting.set(id, response)
      child.send({ id, order })
      return (order.what === 'stop' ? once(child, 'exit') : response.promise) as Promise<T>
    },
    kill: () => child.kill('SIGKILL'),
  }
}

interface Phase {
  name: string
  complete: boolean
  seconds: number
  /** The longest time in which no row arrived. */
  stillSeconds: number
  mostLagSeconds: number
  /** Peak memory of the processes, which are new in each phase. */
  primaryMebibytes: number
  secondaryMebibytes: number
}

async function measure(
  name: string,
  { primary, secondary }: { primary: BulkRegion; secondary: BulkRegion },
  { seconds, isComplete }: { seconds: number; isComplete(look: Look): boolean },
): Promise<Phase> {
  const began = performance.now()
  let moved = began
  let rows = -1
  let still = 0
  let mostLag = 0
  for (;;) {
    const here = await secondary.process.order<Look>({ what: 'look', pool: POOL, peer: NAMES.primary })
    const now = performance.now()
    if (here.rows !== rows) moved = now
    rows = here.rows
    still = Math.max(still, now - moved)
    mostLag = Math.max(mostLag, here.lagSeconds ?? 0)
    const complete = isComplete(here)
    if (complete || now - began > seconds * 1_000) {
      const there = await primary.process.order<Look>({ what: 'look', pool: POOL, peer: NAMES.secondary })
      return {
        ...{ name, complete, seconds: (now - began) / 1_000, stillSeconds: still / 1_000, mostLagSeconds: mostLag },
        ...{ primaryMebibytes: there.peakMebibytes, secondaryMebibytes: here.peakMebibytes },
      }
    }
    await pause(LOOK_MILLISECONDS)
  }
}

async function run(
  {
    rate,
    load,
    store,
    seconds,
  }: {
    rate: number
    load: Load
    store: 'sqlite' | 'postgres'
    seconds: number
  },
  undo: (() => unknown)[],
): Promise<Phase[]> {
  const directory = mkdtempSync(join(tmpdir(), 'bulk-'))
  undo.push(() => rmSync(directory, { recursive: true, force: true }))
  const [west, east] = (await freePorts(2)) as [number, number]
  const ports: Record<string, number> = { [NAMES.primary]: west, [NAMES.secondary]: east }
  const secret = randomBytes(32).toString('base64url')
  let postgres: Postgres | undefined
  if (store === 'postgres') {
    postgres = await startPostgres()
    undo.push(postgres.stop)
  }
  const open = async (name: string, peer: string): Promise<BulkRegion> => {
    const proxy = await startLinkProxy({ targetPort: ports[peer] as number })
    undo.push(() => proxy.close())
    proxy.throttle(rate)
    mkdirSync(join(directory, name))
    const config = {
      ...{ region: name, listen: { port: ports[name] }, issuerBase: `http://127.0.0.1:${west}` },
      store: postgres
        ? { engine: 'postgres', url: await postgres.createDatabase(`bulk_${name.replaceAll('-', '_')}`) }
        : { engine: 'sqlite', file: join(directory, name, 'region.db') },
      credentials: [credentials],
      keys: { provider: 'local', masterKey: randomBytes(32).toString('base64') },
      cluster: { secret },
      peers: {
        [peer]: { endpoint: `http://127.0.0.1:${ports[peer]}`, replication: `http://127.0.0.1:${proxy.port}` },
      },
      log: { level: process.env.TWINPOOL_BULK_LOG ?? 'silent' },
    }
    const region: BulkRegion = {
      process: startProcess(),
      proxy,
      start: () => region.process.order<void>({ what: 'start', config }),
      restart: async () => {
        await region.process.order({ what: 'stop' })
        region.process = startProcess()
        await region.start()
      },
    }
    undo.push(() => region.process.kill())
    return region
  }
  const primary = await open(NAMES.primary, NAMES.secondary)
  const secondary = await open(NAMES.secondary, NAMES.primary)
  const regions = { primary, secondary }
  await primary.start()
  await primary.process.order({ what: 'create', pool: POOL })
  await primary.process.order({ what: 'write', pool: POOL, name: 'first', load: { ...load, transaction: 0 } })
  await primary.restart()
  await secondary.start()
  await primary.process.order({ what: 'replicate', pool: POOL, replica: NAMES.secondary })
  const copied = await measure('first copy', regions, { seconds, isComplete: ({ status }) => status === 'INACTIVE' })
  print(copied)
  secondary.proxy.cut()
  await primary.process.order({ what: 'write', pool: POOL, name: 'later', load })
  await Promise.all([primary.restart(), secondary.restart()])
  secondary.proxy.heal()
  const rows = 2 * (ROWS_PER_USER * load.users + load.large) + load.transaction
  const caught = await measure('catching up', regions, { seconds, isComplete: (look) => look.rows === rows })
  print(caught)
  await Promise.all([primary.process.order({ what: 'stop' }), secondary.process.order({ what: 'stop' })])
  return [copied, caught]
}

const print = (phase: Phase): void => {
  process.stdout.write(
    `${phase.name}: ${phase.complete ? 'complete' : 'NOT complete'} after ${phase.seconds.toFixed(1)} s, ` +
      `${phase.stillSeconds.toFixed(1)} s at most without a new row, lag up to ${phase.mostLagSeconds.toFixed(1)} s, ` +
      `peak memory: primary ${phase.primaryMebibytes} MiB, secondary ${phase.secondaryMebibytes} MiB\n`,
  )
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rate: { type: 'string', default: '50000' },
      users: { type: 'string', default: '1500' },
      large: { type: 'string', default: '30' },
      transaction: { type: 'string', default: '0' },
      store: { type: 'string', default: 'sqlite' },
      seconds: { type: 'string', default: '900' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(help)
    return 0
  }
  const { store } = values
  if (store !== 'sqlite' && store !== 'postgres') throw new Error('--store takes sqlite or postgres')
  const load = { users: Number(values.users), large: Number(values.large), transaction: Number(values.transaction) }
  const undo: (() => unknown)[] = []
  try {
    const settings = {
      rate: Number(values.rate),
      seconds: Number(values.seconds),
    }
    const phases = await run({ ...settings, load, store }, undo)
    return phases.every(
      ({ complete, primaryMebibytes, secondaryMebibytes }) =>
        complete && Math.max(primaryMebibytes, secondaryMebibytes) < MOST_MEBIBYTES,
    )
      ? 0
      : 1
  } finally {
    while (undo.length > 0) await undo.pop()?.()
  }
}

process.exitCode = await main().catch((error: Error) => {
  process.stderr.write(`bulk: ${error.stack}\n`)
  return 2
})
