import type { Exchange, Work } from '../load.ts'

/** Sends the exchanges in turn; a function is asked for them each time. */
export function inTurn(exchanges: readonly Exchange[] | (() => readonly Exchange[])): Work {
  const present = typeof exchanges === 'function' ? exchanges : () => exchanges
  return async (send, turn) => {
    const list = present()
    await send(list[turn % list.length] as Exchange)
  }
}
