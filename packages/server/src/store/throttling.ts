import { sql } from 'kysely'
import type { Clock } from '../clock.ts'
import type { Engine } from './database.ts'
import type { ThrottlingFile } from './throttling-file.ts'

/**
 * Throttling state: counters for rate limits, used-once marks and waiting times. Not replicated. With SQLite, which has one process, the
 * state is in its memory, and what must survive a restart is also in a file (throttling-file.ts); with PostgreSQL in an unlogged table,
 * so all processes of the region share it. The table has its name, `brakes`, from the first release: processes of two versions may use
 * one database.
 */
export interface Throttling {
  /** Marks the name as used for `milliseconds`; returns false if it was marked already. Throws BudgetFullError. */
  once(name: string, milliseconds: number): Promise<boolean>
  /** Increments a counter that restarts `milliseconds` after its first count; returns the count. */
  count(name: string, milliseconds: number): Promise<number>
  /** Reads and changes a small value under one lock; `undefined` removes it. Throws BudgetFullError. */
  update<T>(name: string, change: Revise<T>, kind?: ThrottlingKind): Promise<T | undefined>
  read<T>(name: string): Promise<T | undefined>
  release(name: string): Promise<void>
  /** Whether a new entry of this kind is accepted. */
  hasRoom(kind: ThrottlingKind): boolean
}

type Revise<T> = (present: T | undefined) => { value: T | undefined; milliseconds: number }
type Storage = Pick<Throttling, 'read' | 'hasRoom'> & {
  update<T>(name: string, change: Revise<T>, kind: ThrottlingKind): Promise<T | undefined>
}

/**
 * Kinds of entries in memory. Each has a budget of its own, so that a flood of one kind pushes out no other.
 *
 * entries  the budget
 * full     evict: a new entry replaces the oldest one of its kind; refuse: it is refused, because a lost entry would let a session be used
 *          again, or a password be guessed without limit
 * lasting  survives a restart
 */
// biome-ignore format: a table
const KINDS = {
  used:            { entries: 300_000, full: 'refuse', lasting: true },
  lockout:         { entries: 250_000, full: 'refuse', lasting: true },
  // Of names that no user has: anybody can make any number of these.
  'decoy-lockout': { entries: 150_000, full: 'evict',  lasting: true },
  counter:         { entries: 300_000, full: 'evict',  lasting: false },
} as const satisfies Record<string, { entries: number; full: 'evict' | 'refuse'; lasting: boolean }>

export type ThrottlingKind = keyof typeof KINDS
const kindNames = Object.keys(KINDS) as ThrottlingKind[]
const isKind = (word: string): word is ThrottlingKind => Object.hasOwn(KINDS, word)

/** The budget of a kind of entries is full, and losing one of them would be worse than refusing the call. */
export class BudgetFullError extends Error {
  constructor(kind: ThrottlingKind) {
    super(`there is no room for another entry of the kind ${kind}`)
    this.name = 'BudgetFullError'
  }
}

const SWEEP_EVERY = 10_000
/** A full budget is swept at most this often: a sweep takes tens of milliseconds. */
const SWEEP_FULL_MILLISECONDS = 1_000
/**
 * For the table: each sweep is small enough to run within a call, and removes more rows than the calls since the last one added.
 */
const SWEEP_TABLE_EVERY = 500
const SWEPT_ROWS = 1_000

