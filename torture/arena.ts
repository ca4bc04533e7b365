import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type RegionClients, startDevProcess } from '@twinpool/testing/dev-plane'
import type { EngineName } from '@twinpool/testing/regions'
import { type SparedDatabase, spareFile, startSparedPostgres } from './databases.ts'
import { type FaultKind, otherRole, ROLES, type Role } from './schedule.ts'

/** The place of a run: two regions, and the faults that can be caused there. */
export interface Arena {
  readonly clients: Readonly<Record<Role, RegionClients>>
  readonly able: ReadonlySet<FaultKind>
  /** Undefined: the databases have no spares. */
  readonly databases?: Readonly<Record<Role, SparedDatabase>>
  order(
    region: Role,
    action: Action,
    settings?: { ms?: number; oneWay?: boolean; bytesPerSecond?: number },
  ): Promise<void>
  /** The process of a region; `pid` is undefined when it does not run. */
  look(region: Role): Promise<{ pid: number | undefined }>
  /** The log of a region from an offset in bytes. */
  readLog(region: Role, from: number): { text: string; end: number }
  stop(): Promise<void>
}

export type Action = 'kill' | 'stop' | 'start' | 'pause' | 'resume' | 'cut' | 'heal' | 'slow' | 'throttle' | 'clock'

/** Few, so that a follower that is disconnected for some seconds must copy again. */
export const KEPT_CHANGES = 150

/**
 * A `twinpool dev` plane: each region is a process, and each direction of the link a proxy. On PostgreSQL each region has a server
 * with a standby, and the addresses of both in its URL. Without `spares`, both regions have a database on the server at TWINPOOL_TEST_POSTGRES, which is never replaced.
 */
export async function openDevArena(engine: EngineName, { spares = true }: { spares?: boolean } = {}): Promise<Arena> {
  const servers = engine === 'postgres' && spares
  const dev = await startDevProcess({
    engine: servers ? 'sqlite' : engine,
    args: ['--keep-changes', String(KEPT_CHANGES)],
  })
  const databases: Partial<Record<Role, SparedDatabase>> = {}
  const stop = async (): Promise<void> => {
    await dev.stop()
    await Promise.all(Object.values(databases).map((database) => database.stop()))
  }
  const clients = { primary: dev.primary, secondary: dev.secondary }
  const nameOf = (region: Role): string => clients[region].name
  const describe = async () => {
    const response = await fetch(`${dev.ready.control}/dev/status`)
    return (await response.json()) as { regions: Record<string, { pid?: number; state: string; log: string }> }
  }
  const order: Arena['order'] = async (region, action, { ms, oneWay = false, bytesPerSecond } = {}) => {
    const from = oneWay ? nameOf(otherRole(region)) : undefined
    const response = await dev.control(nameOf(region), action, { ms, from, bytesPerSecond })
    if (!response.ok) throw new Error(`${action} ${region}: ${await response.text()}`)
  }
  try {
    const { regions } = await describe()
    const logOf = (region: Role): string => regions[nameOf(region)]?.log as string
    const spareOf = async (region: Role): Promise<SparedDatabase> => {
      const home = dirname(logOf(region))
      if (!servers) return spareFile(join(home, 'region.db'))
      const database = await startSparedPostgres()
      await order(region, 'stop')
      const file = join(home, 'region.json')
      const config = { ...JSON.parse(readFileSync(file, 'utf8')), store: { engine, url: database.url } }
      writeFileSync(file, JSON.stringify(config))
      return database
    }
    if (engine === 'sqlite' || servers) {
      await Promise.all(
        ROLES.map(async (region) => {
          databases[region] = await spareOf(region)
          await order(region, 'start')
        }),
      )
    }
    return {
      clients,
      able: new Set([
        'kill',
        'restart',
        'pause',
        'cut',
        'cut-one-way',
        'slow',
        'throttle',
        'clock',
        'deactivate',
        'recreate',
        ...(servers ? (['failover'] as const) : []),
        ...(engine === 'sqlite' ? (['put-back'] as const) : []),
      ] satisfies FaultKind[]),
      databases: databases as Record<Role, SparedDatabase>,
      order,
      look: async (region) => ({ pid: (await describe()).regions[nameOf(region)]?.pid }),
      readLog: (region, from) => readFrom(logOf(region), from),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Reads a file from an offset in bytes. */
export function readFrom(file: string, from: number): { text: string; end: number } {
  if (from === 0) {
    const text = readFileSync(file)
    return { text: text.toString(), end: text.length }
  }
  const handle = openSync(file, 'r')
  try {
    const parts: Buffer[] = []
    let end = from
    for (;;) {
      const part = Buffer.alloc(256 * 1024)
      const read = readSync(handle, part, 0, part.length, end)
      if (read === 0) return { text: Buffer.concat(parts).toString(), end }
      parts.push(part.subarray(0, read))
      end += read
    }
  } finally {
    closeSync(handle)
  }
}
