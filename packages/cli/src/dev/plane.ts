import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { RegionConfigInput } from '@twinpool/server'
import { FileInUseError, type FileLock, lockFile } from '@twinpool/server/file-lock'
import pg from 'pg'
import { CommandError } from '../command.ts'
import { type LinkProxy, startLinkProxy } from '../link-proxy.ts'
import { PostgresError } from '../postgres/postgres-error.ts'
import { startPostgres } from '../postgres/start.ts'
import { createRegionProcess, type RegionProcess } from './region-process.ts'

export interface PlaneOptions {
  regions: readonly string[]
  port: number
  /** Undefined: a temporary directory, removed at the end. */
  directory: string | undefined
  store: 'sqlite' | 'postgres' | (string & {})
  parity: 'aws' | 'extended'
  /** How many changes a region keeps for an unreachable region. If set, the log is trimmed every second. */
  keepChanges?: number | undefined
}

/** One replication link: the follower reads the supplier's changes through it. */
export interface Link {
  follower: string
  supplier: string
  proxy: LinkProxy
  cut: boolean
  slowMilliseconds: number
  /** 0: no limit. */
  bytesPerSecond: number
}

/** The region processes of a development plane, and the links between them. */
export interface Plane {
  regions: ReadonlyMap<string, RegionProcess>
  links: readonly Link[]
  credentials: { accessKeyId: string; secretAccessKey: string }
  stop(): Promise<void>
}

interface Secrets {
  regions: readonly string[]
  credentials: { accessKeyId: string; secretAccessKey: string }
  clusterSecret: string
  masterKeys: Record<string, string>
}

