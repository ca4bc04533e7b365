import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { type RegionClients, startDevProcess } from '@twinpool/testing/dev-plane'
import type { EngineName } from '@twinpool/testing/regions'
import type { FaultKind, Role } from './schedule.ts'

/** The place of a run: two regions, and the faults that can be caused there. */
export interface Arena {
  readonly clients: Readonly<Record<Role, RegionClients>>
  readonly able: ReadonlySet<FaultKind>
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

/** A `twinpool dev` plane: each region is a process, and each direction of the link a proxy. */
export async function openDevArena(engine: EngineName): Promise<Arena> {
  const dev = await startDevProcess({ engine, args: ['--keep-changes', String(KEPT_CHANGES)] })
  const clients = { primary: dev.primary, secondary: dev.secondary }
  const nameOf = (region: Role): string => clients[region].name
  const describe = async () => {
    const response = await fetch(`${dev.ready.control}/dev/status`)
    return (await response.json()) as { regions: Record<string, { pid?: number; state: string; log: string }> }
  }
  const { regions } = await describe()
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
    ] satisfies FaultKind[]),
    order: async (region, action, { ms, oneWay = false, bytesPerSecond } = {}) => {
      const from = oneWay ? nameOf(region === 'primary' ? 'secondary' : 'primary') : undefined
      const response = await dev.control(nameOf(region), action, { ms, from, bytesPerSecond })
      if (!response.ok) throw new Error(`${action} ${region}: ${await response.text()}`)
    },
    look: async (region) => ({ pid: (await describe()).regions[nameOf(region)]?.pid }),
    readLog: (region, from) => readFrom(regions[nameOf(region)]?.log as string, from),
    stop: () => dev.stop(),
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
