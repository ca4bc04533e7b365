import type { ClockSample } from '../clock-samples.ts'
import type { Events } from '../events/events.ts'

/** The greatest difference between the clocks of two regions at which sign-outs hold. */
const TOLERATED_MILLISECONDS = 5_000
/** Below the limit, so that a difference around the limit is not reported again with each measurement. */
const AGREED_MILLISECONDS = 4_500

/** A peer whose clock differs by more than is tolerated. */
export interface ClockSkew {
  peer: string
  /** Negative if the peer's clock is behind. */
  aheadSeconds: number
}

export interface SkewWatch {
  measured(peer: string, sample: ClockSample): void
  /** The peers whose clocks differ too much, as last measured. */
  skewed(): ClockSkew[]
}

/**
 * Reports when the clock of a peer and that of this process begin to differ too much, and when they agree again. Either must be certain,
 * whatever the error of the sample: a slow request changes nothing.
 */
export function createSkewWatch(events: Pick<Events, 'noted' | 'clockMeasured'>): SkewWatch {
  const skews = new Map<string, ClockSkew>()
  return {
    measured: (peer, { ahead, error }) => {
      const skew = { peer, aheadSeconds: toSeconds(ahead) }
      const measurement = { ...skew, uncertaintySeconds: toSeconds(error) }
      events.clockMeasured(measurement)
      const before = skews.has(peer)
      const differs = before
        ? Math.abs(ahead) + error >= AGREED_MILLISECONDS
        : Math.abs(ahead) - error > TOLERATED_MILLISECONDS
      if (differs) skews.set(peer, skew)
      else skews.delete(peer)
      if (differs !== before) events.noted(differs ? 'clocks-differ' : 'clocks-agree', measurement)
    },
    skewed: () => [...skews.values()],
  }
}

const toSeconds = (milliseconds: number): number => Math.round(milliseconds) / 1_000
