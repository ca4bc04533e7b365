import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  CognitoIdentityProviderClient,
  CreateUserPoolClientCommand,
  type CreateUserPoolClientCommandInput,
  CreateUserPoolCommand,
  type CreateUserPoolCommandInput,
} from '@aws-sdk/client-cognito-identity-provider'
import { createRegion, parseConfig, type RegionConfigInput } from '@twinpool/server'
import { leanFlags } from 'twinpool/internal/lean'
import { type Postgres, startPostgres } from 'twinpool/internal/postgres/start'
import { sendOnce } from './load.ts'
import { emailOf, fillPool, nameOf, PASSWORD } from './people.ts'
import { freePort, mainOf, start } from './processes.ts'
import type { Pace } from './rounds.ts'
import { callOf, credentials, REGION, signedCallOf } from './signed.ts'

export interface StageOptions {
  quick: boolean
  store: 'sqlite' | 'postgres'
  /** Numbers of concurrent connections, measured one after the other. */
  connections: readonly number[]
  /** Directory for CPU profiles of our server; undefined for no profiles. */
  profiles: string | undefined
}

/** A server under load. */
export interface Server {
  endpoint: string
  pid: number
}

/** A server with the user pools API and a pool. */
export interface Service extends Server {
  pool: string
  client: string
}

/** Starts the servers of a case, and stops all of them at the end. */
export interface Stage extends StageOptions {
  pace: Pace
  /** Our region, as `twinpool serve` runs it, with `users` users in a pool; the first `passwords` users can sign in. */
  twinpool(people: {
    users: number
    passwords: number
    built?: boolean
    /** See fillPool. */
    oneVerifier?: boolean
    /** Settings of the pool and the client, besides the usual ones. */
    settings?: PoolSettings
  }): Promise<Service>
  /** The bare server (peers/raw.ts), and tokens that it signed. */
  raw(): Promise<Server & { tokens: string[] }>
  cognitoLocal(people: { users: number }): Promise<Service>
  oidcProvider(): Promise<Server & { client: string; refreshTokens: string[] }>
  /** Node flags that profile our servers; empty unless `profiles` is set. */
  profiling: readonly string[]
  /** Creates a directory, which is removed at the end. */
  homeOf(name: string): string
  /** Registers a function that is called at the end, in reverse order. */
  atEnd(close: () => Promise<unknown>): void
  say(line: string): void
  close(): Promise<void>
}

export interface PoolSettings {
  pool?: Partial<CreateUserPoolCommandInput>
  client?: Partial<CreateUserPoolClientCommandInput>
}

const FLOWS = ['ALLOW_USER_SRP_AUTH', 'ALLOW_USER_PASSWORD_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'] as const
const peer = (name: string): string => join(import.meta.dirname, 'peers', `${name}.ts`)

