import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider'
import { KMSClient } from '@aws-sdk/client-kms'
import { createServiceCaller, type ServiceCaller } from '@twinpool/toolkit'
import { programArguments } from './program.ts'
import type { EngineName, Message } from './regions.ts'

export interface Ready {
  event: 'ready'
  control: string
  regions: Record<string, { endpoint: string }>
  credentials: { accessKeyId: string; secretAccessKey: string }
}

export interface RegionClients {
  name: string
  endpoint: string
  cognito: CognitoIdentityProviderClient
  kms: KMSClient
  /** Calls an operation of Twinpool's own API. */
  ask: ServiceCaller
}

/** `twinpool dev` in its own process, with region processes that can be killed. */
export interface DevProcess {
  process: ChildProcess
  ready: Ready
  primary: RegionClients
  secondary: RegionClients
  control(
    region: string,
    action: 'kill' | 'stop' | 'start' | 'pause' | 'resume' | 'cut' | 'heal' | 'slow' | 'throttle' | 'clock',
    settings?: object,
  ): Promise<Response>
  codeFor(to: string): Promise<string>
  stop(): Promise<void>
}

let lastPort = 20_000 + (process.pid % 300) * 40

/** Ports that only this test process uses, below the range of ephemeral ports. */
export function nextPort(): number {
  lastPort += 10
  return lastPort
}

export async function startDevProcess({
  engine = 'sqlite',
  args = [],
  storedKeyPairs = true,
  fromSource,
}: {
  engine?: EngineName
  args?: readonly string[]
  /** False: the regions generate the keys of their pools, as they do outside tests. */
  storedKeyPairs?: boolean
  /** True: runs from the sources, not from the bundle. */
  fromSource?: boolean
} = {}): Promise<DevProcess> {
  const store = engine === 'sqlite' ? ['--store', 'sqlite'] : ['--store', process.env.TWINPOOL_TEST_POSTGRES as string]
  const child = spawn(
    process.execPath,
    [
      ...programArguments({ storedKeyPairs, fromSource }),
      'dev',
      '--json',
      '--ephemeral',
      '--port',
      String(nextPort()),
      ...store,
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const [line] = (await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`twinpool dev ended with ${code}`)
    }),
  ])) as [string]
  const ready = JSON.parse(line) as Ready
  const [primary, secondary] = Object.entries(ready.regions).map(([name, { endpoint }]): RegionClients => {
    const settings = { region: name, endpoint, credentials: ready.credentials }
    return {
      name,
      endpoint,
      cognito: new CognitoIdentityProviderClient({ ...settings, maxAttempts: 1 }),
      kms: new KMSClient({ ...settings, maxAttempts: 1 }),
      ask: createServiceCaller(settings),
    }
  }) as [RegionClients, RegionClients]
  return {
    process: child,
    ready,
    primary,
    secondary,
    control: (region, action, settings) =>
      fetch(`${ready.control}/dev/regions/${region}/${action}`, {
        method: 'POST',
        ...(settings && { body: JSON.stringify(settings) }),
      }),
    codeFor: async (to) => {
      const response = await fetch(`${ready.control}/dev/inbox?to=${encodeURIComponent(to)}`)
      const [newest] = (await response.json()) as Message[]
      if (!newest) throw new Error(`no message to ${to}`)
      return newest.code
    },
    stop: async () => {
      for (const { cognito, kms } of [primary, secondary]) {
        cognito.destroy()
        kms.destroy()
      }
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
    },
  }
}
