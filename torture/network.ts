import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider'
import { KMSClient } from '@aws-sdk/client-kms'
import type { RegionClients } from '@twinpool/testing/dev-plane'
import { createServiceCaller } from '@twinpool/toolkit'
import { type Arena, KEPT_CHANGES, readFrom } from './arena.ts'
import { spareFile } from './databases.ts'
import { type FaultKind, otherRole, ROLES, type Role } from './schedule.ts'

/** This machine cannot create such a network; the message names what is missing. */
export class NetworkUnavailableError extends Error {
  override name = 'NetworkUnavailableError'
}

const main = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url))
const PORT = 9401
const NAMES = { primary: 'us-west-2', secondary: 'us-east-1' } as const
/** Conditions of the line between the regions, in each direction. Clients use separate, undisturbed lines. */
const WEATHER = ['delay', '70ms', '10ms', 'distribution', 'normal', 'loss', '1%', 'reorder', '1%', '50%']
const START_PATIENCE_MILLISECONDS = 20_000

/**
 * Two `twinpool serve` processes, each in a network namespace with its own address, and a line between them with delay, loss
 * and reordering. A cut drops packets without closing any connection. Without netem in the kernel, the line has no delay or
 * loss and can only be cut. Throws NetworkUnavailableError.
 */
export async function openNetworkArena(print: (line: string) => void): Promise<Arena> {
  const undo: (() => void | Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    while (undo.length > 0) await undo.pop()?.()
  }
  try {
    const network = makeNetwork(undo)
    const { weather } = network
    if (!weather) print('this kernel has no netem: no delay, no loss, no reordering; the line can only be cut')
    const ways: FaultKind[] = weather ? ['cut', 'cut-one-way', 'slow', 'throttle'] : ['cut']
    const directory = mkdtempSync(join(tmpdir(), 'torture-'))
    undo.push(() => rmSync(directory, { recursive: true, force: true }))
    const credentials = {
      accessKeyId: `AKIA${randomBytes(8).toString('hex').toUpperCase()}`,
      secretAccessKey: randomBytes(30).toString('base64url'),
    }
    const secret = randomBytes(32).toString('base64url')
    const regions = Object.fromEntries(
      ROLES.map((role) => {
        const config = configOf(role, { directory, network, credentials, secret })
        return [role, createProcess({ role, namespace: network.namespaces[role], directory, config })]
      }),
    ) as Record<Role, RegionRun>
    undo.push(async () => {
      await Promise.all(ROLES.map((role) => regions[role].end('SIGKILL')))
    })
    await Promise.all(ROLES.map((role) => regions[role].start()))
    const clientsOf = (role: Role): RegionClients => {
      const name = NAMES[role]
      const endpoint = network.endpoints[role]
      const settings = { region: name, endpoint, credentials }
      const cognito = new CognitoIdentityProviderClient({ ...settings, maxAttempts: 1 })
      const kms = new KMSClient({ ...settings, maxAttempts: 1 })
      undo.push(() => {
        cognito.destroy()
        kms.destroy()
      })
      return { name, endpoint, cognito, kms, ask: createServiceCaller(settings) }
    }
    return {
      clients: { primary: clientsOf('primary'), secondary: clientsOf('secondary') },
      able: new Set<FaultKind>(['kill', 'restart', 'pause', ...ways, 'deactivate', 'recreate', 'put-back']),
      databases: {
        primary: spareFile(join(directory, 'primary', 'region.db')),
        secondary: spareFile(join(directory, 'secondary', 'region.db')),
      },
      order: async (role, action, { ms = 0, oneWay = false, bytesPerSecond = 0 } = {}) => {
        const region = regions[role]
        // A cut towards one region drops the packets that its peer sends.
        const senders = oneWay ? [otherRole(role)] : ROLES
        switch (action) {
          case 'kill':
            return region.end('SIGKILL')
          case 'stop':
            return region.end('SIGTERM')
          case 'start':
            return region.start()
          case 'pause':
            return region.signal('SIGSTOP')
          case 'resume':
            return region.signal('SIGCONT')
          case 'cut':
            if (weather) for (const sender of senders) weather(sender, ['loss', '100%'])
            else network.setLine('down')
            return
          case 'heal':
            if (weather) for (const sender of senders) weather(sender, WEATHER)
            else network.setLine('up')
            return
          case 'slow':
            for (const sender of ROLES) {
              weather?.(sender, ms === 0 ? WEATHER : ['delay', `${70 + ms}ms`, '20ms', 'loss', '3%'])
            }
            return
          case 'throttle':
            for (const sender of ROLES) {
              weather?.(sender, bytesPerSecond === 0 ? WEATHER : [...WEATHER, 'rate', `${bytesPerSecond * 8}bit`])
            }
            return
          case 'clock':
            // Not possible: the regions use the machine's clock.
            return
        }
      },
      look: async (role) => ({ pid: regions[role].pid() }),
      readLog: (role, from) => readFrom(join(directory, `${role}.log`), from),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

interface Network {
  namespaces: Readonly<Record<Role, string>>
  /** The URL of a region for clients. */
  endpoints: Readonly<Record<Role, string>>
  /** The address of a region on the line between the two. */
  addresses: Readonly<Record<Role, string>>
  setLine(to: 'up' | 'down'): void
  /** Sets the conditions for packets that a region sends to its peer; undefined without netem in the kernel. */
  weather: ((sender: Role, netem: readonly string[]) => void) | undefined
}

/** Creates the namespaces, a pair of interfaces between them, and one from each to this machine's network. */
function makeNetwork(undo: (() => void)[]): Network {
  const run = (command: string, ...args: string[]): void => {
    try {
      execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: Buffer }
      const why = stderr?.toString().trim() || message
      throw new NetworkUnavailableError(`the network cannot be created: ${command} ${args.join(' ')}: ${why}`)
    }
  }
  const mark = randomBytes(2).toString('hex')
  // A separate network for each run, from the addresses that RFC 2544 reserves for network tests.
  const net = `198.18.${randomBytes(1)[0]}`
  const namespaces = { primary: `tp-${mark}-1`, secondary: `tp-${mark}-2` }
  const line = { primary: `tp${mark}l1`, secondary: `tp${mark}l2` }
  const addresses = { primary: `${net}.1`, secondary: `${net}.2` }
  const outside = { primary: `${net}.17`, secondary: `${net}.33` }
  const inside = { primary: `${net}.18`, secondary: `${net}.34` }
  const within = (role: Role, ...args: string[]): void => run('ip', 'netns', 'exec', namespaces[role], ...args)
  const remove = (...args: string[]): void => {
    try {
      execFileSync('ip', args, { stdio: 'ignore' })
    } catch {
      // It was not created, or was removed together with its namespace or peer.
    }
  }

  for (const role of ROLES) {
    undo.push(() => remove('netns', 'delete', namespaces[role]))
    run('ip', 'netns', 'add', namespaces[role])
  }
  undo.push(() => remove('link', 'delete', line.primary))
  run('ip', 'link', 'add', line.primary, 'type', 'veth', 'peer', 'name', line.secondary)
  for (const role of ROLES) {
    const door = `tp${mark}d${role === 'primary' ? 1 : 2}`
    run('ip', 'link', 'set', line[role], 'netns', namespaces[role])
    within(role, 'ip', 'address', 'add', `${addresses[role]}/30`, 'dev', line[role])
    within(role, 'ip', 'link', 'set', line[role], 'up')
    within(role, 'ip', 'link', 'set', 'lo', 'up')
    undo.push(() => remove('link', 'delete', door))
    run('ip', 'link', 'add', door, 'type', 'veth', 'peer', 'name', 'door', 'netns', namespaces[role])
    run('ip', 'address', 'add', `${outside[role]}/30`, 'dev', door)
    run('ip', 'link', 'set', door, 'up')
    within(role, 'ip', 'address', 'add', `${inside[role]}/30`, 'dev', 'door')
    within(role, 'ip', 'link', 'set', 'door', 'up')
  }
  const weather = (sender: Role, netem: readonly string[]): void =>
    within(sender, 'tc', 'qdisc', 'replace', 'dev', line[sender], 'root', 'netem', 'limit', '100000', ...netem)
  let able = true
  try {
    for (const role of ROLES) weather(role, WEATHER)
  } catch {
    able = false
  }
  return {
    setLine: (to) => within('primary', 'ip', 'link', 'set', line.primary, to),
    namespaces,
    endpoints: {
      primary: `http://${inside.primary}:${PORT}`,
      secondary: `http://${inside.secondary}:${PORT}`,
    },
    addresses,
    weather: able ? weather : undefined,
  }
}

function configOf(
  role: Role,
  {
    directory,
    network,
    credentials,
    secret,
  }: {
    directory: string
    network: Network
    credentials: { accessKeyId: string; secretAccessKey: string }
    secret: string
  },
): object {
  const peer = otherRole(role)
  return {
    region: NAMES[role],
    listen: { host: '0.0.0.0', port: PORT },
    endpoint: network.endpoints[role],
    issuerBase: network.endpoints.primary,
    store: { engine: 'sqlite', file: join(directory, role, 'region.db') },
    credentials: [credentials],
    keys: { provider: 'local', masterKey: randomBytes(32).toString('base64') },
    cluster: { secret },
    peers: {
      [NAMES[peer]]: {
        endpoint: network.endpoints[peer],
        replication: `http://${network.addresses[peer]}:${PORT}`,
      },
    },
    replication: { retentionChanges: KEPT_CHANGES, trimSeconds: 1 },
  }
}

interface RegionRun {
  start(): Promise<void>
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
  pid(): number | undefined
}

function createProcess({
  role,
  namespace,
  directory,
  config,
}: {
  role: Role
  namespace: string
  directory: string
  config: object
}): RegionRun {
  const home = join(directory, role)
  mkdirSync(home, { mode: 0o700 })
  const file = join(home, 'region.json')
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  let child: ChildProcess | undefined
  const running = (): ChildProcess | undefined =>
    child && child.exitCode === null && child.signalCode === null ? child : undefined
  return {
    start: async () => {
      if (running()) return
      const log = openSync(join(directory, `${role}.log`), 'a', 0o600)
      const flags = process.execArgv.filter((flag) => flag.startsWith('--conditions'))
      // `ip netns exec` replaces itself with the program, so the pid is that of the region.
      const started = spawn(
        'ip',
        ['netns', 'exec', namespace, process.execPath, ...flags, main, 'serve', '--config', file, '--json'],
        { stdio: ['ignore', 'pipe', log] },
      )
      closeSync(log)
      child = started
      const ready = await Promise.race([
        once(started.stdout as NonNullable<typeof started.stdout>, 'data').then(() => true),
        once(started, 'exit').then(() => false),
        new Promise<boolean>((resolve) => setTimeout(resolve, START_PATIENCE_MILLISECONDS, false).unref()),
      ])
      if (!ready) throw new Error(`the ${role} did not start`)
    },
    end: async (signal) => {
      const ending = running()
      if (!ending) return
      const exited = once(ending, 'exit')
      if (signal === 'SIGTERM') ending.kill('SIGCONT')
      ending.kill(signal)
      await exited
    },
    signal: (signal) => {
      running()?.kill(signal)
    },
    pid: () => running()?.pid,
  }
}
