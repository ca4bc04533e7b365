import type { Context } from '../../context.ts'

/** Runs `sweep` at once, then periodically, until the signal aborts. Reports a failed sweep; the next one tries again. */
export async function sweepPeriodically(
  { clock, events }: Pick<Context, 'clock' | 'events'>,
  { operation, milliseconds, sweep }: { operation: string; milliseconds: number; sweep: () => Promise<void> },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sweep().catch((error: unknown) => events.failed({ operation, error, requestId: '' }))
    await clock.wait(milliseconds, signal).catch(() => {})
  }
}
