import type { Exchange, Work } from '../load.ts'

/** Sends the exchanges in rotation over all rounds. If `exchanges` is a function, calls it before each request. */
export function inTurn(exchanges: readonly Exchange[] | (() => readonly Exchange[])): Work {
  const currentList = typeof exchanges === 'function' ? exchanges : () => exchanges
  let turn = 0
  return async (send) => {
    const list = currentList()
    turn += 1
    await send(list[turn % list.length] as Exchange)
  }
}
