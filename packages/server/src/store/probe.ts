import { sql } from 'kysely'
import type { Clock } from '../clock.ts'
import type { Engine } from './database.ts'

/** Whether a store can be read and written. */
export interface Probe {
  /** To be told of every transaction: what was just written need not be tried. */
  ended(how: 'committed' | 'failed'): void
  /** Rejects with what is wrong. One try at a time, however many ask. */
  check(): Promise<void>
}

/** After so long without a write, or after one that failed, a write is tried: a disk can be read when it is full. */
const FRESH_MILLISECONDS = 5_000

export function createProbe(engine: Engine, clock: Pick<Clock, 'now'>): Probe {
  let writtenAt = Number.NEGATIVE_INFINITY
  let checking: Promise<void> | undefined

  const attempt = async (): Promise<void> => {
    await sql`select version from schema_version`.execute(engine.reader)
    const now = clock.now()
    if (Math.abs(now - writtenAt) < FRESH_MILLISECONDS) return
    await engine.transaction((tx) =>
      sql`
        insert into facts (name, value) values ('probe', ${String(now)})
        on conflict (name) do update set value = excluded.value`.execute(tx),
    )
    writtenAt = now
  }

  return {
    ended: (how) => {
      writtenAt = how === 'committed' ? clock.now() : Number.NEGATIVE_INFINITY
    },
    check: () => {
      checking ??= attempt().finally(() => {
        checking = undefined
      })
      return checking
    },
  }
}
