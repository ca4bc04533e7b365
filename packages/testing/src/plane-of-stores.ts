import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '@twinpool/server/internal/clock'
import { openStore, type Store } from '@twinpool/server/internal/store/store'
import { administer, createDatabase } from './databases.ts'

/** Randomness from a seed (mulberry32). */
export interface Dice {
  /** A number from 0 (inclusive) to 1 (exclusive). */
  roll(): number
  below(limit: number): number
  chance(probability: number): boolean
  pick<T>(list: readonly T[]): T
}

export function createDice(seed: number): Dice {
  let state = seed >>> 0
  const roll = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number): number => Math.floor(roll() * limit)
  return {
    roll,
    below,
    chance: (probability) => roll() < probability,
    pick: (list) => list[below(list.length)] as (typeof list)[number],
  }
}

/** A clock that advances by a step at each reading, and is off by `skew` milliseconds. */
export function createSteppedClock(dice: Dice, time: { now: number }, skew: number): Clock {
  const randomBytes = (size: number): Buffer => Buffer.from(Array.from({ length: size }, () => dice.below(256)))
  return {
    now: () => {
      time.now += 1 + dice.below(3)
      return time.now + skew
    },
    monotonic: () => time.now,
    randomBytes,
    uuid: () => randomBytes(16).toString('hex'),
    wait: () => Promise.reject(new Error('nothing waits in a history')),
  }
}

/** The process was killed before its transaction was durable. */
export class KilledError extends Error {}

/** The store of one region, which can be killed in a transaction, restarted, and restored from a backup. */
export interface KillableStore {
  readonly store: Store
  /** The number of times that the store was opened; requests to an earlier instance get no response. */
  readonly life: number
  /** The next transaction does its work and is then lost, unless `spare` is called before it. */
  killNext(): void
  spare(): void
  restart(): Promise<void>
  backUp(): Promise<void>
  restore(): Promise<void>
  /** Whether there is a backup. */
  readonly restorable: boolean
  close(): Promise<void>
}

export async function openKillableStore(
  engine: 'sqlite' | 'postgres',
  context: { clock: Pick<Clock, 'now'>; region: string; name: string },
): Promise<KillableStore> {
  const place = engine === 'sqlite' ? locationOnDisk() : await locationOnServer(context.name)
  let losesNext = false
  let inner: Store
  let restorable = false
  let life = 0
  const open = async (): Promise<void> => {
    inner = await openStore(place.config, context)
    const killable =
      <A extends unknown[], T>(work: (...given: A) => Promise<T>) =>
      async (...given: A): Promise<T> => {
        const result = await work(...given)
        if (losesNext) throw new KilledError('killed')
        return result
      }
    store = {
      ...inner,
      transaction: (work) => inner.transaction(killable(work)),
      write: (work) => inner.write(killable(work)),
    }
  }
  let store: Store
  await open()
  return {
    get store() {
      return store
    },
    get life() {
      return life
    },
    get restorable() {
      return restorable
    },
    killNext: () => {
      losesNext = true
    },
    spare: () => {
      losesNext = false
    },
    restart: async () => {
      life += 1
      await inner.close()
      await open()
    },
    backUp: async () => {
      life += 1
      await inner.close()
      await place.backUp()
      restorable = true
      await open()
    },
    restore: async () => {
      life += 1
      await inner.close()
      await place.restore()
      await open()
    },
    close: async () => {
      life += 1
      await inner.close()
      await place.remove()
    },
  }
}

interface StoreLocation {
  config: Parameters<typeof openStore>[0]
  backUp(): Promise<void>
  restore(): Promise<void>
  remove(): Promise<void>
}

function locationOnDisk(): StoreLocation {
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-test-'))
  const backup = join(directory, 'backup.db')
  const config = { engine: 'sqlite' as const, file: join(directory, 'region.db') }
  let restored = 0
  return {
    config,
    backUp: async () => {
      const database = new DatabaseSync(config.file)
      database.exec('pragma wal_checkpoint(truncate)')
      database.close()
      copyFileSync(config.file, backup)
    },
    // Under another name: this process may still have the old file mapped.
    restore: async () => {
      restored += 1
      config.file = join(directory, `region-${restored}.db`)
      copyFileSync(backup, config.file)
    },
    remove: async () => rmSync(directory, { recursive: true, force: true }),
  }
}

async function locationOnServer(name: string): Promise<StoreLocation> {
  const { url } = await createDatabase(name)
  return {
    config: { engine: 'postgres', url, connections: 4 },
    backUp: () =>
      administer([`drop database if exists ${name}_backup`, `create database ${name}_backup template ${name}`]),
    restore: () =>
      administer([`drop database if exists ${name} with (force)`, `create database ${name} template ${name}_backup`]),
    remove: () =>
      administer([
        `drop database if exists ${name} with (force)`,
        `drop database if exists ${name}_backup with (force)`,
      ]),
  }
}
