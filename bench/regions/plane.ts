import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import {
  CognitoIdentityProviderClient,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
  CreateUserPoolReplicaCommand,
  ListUserPoolReplicasCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { CreateKeyCommand, KMSClient, ReplicateKeyCommand } from '@aws-sdk/client-kms'
import type { RegionConfigInput } from '@twinpool/server'
import { leanFlags } from 'twinpool/internal/lean'
import { startPostgres } from 'twinpool/internal/postgres/start'
import { fillPool } from '../people.ts'
import { freePort, mainOf, type Running, start } from '../processes.ts'
import { credentials, REGION } from '../signed.ts'
import type { Stage } from '../stage.ts'
import { type Watcher, watchPostgres, watchSqlite } from './watcher.ts'

export type EngineName = 'sqlite' | 'postgres'

const NAMES = [REGION, 'us-east-1', 'eu-west-1', 'ap-southeast-2'] as const
const FLOWS = ['ALLOW_USER_PASSWORD_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'] as const
const WRITING = join(import.meta.dirname, 'writing-region.ts')

/** A region of a plane, in its own process. */
export interface BenchRegion {
  readonly name: string
  readonly endpoint: string
  readonly config: RegionConfigInput
  readonly pid: number
  readonly child: ChildProcess
  readonly cognito: CognitoIdentityProviderClient
  readonly kms: KMSClient
  start(): Promise<void>
  stop(): Promise<void>
  /** Sends SIGKILL; resolves once the process has exited. */
  kill(): Promise<void>
  /** Opens a watcher of the region's store; it is closed with the stage. */
  watch(): Promise<Watcher>
}

/**
 * Regions that follow each other. Pools have their primary in the first region, which can generate writes
 * (writing-region.ts).
 */
export interface BenchPlane {
  readonly regions: readonly BenchRegion[]
  readonly primary: BenchRegion
  readonly secondary: BenchRegion
  /** Creates pools that can have replicas, with one app client each. */
  createPools(count: number): Promise<{ pool: string; client: string }[]>
  /** Stops the primary, fills pools with users, and starts it again. The first `passwords` users can sign in. */
  fill(people: readonly { pool: string; users: number; passwords: number }[]): Promise<void>
  /** Creates a replica of a pool in every other region; does not wait for the copy. */
  replicate(pool: string): Promise<void>
  /** Resolves once the replica of the pool in a region is complete. */
  copied(pool: string, region: BenchRegion): Promise<void>
  stop(): Promise<void>
}

/**
 * Starts regions. With `built`, they run the compiled packages and cannot generate writes. On PostgreSQL, each region has
 * its own server, because the transactions of one region would delay reading the log of another.
 */
export async function openPlane(
  stage: Stage,
  { engine, count = 2, built = false }: { engine: EngineName; count?: number; built?: boolean },
): Promise<BenchPlane> {
  const names = NAMES.slice(0, count)
  const ports = new Map<string, number>()
  for (const name of names) ports.set(name, await freePort())
  const endpointOf = (name: string): string => `http://127.0.0.1:${ports.get(name)}`
  const secret = randomBytes(32).toString('base64')
  const regions: BenchRegion[] = []
  for (const name of names) {
    const home = stage.homeOf(`${engine}-${name}`)
    const peers = names.filter((other) => other !== name)
    const config: RegionConfigInput = {
      region: name,
      parity: count > 2 ? 'extended' : 'aws',
      listen: { port: ports.get(name) },
      issuerBase: endpointOf(REGION),
      store: engine === 'sqlite' ? { engine, file: join(home, 'region.db') } : await storeOnServer(stage),
      credentials: [credentials],
      keys: { provider: 'local', masterKey: randomBytes(32).toString('base64') },
      cluster: { secret },
      peers: Object.fromEntries(peers.map((peer) => [peer, { endpoint: endpointOf(peer) }])),
      log: { level: 'warn' },
    }
    regions.push(
      createBenchRegion(stage, { home, config, endpoint: endpointOf(name), writes: name === REGION && !built, built }),
    )
  }
  await Promise.all(regions.map((region) => region.start()))
  return planeOf(regions)
}

async function storeOnServer(stage: Stage): Promise<RegionConfigInput['store']> {
  const server = await startPostgres({ settings: { wal_level: 'logical', min_wal_size: '1GB' } })
  stage.atEnd(server.stop)
  return { engine: 'postgres', url: await server.createDatabase('region') }
}

function createBenchRegion(
  stage: Stage,
  {
    home,
    config,
    endpoint,
    writes,
    built,
  }: { home: string; config: RegionConfigInput; endpoint: string; writes: boolean; built: boolean },
): BenchRegion {
  const file = join(home, 'config.json')
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  const settings = { region: config.region, endpoint }
  const cognito = new CognitoIdentityProviderClient({ ...settings, credentials: { ...credentials } })
  const kms = new KMSClient({ ...settings, credentials: { ...credentials } })
  let running: Running<unknown> | undefined
  const region: BenchRegion = {
    name: config.region,
    endpoint,
    config,
    cognito,
    kms,
    get pid() {
      return (running as Running<unknown>).pid
    },
    get child() {
      return (running as Running<unknown>).child
    },
    start: async () => {
      running = await start(writes ? WRITING : mainOf({ built }), {
        name: config.region,
        directory: home,
        args: writes ? [file] : ['serve', '--config', file],
        flags: [...leanFlags, ...stage.profiling],
        built,
      })
    },
    stop: async () => {
      await running?.stop()
      running = undefined
    },
    kill: async () => {
      running?.child.kill('SIGKILL')
      await region.stop()
    },
    watch: async () => {
      const { store } = config
      const watcher = await (store.engine === 'sqlite'
        ? watchSqlite(config.region, store.file)
        : watchPostgres(config.region, store.url))
      stage.atEnd(watcher.close)
      return watcher
    },
  }
  stage.atEnd(async () => {
    cognito.destroy()
    kms.destroy()
    await region.stop()
  })
  return region
}

function planeOf(regions: readonly BenchRegion[]): BenchPlane {
  const [primary, secondary] = regions as [BenchRegion, BenchRegion]
  const others = regions.slice(1)
  let key: Promise<string> | undefined
  const sharedKey = async (): Promise<string> => {
    const { KeyMetadata } = await primary.kms.send(new CreateKeyCommand({ MultiRegion: true }))
    const KeyId = KeyMetadata?.Arn as string
    for (const { name } of others) await primary.kms.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: name }))
    return KeyId
  }
  return {
    regions,
    primary,
    secondary,
    createPools: async (count) => {
      key ??= sharedKey()
      const made: { pool: string; client: string }[] = []
      for (let at = 0; at < count; at += 1) {
        const { UserPool } = await primary.cognito.send(
          new CreateUserPoolCommand({
            PoolName: `bench ${at}`,
            AliasAttributes: ['email'],
            KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: await key },
            IssuerConfiguration: { Type: 'UPDATED' },
          }),
        )
        const pool = UserPool?.Id as string
        const { UserPoolClient } = await primary.cognito.send(
          new CreateUserPoolClientCommand({ UserPoolId: pool, ClientName: 'bench', ExplicitAuthFlows: [...FLOWS] }),
        )
        made.push({ pool, client: UserPoolClient?.ClientId as string })
      }
      return made
    },
    fill: async (people) => {
      await primary.stop()
      for (const some of people) await fillPool({ ...primary.config, log: { level: 'silent' } }, some)
      await primary.start()
    },
    replicate: async (pool) => {
      for (const { name } of others) {
        await primary.cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: name }))
      }
    },
    copied: async (pool, region) => {
      for (;;) {
        const { UserPoolReplicas } = await primary.cognito.send(new ListUserPoolReplicasCommand({ UserPoolId: pool }))
        const replica = UserPoolReplicas?.find(({ RegionName }) => RegionName === region.name)
        if (replica?.Status !== 'CREATING') return
        await wait(POLL_MILLISECONDS)
      }
    },
    stop: async () => {
      for (const region of regions) await region.stop()
    },
  }
}

const POLL_MILLISECONDS = 50
