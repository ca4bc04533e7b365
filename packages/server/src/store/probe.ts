import { sql } from 'kysely'
import type { Clock } from '../clock.ts'
import type { Engine } from './database.ts'

/** Checks that a store can be read and written. */
export interface Probe {
  /** Must be called after every transaction: after a recent write, the probe does not need its own. */
  transactionEnded(outcome: 'committed' | 'failed'): void
  /** Rejects with the reason. Concurrent callers share one attempt. */
  check(): Promise<void>
}

/** The probe writes when the last successful write is older than this or a transaction failed: a full disk can still be read. */
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
    transactionEnded: (outcome) => {
      writtenAt = outcome === 'committed' ? clock.now() : Number.NEGATIVE_INFINITY
    },
    check: () => {
      checking ??= attempt().finally(() => {
        checking = undefined
      })
      return checking
    },
  }
}
