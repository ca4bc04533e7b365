import { isDeepStrictEqual } from 'node:util'
import type { RegionConfig } from './config/schema.ts'
import type { Events } from './events/events.ts'

/** A part of a region that can take new settings while it runs. */
export interface ReloadablePart {
  /** Reads and checks everything; the returned function only replaces values, so that no reload is left half done. */
  prepare(config: RegionConfig): Promise<() => void> | (() => void)
}

/** The members whose change takes effect without a restart; all others need one. */
const RELOADED: readonly string[] = [
  'credentials',
  'tls.certificateFile',
  'tls.keyFile',
  'peerTls',
  'peerTls.caFile',
  'peerTls.certificateFile',
  'peerTls.keyFile',
  'keys.masterKey',
  'keys.masterKeyFile',
  'cluster.secret',
  'log.level',
]

/** The members that can be replaced while a region runs, but neither added nor removed. */
const REPLACED: readonly string[] = ['tls.clientCaFile']

/** Reads the configuration again. Resolves with whether it took effect; a configuration with mistakes changes nothing. */
export type Reload = (read: () => RegionConfig) => Promise<boolean>

export function createReload(
  started: RegionConfig,
  { parts, events }: { parts: readonly ReloadablePart[]; events: Pick<Events, 'noted' | 'reloadFailed' | 'setLevel'> },
): Reload {
  let last: Promise<unknown> = Promise.resolve()
  const reload: Reload = async (read) => {
    try {
      const config = read()
      const changes = await Promise.all(parts.map(async (part) => part.prepare(config)))
      for (const change of changes) change()
      events.setLevel(config.log.level)
      const needRestart = changedMembers(started, config).filter((member) => !RELOADED.includes(member))
      events.noted('reloaded', needRestart.length === 0 ? {} : { needRestart })
      return true
    } catch (error) {
      events.reloadFailed({ why: (error as Error).message })
      return false
    }
  }
  return (read) => {
    const running = last.then(() => reload(read))
    last = running
    return running
  }
}

/** The members in which two configurations differ, as `store.file`. */
function changedMembers(before: RegionConfig, after: RegionConfig): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof RegionConfig>
  return [...names].flatMap((name) => {
    const [one, other]: unknown[] = [before[name], after[name]]
    if (isDeepStrictEqual(one, other)) return []
    if (!isObject(one) || !isObject(other)) return [name]
    const inner = new Set([...Object.keys(one), ...Object.keys(other)])
    return [...inner].flatMap((key) => {
      const member = `${name}.${key}`
      const isReplaced = REPLACED.includes(member) && one[key] !== undefined && other[key] !== undefined
      return isReplaced || isDeepStrictEqual(one[key], other[key]) ? [] : [member]
    })
  })
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
