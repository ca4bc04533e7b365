import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider'
import { KMSClient } from '@aws-sdk/client-kms'
import { createRegion, parseConfig, type Region, type RegionConfigInput } from '@twinpool/server'
import { copyDatabase, createDatabase, dropDatabase, type TestDatabase } from './databases.ts'
import { generateKeyPair } from './key-pairs.ts'

export type EngineName = 'sqlite' | 'postgres'

/** The engines to test: both, if a PostgreSQL server is available (`npm test` starts one). */
export const engines: readonly EngineName[] = (process.env.TWINPOOL_TEST_ENGINES?.split(',') as EngineName[]) ?? [
  'sqlite',
  ...(process.env.TWINPOOL_TEST_POSTGRES ? (['postgres'] as const) : []),
]

export const credentials = {
  accessKeyId: 'AKIATWINPOOLTESTING0',
  secretAccessKey: 'a-secret-for-tests-alone-0123456789',
}

export interface Message {
  to: string
  channel: string
  subject?: string
  body: string
  code: string
}

export interface RunningRegion {
  name: string
  endpoint: string
  region: Region
  /** A signed SDK client of this region. */
  cognito: CognitoIdentityProviderClient
  kms: KMSClient
  /** Stops the region and starts it again: with its store, with an empty one, or with the store as it was at the last `backUp`. */
  restart(from?: 'store' | 'nothing' | 'backup'): Promise<void>
  /** Stops the region, keeps a copy of its store, and starts it again. */
  backUp(): Promise<void>
  stop(): Promise<void>
}

export interface Plane {
  regions: RunningRegion[]
  /** The first region, where pools are created. */
  primary: RunningRegion
  secondary: RunningRegion
  /** Messages sent, newest first. */
  inbox: Message[]
  /** The code of the newest message to an address. */
  codeFor(to: string): string
  stop(): Promise<void>
}

type StoreSettings =
  | { engine: 'sqlite'; file: string }
  | { engine: 'postgres'; url: string; connections?: number | undefined }

type RegionOptions = NonNullable<Parameters<typeof createRegion>[1]>

export interface PlaneOptions {
  engine?: EngineName
  regions?: readonly string[]
  config?: Partial<RegionConfigInput>
  /** The clock of the regions. Default: the system clock. */
  clock?: RegionOptions['clock']
  /** Clocks of single regions, by name. */
  clocks?: Readonly<Record<string, RegionOptions['clock']>>
}

/** Starts regions in this process, each with its own store, port and keys; `stop` removes everything. */
export async function startRegions({
  engine = 'sqlite',
  regions = ['us-west-2', 'us-east-1'],
  config = {},
  clock,
  clocks = {},
}: PlaneOptions = {}): Promise<Plane> {
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-test-'))
  const inbox: Message[] = []
  const inboxServer = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    inbox.unshift(JSON.parse(Buffer.concat(chunks).toString()))
    response.end()
  })
  inboxServer.listen(0, '127.0.0.1')
  // If a region does not start, the test fails; this server must not keep the process running then.
  inboxServer.unref()
  const ports = await freePorts(regions.length)
  const secret = randomBytes(32).toString('base64')
  const databases: TestDatabase[] = []

  const running: RunningRegion[] = []
  for (const [at, name] of regions.entries()) {
    const endpoint = `http://127.0.0.1:${ports[at]}`
    let stores = 0
    const createStore = async (copyOf?: StoreSettings): Promise<StoreSettings> => {
      stores += 1
      if (engine === 'sqlite') {
        const file = join(directory, name, `region-${stores}.db`)
        if (copyOf && 'file' in copyOf) copyFileSync(copyOf.file, file)
        return { engine, file }
      }
      const database = copyOf && 'url' in copyOf ? await copyDatabase(copyOf.url) : await createDatabase()
      databases.push(database)
      return { engine, url: database.url, connections: 8 }
    }
    let backup: StoreSettings | undefined
    let parsed = parseConfig({
      region: name,
      listen: { port: ports[at] },
      endpoint,
      issuerBase: `http://127.0.0.1:${ports[0]}`,
      store: await createStore(),
      credentials: [credentials],
      keys: { provider: 'local', masterKey: randomBytes(32).toString('base64') },
      cluster: { secret },
      peers: Object.fromEntries(
        regions.flatMap((peer, index) =>
          peer === name ? [] : [[peer, { endpoint: `http://127.0.0.1:${ports[index]}` }]],
        ),
      ),
      messages: { kind: 'inbox', url: `http://127.0.0.1:${(inboxServer.address() as AddressInfo).port}/` },
      log: { level: (process.env.TWINPOOL_TEST_LOG as 'info') ?? 'silent' },
      ...config,
    } satisfies RegionConfigInput)
    // A copy, because the SDK modifies the object.
    const settings = { region: name, endpoint, credentials: { ...credentials }, maxAttempts: 1 }
    const entry: RunningRegion = {
      name,
      endpoint,
      region: await createRegion(parsed, { clock: clocks[name] ?? clock, generateKeyPair }),
      cognito: new CognitoIdentityProviderClient(settings),
      kms: new KMSClient(settings),
      restart: async (from = 'store') => {
        await entry.stop()
        // Closes the connections to the stopped server; the clients open new ones.
        for (const sdk of [entry.cognito, entry.kms]) sdk.destroy()
        if (from === 'backup' && !backup) throw new Error(`there is no backup of ${name}`)
        if (from !== 'store') parsed = { ...parsed, store: await createStore(from === 'backup' ? backup : undefined) }
        entry.region = await createRegion(parsed, { clock: clocks[name] ?? clock, generateKeyPair })
        await entry.region.start()
      },
      backUp: async () => {
        await entry.stop()
        backup = await createStore(parsed.store)
        await entry.restart()
      },
      stop: () => entry.region.stop(),
    }
    await entry.region.start()
    running.push(entry)
  }

  return {
    regions: running,
    primary: running[0] as RunningRegion,
    secondary: running[1] as RunningRegion,
    inbox,
    codeFor: (to) => {
      const message = inbox.find((entry) => entry.to === to)
      if (!message) throw new Error(`no message to ${to}`)
      return message.code
    },
    stop: async () => {
      for (const { stop, cognito, kms } of running) {
        cognito.destroy()
        kms.destroy()
        await stop()
      }
      inboxServer.close()
      inboxServer.closeAllConnections()
      for (const database of databases) await dropDatabase(database)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Milliseconds. Polling more often would take more CPU time than the awaited work. */
const LONGEST_PAUSE = 60

/** Waits until the condition returns a value other than false or undefined, and returns it; fails after `seconds`. */
export async function until<T>(
  condition: () => Promise<T | false | undefined> | T | false | undefined,
  { seconds = 20, what = 'the condition' }: { seconds?: number; what?: string } = {},
): Promise<T> {
  const deadline = performance.now() + seconds * 1000
  for (let pause = 5; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE)) {
    const value = await condition()
    if (value !== undefined && value !== false) return value as T
    if (performance.now() > deadline) throw new Error(`timed out after ${seconds} s waiting for ${what}`)
    const { promise, resolve } = Promise.withResolvers<void>()
    setTimeout(resolve, pause)
    await promise
  }
}

/** Ports that were free a moment ago; all are reserved at the same time, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      const { promise, resolve } = Promise.withResolvers<void>()
      server.listen(0, '127.0.0.1', resolve)
      await promise
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(
    servers.map((server) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      server.close(() => resolve())
      return promise
    }),
  )
  return ports
}
