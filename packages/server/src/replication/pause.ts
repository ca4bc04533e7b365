import type { Clock } from '../clock.ts'

/** Why nobody waits any more; made once, for most waits end like this. */
const OVER = new DOMException('the wait is over', 'AbortError')

/** Resolves when the time is over, when the signal fires, or with `until`, whichever comes first; leaves nothing behind. */
export async function pause(
  clock: Pick<Clock, 'wait'>,
  milliseconds: number,
  { signal, until }: { signal: AbortSignal; until?: Promise<unknown> },
): Promise<void> {
  if (signal.aborted) return
  // A signal of its own: what hangs on one that lives as long as the process would pile up.
  const over = new AbortController()
  const abort = (): void => over.abort(OVER)
  signal.addEventListener('abort', abort, { once: true })
  const waited = clock.wait(milliseconds, over.signal).catch(() => {})
  try {
    await (until ? Promise.race([waited, until]) : waited)
  } finally {
    signal.removeEventListener('abort', abort)
    over.abort(OVER)
  }
}