/** Starts every region and resolves once all of them are ready. Throws CommandError. */
export async function startPlane(options: PlaneOptions): Promise<Plane> {
  const undo: (() => Promise<void> | void)[] = []
  const stop = async (): Promise<void> => {
    while (undo.length > 0) await undo.pop()?.()
  }
  try {
    const directory = options.directory ? resolve(options.directory) : mkdtempSync(join(tmpdir(), 'twinpool-'))
    if (!options.directory) undo.push(() => rmSync(directory, { recursive: true, force: true }))
    const lock = lockDirectory(directory, options.port)
    undo.push(() => lock.release())
    const secrets = readSecrets(directory, options.regions)
    const storeOf = await prepareStores(options, directory, undo)

    const portOf = new Map(options.regions.map((name, at) => [name, options.port + 1 + at]))
    const endpointOf = (name: string): string => `http://127.0.0.1:${portOf.get(name)}`
    const links: Link[] = []
    for (const follower of options.regions) {
      for (const supplier of options.regions) {
        if (follower === supplier) continue
        const proxy = await startLinkProxy({ targetPort: portOf.get(supplier) as number })
        undo.push(() => proxy.close())
        links.push({ follower, supplier, proxy, cut: false, slowMilliseconds: 0, bytesPerSecond: 0 })
      }
    }

    const regions = new Map<string, RegionProcess>()
    for (const name of options.regions) {
      const config: RegionConfigInput = {
        region: name,
        parity: options.parity,
        listen: { port: portOf.get(name) as number },
        endpoint: endpointOf(name),
        issuerBase: `http://127.0.0.1:${options.port}`,
        store: await storeOf(name),
        credentials: [secrets.credentials],
        anyRegionInSignature: true,
        keys: { provider: 'local', masterKey: secrets.masterKeys[name] as string },
        cluster: { secret: secrets.clusterSecret },
        peers: Object.fromEntries(
          links
            .filter(({ follower }) => follower === name)
            .map(({ supplier, proxy }) => [
              supplier,
              { endpoint: endpointOf(supplier), replication: `http://127.0.0.1:${proxy.port}` },
            ]),
        ),
        ...(options.keepChanges !== undefined && {
          replication: { retentionChanges: options.keepChanges, trimSeconds: 1 },
        }),
        messages: { kind: 'inbox', url: `http://127.0.0.1:${options.port}/dev/inbox` },
        log: { level: 'info' },
      }
      const home = join(directory, name)
      mkdirSync(home, { recursive: true, mode: 0o700 })
      const file = join(home, 'region.json')
      writeFileSync(file, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 })
      regions.set(
        name,
        createRegionProcess({ name, endpoint: endpointOf(name), configFile: file, logFile: join(home, 'region.log') }),
      )
    }
    undo.push(async () => {
      await Promise.all([...regions.values()].map((region) => region.stop()))
    })
    await Promise.all([...regions.values()].map((region) => region.start()))
    return { regions, links, credentials: secrets.credentials, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Throws CommandError while another plane uses the data directory. */
function lockDirectory(directory: string, port: number): FileLock {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  try {
    return lockFile(join(directory, 'plane.json'), { port })
  } catch (error) {
    throw error instanceof FileInUseError ? new CommandError(error.message) : error
  }
}

/** Reads the secrets of a data directory, or creates them; without them its stores cannot be read. */
function readSecrets(directory: string, regions: readonly string[]): Secrets {
  const file = join(directory, 'plane.json')
  if (existsSync(file)) {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as Secrets
    if (kept.regions.join() !== regions.join()) {
      throw new CommandError(
        `${directory} holds the regions ${kept.regions.join(', ')}: use the same --regions, or another --data directory`,
      )
    }
    return kept
  }
  const made: Secrets = {
    regions,
    credentials: {
      accessKeyId: `AKIA${randomBytes(10).toString('hex').slice(0, 16).toUpperCase()}`,
      secretAccessKey: randomBytes(30).toString('base64url'),
    },
    clusterSecret: randomBytes(32).toString('base64url'),
    masterKeys: Object.fromEntries(regions.map((name) => [name, randomBytes(32).toString('base64')])),
  }
  writeFileSync(file, `${JSON.stringify(made, undefined, 2)}\n`, { mode: 0o600 })
  chmodSync(file, 0o600)
  return made
}

/** Prepares one store per region: a SQLite file, or a database in the plane's own or a given PostgreSQL server. */
async function prepareStores(
  { store, directory: kept }: PlaneOptions,
  directory: string,
  undo: (() => Promise<void> | void)[],
): Promise<(region: string) => Promise<RegionConfigInput['store']>> {
  // Ephemeral planes may share a server: each has its own databases and drops them at the end.
  const plane = kept === undefined ? `twinpool_${randomBytes(6).toString('hex')}` : 'twinpool'
  const databaseOf = (region: string): string => `${plane}_${region.replaceAll('-', '_')}`
  if (store === 'sqlite') return async (region) => ({ engine: 'sqlite', file: join(directory, region, 'region.db') })
  if (store === 'postgres') {
    const postgres = await startPostgres({ directory: join(directory, 'postgres') }).catch((error: unknown) => {
      throw error instanceof PostgresError ? new CommandError(error.message) : error
    })
    undo.push(() => postgres.stop())
    return async (region) => ({ engine: 'postgres', url: await postgres.createDatabase(databaseOf(region)) })
  }
  if (!/^postgres(ql)?:\/\//.test(store)) throw new CommandError('--store takes sqlite, postgres or a postgres:// URL')
  return async (region) => {
    const name = databaseOf(region)
    const url = await createDatabase(store, name)
    if (kept === undefined) {
      const drop = `drop database ${pg.escapeIdentifier(name)} with (force)`
      // If the server is unreachable by now, there is nothing to clean up.
      undo.push(() => administer(store, (client) => client.query(drop)).catch(() => {}))
    }
    return { engine: 'postgres', url }
  }
}

async function createDatabase(url: string, name: string): Promise<string> {
  await administer(url, async (client) => {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name])
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`)
  })
  const own = new URL(url)
  own.pathname = `/${name}`
  return own.href
}

async function administer(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  try {
    await client.connect()
    await work(client)
  } catch (error) {
    throw new CommandError(`the PostgreSQL of --store cannot be used: ${(error as Error).message}`)
  } finally {
    await client.end().catch(() => {})
  }
}
