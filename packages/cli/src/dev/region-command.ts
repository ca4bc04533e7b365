import { type Clock, systemClock } from '@twinpool/server'
import { type Command, CommandError, readOptions } from '../command.ts'
import { serveRegion } from '../serve.ts'

/** The message with which a development plane sets the clock of a region. */
export interface ClockOrder {
  /** How far the region's clock runs ahead of the machine's clock from now on, in milliseconds; negative: behind. */
  aheadMilliseconds: number
}

/** One region of a development plane: like `twinpool serve`, with a clock that the plane can shift. */
export const devRegion: Command = {
  help: `twinpool dev-region --config FILE --ahead MILLISECONDS

  Internal command of 'twinpool dev', for each of its regions. Use 'twinpool serve' to run a region.
`,
  run: async (args) => {
    const { config, ahead } = readOptions(args, {
      config: { type: 'string' },
      ahead: { type: 'string', default: '0' },
    })
    if (!config) throw new CommandError('--config FILE is required')
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

/** The machine's clock, shifted by a number of milliseconds; `monotonic` is not shifted. */
function steppedClock(aheadMilliseconds: number): Clock & { step(aheadMilliseconds: number): void } {
  let ahead = aheadMilliseconds
  return {
    ...systemClock,
    now: () => systemClock.now() + ahead,
    step: (milliseconds) => {
      ahead = milliseconds
    },
  }
}
