/**
 * npm run attack -- [words]: attacks on a region by callers without credentials, each on a new process. Exit code 0: all bounds
 * hold; 1: one does not; 2: it could not run.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { type Attack, attacks } from './attacks.ts'
import type { Observed } from './bystander.ts'
import { openTarget, type Target } from './target.ts'

const help = `npm run attack -- [options] [words]

  words      only the attacks whose names contain one of them
  --repeat N the number of times that each attack is repeated on its process     (1)
  --program  the main.ts of another build
  --json     the report as one object, the last line on stdout
`

const KEPT_MEGABYTES = 50
const STALL_MILLISECONDS = 100
const NEW_CONNECTION_MILLISECONDS = 1_000
/** The time for a process to release memory. */
const REST_MILLISECONDS = 3_000

interface Result {
  attack: string
  outcome: string
  seconds: number
  alive: boolean
  /** Resident memory above that before the attack, in MB: the highest, and after a rest. */
  peak: number
  kept: number
  stall: number
  newConnection: number
  ok: boolean
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Resident memory of the process in MB; 0 if it has ended. */
function memoryOf({ region }: Target): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${region.process.pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024
  } catch {
    return 0
  }
}

function watch(target: Target): { end(): Promise<Observed> } {
  const workerData = { endpoint: target.region.endpoint, token: target.token }
  const worker = new Worker(new URL('bystander.ts', import.meta.url), { workerData })
  return {
    end: () =>
      new Promise((resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', reject)
        worker.postMessage('end')
      }),
  }
}

async function measure(
  { name, openFiles, run }: Attack,
  { repeats, program }: { repeats: number; program: string | undefined },
): Promise<Result> {
  const target = await openTarget({ program, ...(openFiles && { openFiles }) })
  try {
    // The first calls of a process compile its code and grow its heap.
    const warmUp = watch(target)
    await pause(2_000)
    await warmUp.end()
    const before = memoryOf(target)
    let peak = before
    const sampling = setInterval(() => {
      peak = Math.max(peak, memoryOf(target))
    }, 20)
    const bystander = watch(target)
    const began = performance.now()
    let outcome = ''
    for (let turn = 0; turn < repeats; turn += 1) outcome = await run(target)
    const seconds = (performance.now() - began) / 1_000
    const { stall, newConnection } = await bystander.end()
    clearInterval(sampling)
    await pause(REST_MILLISECONDS)
    const alive = target.region.process.exitCode === null && target.region.process.signalCode === null
    const kept = memoryOf(target) - before
    return {
      attack: name,
      outcome,
      seconds,
      alive,
      peak: peak - before,
      kept,
      stall,
      newConnection,
      ok: alive && kept < KEPT_MEGABYTES && stall < STALL_MILLISECONDS && newConnection < NEW_CONNECTION_MILLISECONDS,
    }
  } finally {
    await target.stop()
  }
}

async function main(): Promise<number> {
  const { values, positionals: words } = parseArgs({
    allowPositionals: true,
    options: {
      repeat: { type: 'string', default: '1' },
      program: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(help)
    return 0
  }
  const chosen = attacks.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
  if (chosen.length === 0) throw new Error('no attack has this name')
  const results: Result[] = []
  for (const attack of chosen) {
    const result = await measure(attack, { repeats: Number(values.repeat), program: values.program })
    results.push(result)
    const { ok, alive, kept, peak, stall, newConnection, seconds, outcome } = result
    process.stdout.write(
      `${ok ? 'ok  ' : 'FAIL'} ${result.attack} (${seconds.toFixed(1)} s)\n` +
        `     ${alive ? 'alive' : 'DEAD'}; kept ${kept.toFixed(0)} MB, peak ${peak.toFixed(0)} MB; longest stall ${stall.toFixed(0)} ms; ` +
        `new connection within ${newConnection.toFixed(0)} ms\n     ${outcome}\n`,
    )
  }
  const ok = results.every((result) => result.ok)
  if (values.json) process.stdout.write(`${JSON.stringify({ ok, results })}\n`)
  return ok ? 0 : 1
}

process.exitCode = await main().catch((error: Error) => {
  process.stderr.write(`attack: ${error.stack}\n`)
  return 2
})
