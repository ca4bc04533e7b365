import { connectDevPlane, type DevPlane, renderDrillReport, runDrill } from '@twinpool/toolkit'
import { type Command, CommandError, readOptions, wholeNumber } from './command.ts'
import { startDevPlane } from './dev/dev.ts'
import { DEFAULT_PORT } from './invocation.ts'

export const drill: Command = {
  help: `twinpool drill [options]

  Kills the primary region of a pool under load, and reports the effect. It uses the plane of a running 'twinpool dev',
  or starts its own. Exit code 0: the pool survived; 1: the report found a problem; 2: the drill could not run.

  --users N       users in the pool                                  (1000)
  --port N        control port of the plane                          (${DEFAULT_PORT})
  --outage N      minimum outage of the primary in seconds           (3)
  --store ...     store of its own plane: sqlite, postgres, or a postgres:// URL   (sqlite)
  --json          also print the report as one JSON object, as the last line on stdout
`,
  run: async (args) => {
    const options = readOptions(args, {
      users: { type: 'string', default: '1000' },
      port: { type: 'string', default: String(DEFAULT_PORT) },
      outage: { type: 'string', default: '3' },
      store: { type: 'string', default: 'sqlite' },
      json: { type: 'boolean', default: false },
    })
    const users = wholeNumber('users', options.users, { least: 3, most: 1_000_000 })
    const port = wholeNumber('port', options.port, { least: 1, most: 65_000 })
    const outage = wholeNumber('outage', options.outage, { least: 0, most: 3_600 })
    const began = performance.now()
    const progress = (line: string): void => {
      process.stderr.write(`  ${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${line}\n`)
    }
    const { plane, stop } = await findPlane({ port, store: options.store, progress })
    try {
      const report = await runDrill({ plane, users, outage: outage * 1_000, progress }).catch((error: Error) => {
        throw new CommandError(`the drill could not run: ${error.message}`)
      })
      process.stdout.write(`\n${renderDrillReport(report)}`)
      if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`)
      return report.ok ? 0 : 1
    } finally {
      await stop()
    }
  },
}

async function findPlane({
  port,
  store,
  progress,
}: {
  port: number
  store: string
  progress: (line: string) => void
}): Promise<{ plane: DevPlane; stop(): Promise<void> }> {
  const control = `http://127.0.0.1:${port}`
  const running = await connectDevPlane(control).catch(() => undefined)
  if (running) {
    progress(`using the plane at ${control}`)
    return { plane: running, stop: async () => {} }
  }
  progress('starting a plane of two regions')
  const own = await startDevPlane({
    regions: ['us-west-2', 'us-east-1'],
    port,
    directory: undefined,
    store,
    parity: 'aws',
  })
  return { plane: await connectDevPlane(control), stop: own.stop }
}