export function openStage(options: StageOptions, say: (line: string) => void): Stage {
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-bench-'))
  const closing: (() => Promise<void>)[] = []
  let postgres: Promise<Postgres> | undefined

  const storeOf = async (home: string): Promise<RegionConfigInput['store']> => {
    if (options.store === 'sqlite') return { engine: 'sqlite', file: join(home, 'region.db') }
    postgres ??= startPostgres()
    const { createDatabase, stop } = await postgres
    closing.unshift(stop)
    return { engine: 'postgres', url: await createDatabase(`bench_${randomBytes(6).toString('hex')}`) }
  }
  const run: typeof start = async (file, settings) => {
    const running = await start<never>(file, settings)
    closing.push(() => running.stop())
    return running
  }
  const { profiles } = options
  const profiling = profiles ? ['--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-dir=${resolve(profiles)}`] : []
  const homeOf = (name: string): string => {
    const home = join(directory, `${name}-${closing.length}`)
    mkdirSync(home)
    return home
  }

  return {
    ...options,
    pace: options.quick ? { rounds: 3, seconds: 0.5, warmUpSeconds: 0.4 } : { rounds: 7, seconds: 2, warmUpSeconds: 2 },
    say,
    homeOf,
    profiling,
    atEnd: (close) => closing.push(async () => void (await close())),
    twinpool: async ({ users, passwords, built = false, oneVerifier = false, settings = {} }) => {
      const home = homeOf('twinpool')
      const port = await freePort()
      const endpoint = `http://127.0.0.1:${port}`
      const config: RegionConfigInput = {
        region: REGION,
        listen: { port },
        store: await storeOf(home),
        credentials: [credentials],
        keys: { provider: 'local', masterKey: randomBytes(32).toString('base64') },
        cluster: { secret: randomBytes(32).toString('base64') },
        // All calls come from one address.
        limits: { failedAttemptsPerMinute: 1_000_000_000, messagesPerMinute: 1_000_000_000 },
      }
      const quiet: RegionConfigInput = { ...config, log: { level: 'silent' } }
      const place = await whileRunning(quiet, () =>
        createPool({ endpoint, settings: { ...settings, pool: { AliasAttributes: ['email'], ...settings.pool } } }),
      )
      await fillPool(quiet, { pool: place.pool, users, passwords, oneVerifier })
      const file = join(home, 'config.json')
      writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
      const { pid } = await run(mainOf({ built }), {
        name: 'twinpool',
        directory: home,
        args: ['serve', '--config', file],
        flags: [...leanFlags, ...profiling],
        built,
      })
      return { endpoint, pid, ...place }
    },
    raw: async () => {
      const home = homeOf('raw')
      type Ready = { endpoint: string; tokens: string[] }
      const { ready, pid } = await run<Ready>(peer('raw'), { name: 'raw', directory: home, args: [home] })
      return { ...ready, pid }
    },
    cognitoLocal: async ({ users }) => {
      const env = { HOST: '127.0.0.1', PORT: String(await freePort()) }
      const directory = homeOf('cognito-local')
      mkdirSync(join(directory, '.cognito'))
      // By default, cognito-local accepts only e-mail addresses as usernames.
      const config = { UserPoolDefaults: { UsernameAttributes: [] } }
      writeFileSync(join(directory, '.cognito/config.json'), JSON.stringify(config))
      const settings = { name: 'cognito-local', directory, env }
      const { ready, pid } = await run<{ endpoint: string }>(peer('cognito-local'), settings)
      const { endpoint } = ready
      const place = await createPool({ endpoint, settings: {} })
      for (let at = 0; at < users; at += 1) await createPerson({ endpoint, ...place }, at)
      return { endpoint, pid, ...place }
    },
    oidcProvider: async () => {
      const settings = { name: 'oidc-provider', directory: homeOf('oidc-provider') }
      type Ready = { endpoint: string; client: string; refreshTokens: string[] }
      const { ready, pid } = await run<Ready>(peer('oidc-provider'), settings)
      return { ...ready, pid }
    },
    close: async () => {
      for (const close of closing.reverse()) await close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function whileRunning<T>(config: RegionConfigInput, work: () => Promise<T>): Promise<T> {
  const region = await createRegion(parseConfig(config))
  await region.start()
  try {
    return await work()
  } finally {
    await region.stop()
  }
}

async function createPool({
  endpoint,
  settings,
}: {
  endpoint: string
  settings: PoolSettings
}): Promise<{ pool: string; client: string }> {
  const cognito = new CognitoIdentityProviderClient({ endpoint, region: REGION, credentials: { ...credentials } })
  const { UserPool } = await cognito.send(new CreateUserPoolCommand({ PoolName: 'bench', ...settings.pool }))
  const pool = UserPool?.Id as string
  const { UserPoolClient } = await cognito.send(
    new CreateUserPoolClientCommand({
      UserPoolId: pool,
      ClientName: 'bench',
      ExplicitAuthFlows: [...FLOWS],
      ...settings.client,
    }),
  )
  cognito.destroy()
  return { pool, client: UserPoolClient?.ClientId as string }
}

async function createPerson({ endpoint, pool }: Pick<Service, 'endpoint' | 'pool'>, at: number): Promise<void> {
  const Username = nameOf(at)
  const call = (operation: string, input: object): Promise<string> =>
    sendOnce(endpoint, signedCallOf(endpoint, operation, { UserPoolId: pool, Username, ...input }))
  const UserAttributes = [
    { Name: 'email', Value: emailOf(at) },
    { Name: 'email_verified', Value: 'true' },
    { Name: 'given_name', Value: 'Person' },
    { Name: 'family_name', Value: `Number ${at}` },
  ]
  await call('AdminCreateUser', { TemporaryPassword: PASSWORD, MessageAction: 'SUPPRESS', UserAttributes })
  await call('AdminSetUserPassword', { Password: PASSWORD, Permanent: true })
}

export interface Tokens {
  AccessToken: string
  RefreshToken: string
}

/** Signs the first `people` users in with their passwords. */
export async function signIn(
  { endpoint, client }: Pick<Service, 'endpoint' | 'client'>,
  people: number,
): Promise<Tokens[]> {
  const tokens: Tokens[] = []
  for (let at = 0; at < people; at += 1) {
    const body = await sendOnce(endpoint, passwordCall(client, at))
    tokens.push(JSON.parse(body).AuthenticationResult as Tokens)
  }
  return tokens
}

export const passwordCall = (client: string, at: number) =>
  callOf('InitiateAuth', {
    AuthFlow: 'USER_PASSWORD_AUTH',
    ClientId: client,
    AuthParameters: { USERNAME: nameOf(at), PASSWORD },
  })
