import { accessSync, constants, existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { Agent, fetch } from 'undici'
import { systemClock } from '../clock.ts'
import { ConfigError, readConfig } from '../config/read.ts'
import type { RegionConfig } from '../config/schema.ts'
import { createPeerTls } from '../http/peer-tls.ts'
import { readTls, urlOf } from '../http/server.ts'
import { openAwsKms } from '../keys/aws-kms.ts'
import { createKeyArns } from '../keys/local/arns.ts'
import { isLive, type KeyRecord, type RemovedKey } from '../keys/local/key-record.ts'
import { createKeyMaterial } from '../keys/local/material.ts'
import { readMasterKeys } from '../keys/open.ts'
import type { PeerError } from '../replication/peer.ts'
import { createPeers } from '../replication/replication.ts'
import { FileInUseError } from '../store/file-lock.ts'
import { type FoundStore, inspectStore } from '../store/inspect.ts'
import { OtherRegionError } from '../store/region-name.ts'

/** One line of the report. `member`: of the configuration. */
export interface Finding {
  member: string
  ok: boolean
  detail: string
}

export interface CheckReport {
  ok: boolean
  region: string | undefined
  findings: Finding[]
}

const PATIENCE_MILLISECONDS = 5_000

/**
 * Finds everything that would keep a region from starting, and tries its store, keys, peers and mail. Changes nothing, so it may
 * run beside the region: a port and a store that this region itself uses are no problem.
 */
export async function checkConfiguration(file: string): Promise<CheckReport> {
  let config: RegionConfig
  try {
    config = readConfig(file)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { ok: false, region: undefined, findings: error.mistakes.map(findingOf) }
  }
  const findings: Finding[] = [{ member: 'configuration', ok: true, detail: file }]
  const attempt = async (member: string, work: () => Promise<string> | string): Promise<void> => {
    try {
      findings.push({ member, ok: true, detail: await work() })
    } catch (error) {
      const text = (error as Error).message || String(error)
      findings.push({
        member,
        ok: false,
        detail: text.startsWith(`${member}: `) ? text.slice(member.length + 2) : text,
      })
    }
  }
  const { tls, peerTls, listen, store: storeConfig, management, audit, keys, peers, messages } = config
  const areValid = 'the files are valid'
  if (tls) await attempt('tls', () => readTls(tls) && areValid)
  if (peerTls) await attempt('peerTls', () => createPeerTls(peerTls) && areValid)
  let store: FoundStore | undefined
  await attempt('store', async () => {
    store = await inspectStore(storeConfig)
    return describeStore(config, store)
  })
  await attempt('listen', () => checkPort(listen, urlOf(listen, tls && 'https'), config.region))
  if (management) await attempt('management', () => checkPort(management, urlOf(management), config.region))
  if (audit) await attempt('audit.file', () => checkAppendable(audit.file))
  if (keys.provider === 'aws-kms') await attempt('keys', () => checkAwsKms(config, keys))
  else await attempt('keys', () => checkMasterKeys(config, { keys, store }))
  await store?.close()
  await Promise.all(Object.keys(peers).map((name) => attempt(`peers.${name}`, () => checkPeer(config, name))))
  if (messages.kind === 'inbox') await attempt('messages', () => checkInbox(messages.url))
  return { ok: findings.every(({ ok }) => ok), region: config.region, findings }
}

function findingOf(mistake: string): Finding {
  const [member = '', ...rest] = mistake.split(': ')
  return { member, ok: false, detail: rest.join(': ') || mistake }
}

function describeStore({ region, store, listen }: RegionConfig, found: FoundStore): string {
  if (found.region !== undefined && found.region !== region) {
    throw new OtherRegionError({ found: found.region, configured: region })
  }
  const { holder } = found
  if (store.engine === 'sqlite' && typeof holder === 'object' && holder.port !== listen.port) {
    throw new FileInUseError(store.file, holder)
  }
  const used = holder === undefined ? '' : ', in use by this region'
  if (found.version === undefined) return `${store.engine}, empty${used}`
  return `${store.engine}, ${found.region === undefined ? 'region not recorded yet' : `of ${found.region}`}${used}`
}

async function checkPort({ host, port }: { host: string; port: number }, url: string, region: string): Promise<string> {
  const address = `${host}:${port}`
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject).listen(port, host, resolve)
  try {
    await promise
    return `${address} is free`
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE' && (await regionAt(url)) === region) return `${address} is in use by this region`
    throw new Error(`${address}: ${code}`)
  } finally {
    server.close()
  }
}

