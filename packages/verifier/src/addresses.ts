import type { Clock } from './clock.ts'

/** An address that failed this recently is asked after the others. */
const UNHEALTHY_MS = 60_000

type Address = { readonly url: string; readonly rank: number; failedAt: number }

/**
 * The addresses that publish one key set, in the order of their authority. `ask` tries them until one answers: the next is
 * tried when one fails, or says nothing for `staggerMs`; the first answer wins and the others are abandoned.
 */
export function createAddresses(urls: readonly string[], { clock, staggerMs }: { clock: Clock; staggerMs: number }) {
  const addresses: Address[] = urls.map((url, rank) => ({ url, rank, failedAt: Number.NEGATIVE_INFINITY }))

  /** @throws AggregateError with the failure of each */
  function ask<Answer>(question: (url: string, signal: AbortSignal) => Promise<Answer>) {
    const now = clock.now()
    const unhealthy = ({ failedAt }: Address) => Number(now - failedAt < UNHEALTHY_MS)
    const order = [...addresses].sort((a, b) => unhealthy(a) - unhealthy(b) || a.rank - b.rank)
    const abandon = new AbortController()
    return new Promise<{ url: string; rank: number; answer: Answer }>((resolve, reject) => {
      const failures: unknown[] = []
      let settled = false
      let timer: unknown
      let next = 0

      const tryNext = () => {
        clock.clearTimeout(timer)
        const address = order[next++]
        if (settled || address === undefined) return
        if (next < order.length) {
          timer = clock.setTimeout(() => {
            address.failedAt = clock.now()
            tryNext()
          }, staggerMs)
        }
        question(address.url, abandon.signal).then(
          (answer) => {
            if (settled) return
            settled = true
            clock.clearTimeout(timer)
            address.failedAt = Number.NEGATIVE_INFINITY
            resolve({ url: address.url, rank: address.rank, answer })
            abandon.abort()
          },
          (error) => {
            if (settled) return
            address.failedAt = clock.now()
            failures.push(error)
            settled = failures.length === order.length
            if (settled) reject(new AggregateError(failures, 'No address served the keys'))
            else tryNext()
          },
        )
      }
      tryNext()
    })
  }

  return { ask }
}