export function createThrottling({
  engine,
  clock,
  budgets = {},
}: {
  engine: Engine
  clock: Pick<Clock, 'now'>
  /** Maximum numbers of entries in memory, where they differ from KINDS. */
  budgets?: Partial<Record<ThrottlingKind, number>>
}): Throttling {
  const { update, read, hasRoom } =
    engine.name === 'sqlite'
      ? inMemory(clock, { budgets, file: engine.openThrottlingFile?.() })
      : inTable(engine, clock)
  return {
    once: async (name, milliseconds) => {
      let fresh = false
      await update<boolean>(
        name,
        (present) => {
          fresh = present === undefined
          return { value: true, milliseconds: fresh ? milliseconds : KEEP }
        },
        'used',
      )
      return fresh
    },
    count: async (name, milliseconds) =>
      (await update<number>(
        name,
        (present) => ({
          value: (present ?? 0) + 1,
          milliseconds: present === undefined ? milliseconds : KEEP,
        }),
        'counter',
      )) ?? 0,
    update: (name, change, kind = 'counter') => update(name, change, kind),
    read,
    release: async (name) => {
      await update(name, () => ({ value: undefined, milliseconds: 0 }), 'counter')
    },
    hasRoom,
  }
}

/** Keeps the time of expiry. */
const KEEP = -1

type Entries = Map<string, { value: unknown; expires: number }>

function inMemory(
  clock: Pick<Clock, 'now'>,
  { budgets, file }: { budgets: Partial<Record<ThrottlingKind, number>>; file: ThrottlingFile | undefined },
): Storage {
  const all = new Map<ThrottlingKind, Entries>(kindNames.map((kind) => [kind, new Map()]))
  const entriesOf = (kind: ThrottlingKind): Entries => all.get(kind) as Entries
  const swept = new Map<ThrottlingKind, number>()
  let calls = 0
  for (const { name, kind, value, expires } of file?.load(clock.now()) ?? []) {
    if (isKind(kind)) entriesOf(kind).set(name, { value, expires })
  }
  const forget = (kind: ThrottlingKind, names: readonly string[]): void => {
    for (const name of names) entriesOf(kind).delete(name)
    if (KINDS[kind].lasting && names.length > 0) file?.remove(names)
  }
  const sweep = (kind: ThrottlingKind, now: number): void => {
    swept.set(kind, now)
    forget(
      kind,
      [...entriesOf(kind)].flatMap(([name, { expires }]) => (expires <= now ? name : [])),
    )
  }
  const isFull = (kind: ThrottlingKind): boolean => entriesOf(kind).size >= (budgets[kind] ?? KINDS[kind].entries)
  const hasRoom = (kind: ThrottlingKind): boolean => {
    if (!isFull(kind) || KINDS[kind].full === 'evict') return true
    const now = clock.now()
    if (now - (swept.get(kind) ?? Number.NEGATIVE_INFINITY) >= SWEEP_FULL_MILLISECONDS) sweep(kind, now)
    return !isFull(kind)
  }
  const find = (name: string): { kind: ThrottlingKind; value: unknown; expires: number } | undefined => {
    for (const [kind, entries] of all) {
      const entry = entries.get(name)
      if (entry) return { kind, ...entry }
    }
    return undefined
  }
  const read: Storage['read'] = async <T>(name: string) => {
    const entry = find(name)
    return entry && entry.expires > clock.now() ? (entry.value as T) : undefined
  }
  const update: Storage['update'] = async <T>(name: string, change: Revise<T>, wanted: ThrottlingKind) => {
    const now = clock.now()
    calls += 1
    if (calls % SWEEP_EVERY === 0) for (const kind of kindNames) sweep(kind, now)
    const entry = find(name)
    const alive = entry && entry.expires > now ? entry : undefined
    const kind = entry?.kind ?? wanted
    const { value, milliseconds } = change(alive?.value as T | undefined)
    if (value === undefined) {
      if (entry) forget(kind, [name])
      return value
    }
    if (!entry && !hasRoom(kind)) throw new BudgetFullError(kind)
    if (!entry && isFull(kind)) forget(kind, [entriesOf(kind).keys().next().value as string])
    const expires = milliseconds === KEEP && alive ? alive.expires : now + milliseconds
    entriesOf(kind).set(name, { value, expires })
    if (KINDS[kind].lasting) file?.put({ name, kind, value, expires })
    return value
  }
  return { read, update, hasRoom }
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
  // The table never evicts: rows leave it when they have expired.
  return { read, update, hasRoom: () => true }
}
