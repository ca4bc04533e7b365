import { sql } from 'kysely'
import type { Clock } from '../clock.ts'
import type { Engine } from './database.ts'

/**
 * Throttling state: counters for rate limits, used-once marks and waiting times. Not replicated, and lost in a crash. With
 * SQLite, which has one process, the state is in its memory; with PostgreSQL in an unlogged table, so all processes of the region
 * share it. The table has its name, `brakes`, from the first release: processes of two versions may use one database.
 */
export interface Throttling {
  /** Marks the name as used for `milliseconds`; returns false if it was marked already. */
  once(name: string, milliseconds: number): Promise<boolean>
  /** Increments a counter that restarts `milliseconds` after its first count; returns the count. */
  count(name: string, milliseconds: number): Promise<number>
  /** Reads and changes a small value under one lock; `undefined` removes it. */
  update<T>(name: string, change: Revise<T>): Promise<T | undefined>
  read<T>(name: string): Promise<T | undefined>
  release(name: string): Promise<void>
}

type Revise<T> = (present: T | undefined) => { value: T | undefined; milliseconds: number }
type Storage = Pick<Throttling, 'update' | 'read'>

const CAPACITY = 1_000_000
const SWEEP_EVERY = 10_000
/**
 * For the table: each sweep is small enough to run within a call, and removes more rows than the calls since the last one added.
 */
const SWEEP_TABLE_EVERY = 500
const SWEPT_ROWS = 1_000

export function createThrottling({
  engine,
  clock,
  capacity = CAPACITY,
}: {
  engine: Engine
  clock: Pick<Clock, 'now'>
  /** Maximum number of names in memory. */
  capacity?: number
}): Throttling {
  const { update, read } = engine.name === 'sqlite' ? inMemory(clock, capacity) : inTable(engine, clock)
  return {
    once: async (name, milliseconds) => {
      let fresh = false
      await update<boolean>(name, (present) => {
        fresh = present === undefined
        return { value: true, milliseconds: fresh ? milliseconds : KEEP }
      })
      return fresh
    },
    count: async (name, milliseconds) =>
      (await update<number>(name, (present) => ({
        value: (present ?? 0) + 1,
        milliseconds: present === undefined ? milliseconds : KEEP,
      }))) ?? 0,
    update,
    read,
    release: async (name) => {
      await update(name, () => ({ value: undefined, milliseconds: 0 }))
    },
  }
}

/** Keeps the time of expiry. */
const KEEP = -1

function inMemory(clock: Pick<Clock, 'now'>, capacity: number): Storage {
  const known = new Map<string, { value: unknown; expires: number }>()
  let calls = 0
  const read: Storage['read'] = async <T>(name: string) => {
    const entry = known.get(name)
    return entry && entry.expires > clock.now() ? (entry.value as T) : undefined
  }
  const update: Storage['update'] = async <T>(name: string, change: Revise<T>) => {
    const now = clock.now()
    calls += 1
    if (calls % SWEEP_EVERY === 0) for (const [key, entry] of known) if (entry.expires <= now) known.delete(key)
    // Drop the oldest, without a search for an expired one: losing throttling state is acceptable, unbounded memory and time are
    // not.
    if (known.size >= capacity && !known.has(name)) known.delete(known.keys().next().value as string)
    const entry = known.get(name)
    const alive = entry && entry.expires > now ? entry : undefined
    const { value, milliseconds } = change(alive?.value as T | undefined)
    if (value === undefined) known.delete(name)
    else known.set(name, { value, expires: milliseconds === KEEP && alive ? alive.expires : now + milliseconds })
    return value
  }
  return { read, update }
}

/** A sign-in marks its session as used: it must not wait for a standby. */
const UNLOGGED = { unlogged: true } as const

function inTable(engine: Engine, clock: Pick<Clock, 'now'>): Storage {
  let calls = 0
  const sweep = (now: number) =>
    engine.transaction(
      (tx) =>
        sql`delete from brakes where name in
        (select name from brakes where expires <= ${now} limit ${SWEPT_ROWS} for update skip locked)`.execute(tx),
      UNLOGGED,
    )
  const read: Storage['read'] = async <T>(name: string) => {
    const { rows } = await sql<{ value: string }>`
      select value from brakes where name = ${name} and expires > ${clock.now()}`.execute(engine.reader)
    return rows[0] && (JSON.parse(rows[0].value) as T)
  }
  const update: Storage['update'] = async <T>(name: string, change: Revise<T>) => {
    const now = clock.now()
    calls += 1
    if (calls % SWEEP_TABLE_EVERY === 0) await sweep(now)
    return engine.transaction(async (tx) => {
      await engine.lock(tx, [`brake\n${name}`])
      const { rows } = await sql<{ value: string; expires: number }>`
        select value, expires from brakes where name = ${name} and expires > ${now}`.execute(tx)
      const alive = rows[0]
      const { value, milliseconds } = change(alive && (JSON.parse(alive.value) as T))
      if (value === undefined) {
        if (alive) await sql`delete from brakes where name = ${name}`.execute(tx)
        return undefined
      }
      const expires = milliseconds === KEEP && alive ? alive.expires : now + milliseconds
      const text = JSON.stringify(value)
      if (text !== alive?.value || expires !== alive.expires) {
        await sql`
          insert into brakes (name, value, expires) values (${name}, ${text}, ${expires})
          on conflict (name) do update set value = excluded.value, expires = excluded.expires`.execute(tx)
      }
      return value
    }, UNLOGGED)
  }
  return { read, update }
}
