import { hash } from 'node:crypto'
import { sql } from 'kysely'
import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import { type Engine, StoreFullError } from './database.ts'

/** Checks that a store can be read and written. */
export interface Probe {
  /** Must be called after every transaction: after a recent write, the probe does not need its own. */
  transactionEnded(outcome: 'committed' | 'failed'): void
  /** Must be called with the error of every failed transaction. */
  failed(error: unknown): void
  /** Rejects with the reason. Concurrent callers share one attempt. */
  check(): Promise<void>
}

/** The probe writes when the last successful write is older than this or a transaction failed: a full disk can still be read. */
const FRESH_MILLISECONDS = 5_000
/** On a full disk, small writes succeed in pages that have room: a disk has space again when this much can be added. */
const SPACE_BYTES = 64 * 1024

export function createProbe(
  engine: Pick<Engine, 'reader' | 'transaction'>,
  { clock, events }: { clock: Pick<Clock, 'now'>; events: Pick<Events, 'noted'> | undefined },
): Probe {
  let writtenAt = Number.NEGATIVE_INFINITY
  let full = false
  let checking: Promise<void> | undefined

  const failed = (error: unknown): void => {
    if (!(error instanceof StoreFullError)) return
    if (!full) events?.noted('store-full', { why: error.message })
    full = true
  }
  const attempt = async (): Promise<void> => {
    await sql`select version from schema_version`.execute(engine.reader)
    const now = clock.now()
    const wasFull = full
    if (!wasFull && Math.abs(now - writtenAt) < FRESH_MILLISECONDS) return
    try {
      await engine.transaction(async (tx) => {
        await sql`
          insert into facts (name, value) values ('probe', ${wasFull ? ballast() : String(now)})
          on conflict (name) do update set value = excluded.value`.execute(tx)
        if (wasFull) await sql`update facts set value = ${String(now)} where name = 'probe'`.execute(tx)
      })
    } catch (error) {
      failed(error)
      throw error
    }
    writtenAt = now
    if (!wasFull) return
    full = false
    events?.noted('store-writable', {})
  }

  return {
    transactionEnded: (outcome) => {
      writtenAt = outcome === 'committed' ? clock.now() : Number.NEGATIVE_INFINITY
    },
    failed,
    check: () => {
      checking ??= attempt().finally(() => {
        checking = undefined
      })
      return checking
    },
  }
}

/** Text that PostgreSQL cannot compress. */
function ballast(): string {
  const parts = Array.from({ length: SPACE_BYTES / 64 }, (_, at) => hash('sha512', String(at), 'base64'))
  return parts.join('')
}
