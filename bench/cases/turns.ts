import type { Exchange, Work } from '../load.ts'

/** Sends the exchanges in turn, on and on over all rounds; a function is asked for them each time. */
export function inTurn(exchanges: readonly Exchange[] | (() => readonly Exchange[])): Work {
  const present = typeof exchanges === 'function' ? exchanges : () => exchanges
  let turn = 0
  return async (send) => {
    const list = present()
    turn += 1
    await send(list[turn % list.length] as Exchange)
  }
}
