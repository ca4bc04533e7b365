/**
 * npm run torture -- [options]: runs clients and faults on a pool in two regions, then compares all acknowledged results with
 * both regions. Exit code 0: no violation; 1: at least one; 2: it could not run.
 */
import { parseArgs } from 'node:util'
import { type Arena, openDevArena } from './arena.ts'
import { describeFailover } from './failovers.ts'
import { NetworkUnavailableError, openNetworkArena } from './network.ts'
import { runTorture, type TortureReport } from './run.ts'

const help = `npm run torture -- [options]

  --seed N                 the first seed                                        (1)
  --seeds N                the number of seeds, run one after another            (1)
  --minutes M              the duration of each run's faults                     (1)
  --store sqlite|postgres                                                        (sqlite)
  --network                in network namespaces with delay, loss and reordering (root; tc netem)
  --json                   the report as one object, the last line on stdout
`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      seeds: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '1' },
      store: { type: 'string', default: 'sqlite' },
      network: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(help)
    return 0
  }
  const seed = readNumber('seed', values.seed)
  const seeds = readNumber('seeds', values.seeds)
  const minutes = readNumber('minutes', values.minutes)
  const { store } = values
  if (store !== 'sqlite' && store !== 'postgres') throw new Error('--store takes sqlite or postgres')
  if (values.network && store !== 'sqlite') throw new Error('--network runs on sqlite')

  const began = performance.now()
  const print = (line: string): void => {
    process.stderr.write(`${((performance.now() - began) / 1_000).toFixed(1).padStart(7)} s  ${line}\n`)
  }
  let arena: Arena | undefined
  // A run that is interrupted leaves no process and no namespace.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, async () => {
      await arena?.stop()
      process.exit(130)
    })
  }
  const reports: TortureReport[] = []
  for (let one = seed; one < seed + seeds; one += 1) {
    const open = async () => {
      arena = await (values.network ? openNetworkArena(print) : openDevArena(store))
      return arena
    }
    reports.push(await runTorture({ seed: one, minutes, store, open, print }))
  }
  const ok = reports.every((report) => report.ok)
  for (const { seed, violations, convergence, memory, counts, failovers } of reports) {
    process.stdout.write(
      `seed ${seed}: ${violations.length} violations, ${counts['acknowledged writes'] ?? 0} acknowledged writes, ` +
        `${convergence === null ? 'never equal' : `equal ${convergence} ms after the last fault`}, at most ${memory} MiB\n`,
    )
    for (const failover of failovers) process.stdout.write(`${describeFailover(failover)}\n`)
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ ok, store, reports })}\n`)
  return ok ? 0 : 1
}

function readNumber(name: string, text: string): number {
  const value = Number(text)
  if (!(value > 0) || !Number.isFinite(value)) throw new Error(`--${name} takes a number above 0`)
  return value
}

process.exitCode = await main().catch((error: Error) => {
  const message = error instanceof NetworkUnavailableError || !error.stack ? error.message : error.stack
  process.stderr.write(`torture: ${message}\n`)
  return 2
})
