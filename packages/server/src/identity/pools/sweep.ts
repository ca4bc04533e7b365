import type { Context } from '../../context.ts'
import { CognitoError } from '../../errors.ts'
import { SealBrokenError } from '../../keys/pool-keys.ts'
import { KeyUnavailableError } from '../../keys/provider.ts'

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

/**
 * Does the work of a sweep for one pool. Skips a pool while its key is disabled; reports a pool that somebody altered or deleted, so that
 * the sweep goes on with the next one.
 */
export async function attemptPool(
  { events }: Pick<Context, 'events'>,
  operation: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof SealBrokenError || error instanceof CognitoError) {
      events.failed({ operation, error, requestId: '' })
    } else if (!(error instanceof KeyUnavailableError)) throw error
  }
}
