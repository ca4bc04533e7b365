import { type Clock, systemClock } from '@twinpool/server'
import { type Command, CommandError, readOptions } from '../command.ts'
import { serveRegion } from '../serve.ts'

/** What a development plane tells its regions. */
export interface ClockOrder {
  /** How far the region's clock is to be ahead of the machine's from now on, in milliseconds; negative: behind. */
  aheadMilliseconds: number
}

/** One region of a development plane: as `twinpool serve`, on a clock that the plane may set wrong. */
export const devRegion: Command = {
  help: `twinpool dev-region --config FILE --ahead MILLISECONDS

  What 'twinpool dev' starts for each region. Use 'twinpool serve' to run a region.
`,
  run: async (args) => {
    const { config, ahead } = readOptions(args, {
      config: { type: 'string' },
      ahead: { type: 'string', default: '0' },
    })
    if (!config) throw new CommandError('--config FILE is needed')
    const clock = steppedClock(Number(ahead))
    process.on('message', (order: ClockOrder) => clock.step(order.aheadMilliseconds))
    try {
      return await serveRegion({ file: config, json: true, clock })
    } finally {
      // A listener for messages keeps the process alive.
      if (process.connected) process.disconnect()
    }
  },
}

/** The machine's clock, so many milliseconds ahead; what is monotonic stays so. */
export function steppedClock(aheadMilliseconds: number): Clock & { step(aheadMilliseconds: number): void } {
  let ahead = aheadMilliseconds
  return {
    ...systemClock,
    now: () => systemClock.now() + ahead,
    step: (milliseconds) => {
      ahead = milliseconds
    },
  }
}
