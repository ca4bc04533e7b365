import {
  type Clock,
  ConfigError,
  createRegion,
  DRAIN_SECONDS,
  type Region,
  type RegionConfig,
  readConfig,
} from '@twinpool/server'
import { type Command, CommandError, readOptions } from './command.ts'
import { reportUnless, untilAskedToStop } from './signals.ts'

export const serve: Command = {
  help: `twinpool serve --config FILE

  Runs one region until SIGINT or SIGTERM; a second signal, more than a second later, ends it without draining connections.
  SIGHUP reads certificates, credentials, secrets and the log level again, and opens the audit file again (not on Windows).

  --config FILE   the region's configuration (JSON; "\${NAME}" is replaced by the environment variable)
  --json          print one line {"event":"ready", ...} on stdout once it listens
`,
  run: async (args) => {
    const options = readOptions(args, { config: { type: 'string' }, json: { type: 'boolean' } })
    if (!options.config) throw new CommandError('--config FILE is required')
    return serveRegion({ file: options.config, json: options.json, givesNotice: true })
  },
}

/** Runs a region until a signal stops the process; resolves with the exit code. Throws CommandError. */
export async function serveRegion({
  file,
  json = false,
  clock,
  givesNotice = false,
}: {
  file: string
  json?: boolean | undefined
  clock?: Clock
  /** Whether load balancers get `shutdown.noticeSeconds` after SIGTERM. */
  givesNotice?: boolean
}): Promise<number> {
  const report = reportUnless(json)
  let region: Region | undefined
  /** The configuration may have changed after it was read: a signal during the start counts. */
  let isReloadWaiting = false
  const reload = (): void => {
    isReloadWaiting = region === undefined
    void region?.reopen()
    void region?.reload(() => readConfig(file))
  }
  const stopping = untilAskedToStop({ drainSeconds: DRAIN_SECONDS, report, reload })
  try {
    const config = read(file)
    region = await open(config, clock)
    if (isReloadWaiting) reload()
    const endpoint = await listen(region)
    const urls = { endpoint, health: `${region.management}/health`, metrics: `${region.management}/metrics` }
    const ready = { event: 'ready', region: region.context.region, ...urls, pid: process.pid }
    process.stdout.write(
      json
        ? `${JSON.stringify(ready)}\n`
        : `${ready.region} listens on ${endpoint}; health: ${urls.health}, metrics: ${urls.metrics}\n`,
    )
    if (process.connected) process.send?.(ready)
    const reason = await stopping
    await region.stop({ noticeSeconds: givesNotice && reason === 'SIGTERM' ? config.shutdown.noticeSeconds : 0 })
    report('stopped')
    return 0
  } finally {
    // The IPC channel to the parent process would keep this process alive.
    if (process.connected) process.disconnect()
  }
}

async function listen(region: Region): Promise<string> {
  try {
    return (await region.start()).endpoint
  } catch (error) {
    await region.stop()
    const { code, port } = error as NodeJS.ErrnoException & { port?: number }
    const ofManagement = region.management !== region.context.endpoint && region.management.endsWith(`:${port}`)
    if (code === 'EADDRINUSE')
      throw new CommandError(`the port is taken: choose another in ${ofManagement ? 'management.port' : 'listen.port'}`)
    if (code === 'EACCES') throw new CommandError('this user may not listen on that port')
    throw error
  }
}

function read(file: string): RegionConfig {
  try {
    return readConfig(file)
  } catch (error) {
    throw error instanceof ConfigError ? new CommandError(error.message) : error
  }
}

async function open(config: RegionConfig, clock: Clock | undefined): Promise<Region> {
  try {
    return await createRegion(config, { clock })
  } catch (error) {
    throw new CommandError(`the region cannot start: ${(error as Error).message}`)
  }
}
