import { ConfigError, type RegionConfig, readConfig } from '@twinpool/server'
import { createServiceCaller, type ServiceCaller } from '@twinpool/toolkit'
import { CommandError, readOptions } from '../command.ts'

interface Orphan {
  Id: string
  PrimaryRegion: string
  /** Seconds since the epoch. */
  OrphanedSince: number
  Complete: boolean
  Users: number
}

/** Lists, keeps or deletes orphaned pools of a running region; see `pool.help`. */
export async function runOrphans(action: 'orphans' | 'keep' | 'delete', args: string[]): Promise<number> {
  const { config, pool, json } = readOptions(args, {
    config: { type: 'string' },
    pool: { type: 'string' },
    json: { type: 'boolean', default: false },
  })
  if (config === undefined) throw new CommandError('--config FILE is required')
  const call = callerOf(config)
  if (action === 'orphans') {
    const { UserPools } = await call<{ UserPools: Orphan[] }>('ListOrphanedUserPools', {})
    process.stdout.write(json ? `${JSON.stringify({ UserPools })}\n` : UserPools.map(render).join(''))
    return UserPools.length === 0 ? 0 : 1
  }
  if (pool === undefined) throw new CommandError('--pool ID is required')
  await call(action === 'keep' ? 'KeepOrphanedUserPool' : 'DeleteOrphanedUserPool', { UserPoolId: pool })
  const result = { event: action === 'keep' ? 'kept' : 'deleted', poolId: pool }
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : `${result.event} ${pool}\n`)
  return 0
}

const render = ({ Id, PrimaryRegion, OrphanedSince, Complete, Users }: Orphan): string =>
  `${Id}  ${Users} users  unknown to ${PrimaryRegion} since ${new Date(OrphanedSince * 1_000).toISOString()}${
    Complete ? '' : '  incomplete: cannot be kept'
  }\n`

/** Calls the region of a configuration file. Every call throws CommandError. */
function callerOf(file: string): ServiceCaller {
  let config: RegionConfig
  try {
    config = readConfig(file)
  } catch (error) {
    throw error instanceof ConfigError ? new CommandError(error.message) : error
  }
  const { region, listen, tls } = config
  const [credentials] = config.credentials
  if (!credentials) throw new CommandError(`${file} has no credentials`)
  const endpoint = config.endpoint ?? `${tls ? 'https' : 'http'}://${listen.host}:${listen.port}`
  const call = createServiceCaller({ endpoint, region, credentials })
  return (operation, input) =>
    call(operation, input).catch((error: Error) => {
      throw new CommandError(error.message)
    }) as never
}
