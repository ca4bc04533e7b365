import type { Clock } from '../clock.ts'
import { addSample, bestOf, type ClockSample } from '../clock-samples.ts'
import type { Events } from '../events/events.ts'
import { findClockAhead, putClockAhead } from '../store/cursors.ts'
import type { Store } from '../store/store.ts'
import { createSkewWatch, type SkewWatch } from './clock-skew.ts'
import { pause } from './pause.ts'
import type { Peer } from './peer.ts'

/**
 * How far the clocks of other regions are ahead of the clock of this process, measured by requests (clock-samples.ts). The shortest of
 * the recent requests counts.
 */
export interface PeerClocks {
  /** Milliseconds; negative if the peer's clock is behind; undefined before the first contact. */
  ahead(peer: string): number | undefined
  skewed: SkewWatch['skewed']
  /** Measures until the signal fires. */
  run(signal: AbortSignal): Promise<void>
}

const SAMPLE_MILLISECONDS = 2_000
/** Smaller changes are not saved. */
const SAVED_MILLISECONDS = 5
/** The error that a saved value is taken to have: more than that of most requests, less than that of a slow one. */
const SAVED_ERROR_MILLISECONDS = 250

/**
 * Starts with the values that this region measured last, so that a restart does not forget them. They are relative to the region's
 * clock, because the clocks of its processes differ.
 */
export async function openPeerClocks({
  store,
  clock,
  regionClock,
  peers,
  events,
}: {
  store: Pick<Store, 'db' | 'transaction'>
  clock: Clock
  regionClock: Pick<Clock, 'now'>
  peers: ReadonlyMap<string, Pick<Peer, 'clock'>>
  events: Pick<Events, 'noted' | 'clockMeasured'>
}): Promise<PeerClocks> {
  const watch = createSkewWatch(events)
  const known = new Map<string, number>()
  const saved = new Map<string, number>()
  const ownAhead = (): number => clock.now() - regionClock.now()
  for (const peer of peers.keys()) {
    const ahead = await findClockAhead(store.db, peer)
    if (ahead === undefined) continue
    known.set(peer, ahead - ownAhead())
    saved.set(peer, ahead)
  }
  const save = async (peer: string, known: number): Promise<void> => {
    const before = saved.get(peer)
    const ahead = known + ownAhead()
    if (before !== undefined && Math.abs(before - ahead) <= SAVED_MILLISECONDS) return
    await store.transaction((connection) => putClockAhead(connection, peer, ahead), { relaxed: true })
    saved.set(peer, ahead)
  }
  const measure = async (name: string, peer: Pick<Peer, 'clock'>, signal: AbortSignal): Promise<void> => {
    const value = known.get(name)
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
