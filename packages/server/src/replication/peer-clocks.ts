import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import { findClockAhead, putClockAhead } from '../store/cursors.ts'
import type { Store } from '../store/store.ts'
import { createSkewWatch, type SkewWatch } from './clock-skew.ts'
import { pause } from './pause.ts'
import type { Peer } from './peer.ts'

/**
 * How far the clocks of other regions are ahead of the clock of this process. Measured by requests: the peer's time in a response
 * belongs to the middle of the request's time, give or take half of it. The shortest of the recent requests counts.
 */
export interface PeerClocks {
  /** Milliseconds; negative if the peer's clock is behind; undefined before the first contact. */
  ahead(peer: string): number | undefined
  skewed: SkewWatch['skewed']
  /** Measures until the signal fires. */
  run(signal: AbortSignal): Promise<void>
}

export interface ClockSample {
  /** Milliseconds by which the peer's clock is ahead. */
  ahead: number
  /** Half of the duration of the request: the largest possible error, in milliseconds. */
  error: number
}

const SAMPLES = 8
const SAMPLE_MILLISECONDS = 2_000
/** Clocks that are adjusted drift; a difference above the possible error and this means that one of them was set. */
const DRIFT_MILLISECONDS = 2
/** Smaller changes are not saved. */
const SAVED_MILLISECONDS = 5
/** The error that a saved value is taken to have: more than that of most requests, less than that of a slow one. */
const SAVED_ERROR_MILLISECONDS = 250

/** Chooses from the recent samples of one peer, oldest first. A sample that contradicts the others shows that a clock was set. */
export function addSample(recent: readonly ClockSample[], sample: ClockSample): ClockSample[] {
  const best = bestOf(recent)
  const contradicts =
    best !== undefined && Math.abs(sample.ahead - best.ahead) > sample.error + best.error + DRIFT_MILLISECONDS
  return contradicts ? [sample] : [...recent, sample].slice(-SAMPLES)
}

export const bestOf = (samples: readonly ClockSample[]): ClockSample | undefined =>
  samples.reduce<ClockSample | undefined>((best, next) => (best && best.error <= next.error ? best : next), undefined)

/** Starts with the values that this region measured last, so that a restart does not forget them. */
export async function openPeerClocks({
  store,
  clock,
  peers,
  events,
}: {
  store: Pick<Store, 'db' | 'transaction'>
  clock: Clock
  peers: ReadonlyMap<string, Pick<Peer, 'clock'>>
  events: Pick<Events, 'noted' | 'clockMeasured'>
}): Promise<PeerClocks> {
  const watch = createSkewWatch(events)
  const known = new Map<string, number>()
  const saved = new Map<string, number>()
  for (const peer of peers.keys()) {
    const ahead = await findClockAhead(store.db, peer)
    if (ahead === undefined) continue
    known.set(peer, ahead)
    saved.set(peer, ahead)
  }
  const save = async (peer: string, ahead: number): Promise<void> => {
    const before = saved.get(peer)
    if (before !== undefined && Math.abs(before - ahead) <= SAVED_MILLISECONDS) return
    await store.transaction((connection) => putClockAhead(connection, peer, ahead), { relaxed: true })
    saved.set(peer, ahead)
  }
  const measure = async (name: string, peer: Pick<Peer, 'clock'>, signal: AbortSignal): Promise<void> => {
    const value = saved.get(name)
    // Without it, a slow first request would replace the saved value.
    const seed = value === undefined ? undefined : { ahead: value, error: SAVED_ERROR_MILLISECONDS }
    let samples: ClockSample[] = seed ? [seed] : []
    while (!signal.aborted) {
      try {
        samples = addSample(samples, await peer.clock())
        const ahead = (bestOf(samples) as ClockSample).ahead
        known.set(name, ahead)
        watch.measured(name, bestOf(samples.filter((sample) => sample !== seed)) as ClockSample)
        await save(name, ahead)
      } catch {
        // The link to the peer reports why it cannot be reached.
      }
      await pause(clock, SAMPLE_MILLISECONDS, { signal })
    }
  }
  return {
    ahead: (peer) => known.get(peer),
    skewed: watch.skewed,
    run: async (signal) => {
      await Promise.all([...peers].map(([name, peer]) => measure(name, peer, signal)))
    },
  }
}
