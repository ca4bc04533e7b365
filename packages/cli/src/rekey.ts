import { ConfigError, newestMasterKeyId, type RegionConfig, readConfig, rekeyStore } from '@twinpool/server'
import { createServiceCaller } from '@twinpool/toolkit'
import { type Command, CommandError, readOptions } from './command.ts'

interface RekeyResult {
  Keys: number
  Resealed: number
  UnreadableKeyArns: string[]
}

export const rekey: Command = {
  help: `twinpool rekey --config FILE

  Seals the key ring of a region under its new master key: keys.masterKey or keys.masterKeyFile is [new, old]. A running region does
  it itself, and must have read the new key before (SIGHUP); the store of a stopped region is rewritten here. May be interrupted and
  repeated. Exit code 0: all keys are under the new master key; 1: some keys open under neither; 2: it could not run.

  --config FILE   the region's configuration
  --json          one object on stdout: keys, resealed, unreadableKeyArns, by
`,
  run: async (args) => {
    const options = readOptions(args, { config: { type: 'string' }, json: { type: 'boolean', default: false } })
    if (!options.config) throw new CommandError('--config FILE is required')
    const file = options.config
    const { by, Keys: keys, Resealed: resealed, UnreadableKeyArns: unreadableKeyArns } = await rekeyRegion(file)
    const lines = [
      `${resealed} of ${keys} keys were sealed under the new master key by ${by === 'region' ? 'the running region' : 'this command'}`,
      ...unreadableKeyArns.map((arn) => `no master key opens ${arn}`),
    ]
    const report = { keys, resealed, unreadableKeyArns, by }
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : `${lines.join('\n')}\n`)
    return unreadableKeyArns.length === 0 ? 0 : 1
  },
}

async function rekeyRegion(file: string): Promise<RekeyResult & { by: 'region' | 'command' }> {
  try {
    const config = readConfig(file)
    const byRegion = await askRegion(config, newestMasterKeyId(config))
    if (byRegion) return { ...byRegion, by: 'region' }
    const { keys, resealed, unreadable } = await rekeyStore(config)
    return { Keys: keys, Resealed: resealed, UnreadableKeyArns: unreadable, by: 'command' }
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(error.message)
    throw error instanceof CommandError ? error : new CommandError((error as Error).message)
  }
}

/** Undefined when no process of the region responds. */
async function askRegion(config: RegionConfig, masterKeyId: string): Promise<RekeyResult | undefined> {
  const { region, credentials, listen } = config
  const endpoint = config.endpoint ?? `${config.tls ? 'https' : 'http'}://${listen.host}:${listen.port}`
  const [pair] = credentials
  const call = createServiceCaller({ endpoint, region, credentials: pair as NonNullable<typeof pair> })
  try {
    return await call<RekeyResult>('RekeyKeyRing', { MasterKeyId: masterKeyId })
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException
    // The lock of a SQLite file shows whether the region runs; a database does not.
    if (code === 'ECONNREFUSED' || (code !== undefined && config.store.engine === 'sqlite')) return undefined
    throw new CommandError(`${endpoint}: ${(error as Error).message}`)
  }
}
