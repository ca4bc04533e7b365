import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider'
import { KMSClient } from '@aws-sdk/client-kms'
import type { RegionConfigInput } from '@twinpool/server'
import { readMetric } from './metrics.ts'
import { programArguments } from './program.ts'
import { credentials, freePorts, until } from './regions.ts'

const REGION = 'us-west-2'

export interface HealthReport {
  code: number
  status: 'ok' | 'degraded' | 'failing'
  checks: Record<string, { ok: boolean; detail?: string }>
}

/** `twinpool serve` in its own process, so that tests can cause faults. */
export interface ServedRegion {
  readonly name: string
  /** The URL of this process, even if the configured endpoint of the region differs. */
  readonly endpoint: string
  readonly cognito: CognitoIdentityProviderClient
  readonly kms: KMSClient
  readonly process: ChildProcess
  readonly configFile: string
  readonly config: RegionConfigInput
  /** All output so far: log lines, and the message of an exit. */
  readonly log: string
  /** Waits for words in the log. The log comes through a pipe and may arrive later than a response. */
  logged(words: RegExp): Promise<void>
  health(): Promise<HealthReport>
  /** One value of `GET /metrics`; 0 if there is no metric with this name and these labels. */
  metric(name: string, labels?: Record<string, string>): Promise<number>
  stop(): Promise<void>
}

export interface ServedOptions {
  config?: Partial<RegionConfigInput>
  /** The text of the configuration file, instead of one generated from `config`. */
  text?: string
  /** The open-file limit of the process. */
  openFiles?: number
  /** Modules that the process loads first. */
  imports?: readonly string[]
  /** `main.ts` of another build. */
  program?: string | undefined
}

/** A region ended before it listened. */
export class NotServedError extends Error {
  readonly code: number | null
  readonly words: string

  constructor(code: number | null, words: string) {
    super(`twinpool serve ended with ${code}: ${words}`)
    this.name = 'NotServedError'
    this.code = code
    this.words = words
  }
}

/** The configuration of a region without peers. Equal for two calls only if `config` sets port, store and keys. */
export async function loneConfig(
  config: Partial<RegionConfigInput>,
): Promise<RegionConfigInput & { listen: { port: number } }> {
  const port = config.listen?.port ?? ((await freePorts(1))[0] as number)
  return {
    region: REGION,
    endpoint: `http://127.0.0.1:${port}`,
    store: { engine: 'sqlite', file: '' },
    credentials: [credentials],
    keys: { provider: 'local', masterKey: MASTER_KEY },
    cluster: { secret: CLUSTER_SECRET },
    ...config,
    listen: { ...config.listen, port },
  }
}

export const MASTER_KEY = randomBytes(32).toString('base64')
const CLUSTER_SECRET = randomBytes(32).toString('base64')

/** Starts a region and resolves once it listens. Throws NotServedError. */
export async function serveRegion({
  config = {},
  text,
  openFiles,
  imports = [],
  program: entry,
}: ServedOptions = {}): Promise<ServedRegion> {
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-fault-'))
  const store = config.store ?? { engine: 'sqlite', file: join(directory, 'region.db') }
  const whole = await loneConfig({ ...config, store })
  const file = join(directory, 'region.json')
  writeFileSync(file, text ?? JSON.stringify(whole))
  const args = [...programArguments({ imports, entry }), 'serve', '--json', '--config', file]
  const child = openFiles
    ? spawn('prlimit', [`--nofile=${openFiles}:${openFiles}`, process.execPath, ...args], { stdio: STDIO })
    : spawn(process.execPath, args, { stdio: STDIO })
  let log = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    log += chunk
  })
  const exited = once(child, 'close').then(([code]) => code as number | null)
  const ready = once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line').then(() => true)
  if ((await Promise.race([ready, exited])) !== true) {
    rmSync(directory, { recursive: true, force: true })
    throw new NotServedError(child.exitCode, log)
  }

  const endpoint = `http://127.0.0.1:${whole.listen.port}`
  const settings = { region: whole.region, endpoint, credentials: { ...credentials }, maxAttempts: 1 }
  const cognito = new CognitoIdentityProviderClient(settings)
  const kms = new KMSClient(settings)
  return {
    name: whole.region,
    endpoint,
    cognito,
    kms,
    process: child,
    configFile: file,
    config: whole,
    get log() {
      return log
    },
    logged: async (words) => void (await until(() => words.test(log), { what: `${words} in the log` })),
    health: async () => {
      const response = await fetch(`${endpoint}/health`)
      return { code: response.status, ...((await response.json()) as Omit<HealthReport, 'code'>) }
    },
    metric: async (name, labels) => (await readMetric(endpoint, name, labels)) ?? 0,
    stop: async () => {
      cognito.destroy()
      kms.destroy()
      // SIGTERM would give load balancers time to notice.
      child.kill('SIGINT')
      await exited
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

const STDIO: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe']
