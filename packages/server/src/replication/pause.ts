import type { Clock } from '../clock.ts'

/** The abort reason of the inner wait. Shared, because nearly every wait ends with it. */
const WAIT_OVER = new DOMException('the wait is over', 'AbortError')

/** Resolves after the time, when the signal fires, or with `until`, whichever comes first. Leaves no timer or listener behind. */
export async function pause(
  clock: Pick<Clock, 'wait'>,
  milliseconds: number,
  { signal, until }: { signal: AbortSignal; until?: Promise<unknown> },
): Promise<void> {
  if (signal.aborted) return
  // A signal per wait: listeners on a signal that lives as long as the process would accumulate.
  const over = new AbortController()
  const abort = (): void => over.abort(WAIT_OVER)
  signal.addEventListener('abort', abort, { once: true })
  const waited = clock.wait(milliseconds, over.signal).catch(() => {})
  try {
    await (until ? Promise.race([waited, until]) : waited)
  } finally {
    signal.removeEventListener('abort', abort)
    over.abort(WAIT_OVER)
  }
}