/** The region that serves a URL of this machine, undefined if none does. Its certificate may be for another name. */
async function regionAt(url: string): Promise<string | undefined> {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
  try {
    const response = await fetch(`${url}/health`, { dispatcher, signal: AbortSignal.timeout(PATIENCE_MILLISECONDS) })
    return ((await response.json()) as { region?: string }).region
  } catch {
    return undefined
  } finally {
    await dispatcher.destroy()
  }
}

function checkAppendable(file: string): string {
  const isThere = existsSync(file)
  accessSync(isThere ? file : dirname(file), constants.W_OK)
  return isThere ? `${file} can be written` : `${file} can be created`
}

async function checkMasterKeys(
  { region, accountId }: RegionConfig,
  { keys, store }: { keys: Extract<RegionConfig['keys'], { provider: 'local' }>; store: FoundStore | undefined },
): Promise<string> {
  const masterKeys = readMasterKeys(keys)
  const bodies = (await store?.listBodies('kms-key')) ?? []
  if (bodies.length === 0)
    return store ? 'the store has no keys yet' : 'the master key is valid; the store was not read'
  const arns = createKeyArns({ region, accountId })
  const material = createKeyMaterial({ secrets: { masterKeys }, clock: systemClock, arns })
  for (const record of bodies.map((body) => JSON.parse(body) as KeyRecord | RemovedKey)) {
    if (isLive(record)) material.open(record)
  }
  return 'the master key opens the key ring'
}

async function checkAwsKms(
  { region }: RegionConfig,
  { provider: _, ...keys }: Extract<RegionConfig['keys'], { provider: 'aws-kms' }>,
): Promise<string> {
  const events = { keyServiceLost() {}, keyServiceBack() {}, keyServiceOutage() {}, keyRefused() {}, noted() {} }
  const provider = await openAwsKms({
    ...keys,
    region: keys.region ?? region,
    clock: systemClock,
    events: events as never,
  })
  try {
    await provider.generateDataKey(keys.serviceKeyArn, { 'twinpool:check': 'check' })
    return 'the service key creates data keys'
  } finally {
    await provider.stop()
  }
}

async function checkPeer({ region, cluster, peers, peerTls }: RegionConfig, name: string): Promise<string> {
  const peer = peers[name] as RegionConfig['peers'][string]
  const base = peer.replication ?? peer.endpoint
  const client = createPeers({
    secrets: [cluster.secret].flat(),
    region,
    bases: { [name]: base },
    clock: systemClock,
    // For requests that are received; none is.
    throttling: { once: async () => true },
    connect: createPeerTls(peerTls).connect,
    signal: AbortSignal.timeout(PATIENCE_MILLISECONDS),
  }).all.get(name)
  await client?.hasOlderProcesses().catch((error: PeerError) => {
    throw new Error(`${base}: ${reasonOf(error.cause) ?? error.message}`)
  })
  return `${base} responds and knows the cluster secret`
}

async function checkInbox(url: string): Promise<string> {
  const response = await fetch(url, { method: 'OPTIONS', signal: AbortSignal.timeout(PATIENCE_MILLISECONDS) }).catch(
    (error: Error) => {
      throw new Error(`${url}: ${reasonOf(error) ?? error.message}`)
    },
  )
  await response.body?.cancel()
  return `${url} responds`
}

/** The code of the system, such as ECONNREFUSED, or the last message behind an error of `fetch`. */
function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  return reasonOf(error.cause) ?? (error as NodeJS.ErrnoException).code ?? error.message
}
