import type { Clock } from './clock.ts'

/** For this long after a failure, an address is tried after the others. */
const UNHEALTHY_MS = 60_000

type Address = { readonly url: string; readonly rank: number; failedAt: number }

/**
 * The addresses that publish one key set, in order of authority. `fetchFirst` returns the first success and aborts the
 * other requests. It tries the next address when one fails or does not respond within `staggerMs`.
 */
export function createAddresses(urls: readonly string[], { clock, staggerMs }: { clock: Clock; staggerMs: number }) {
  const addresses: Address[] = urls.map((url, rank) => ({ url, rank, failedAt: Number.NEGATIVE_INFINITY }))

  /** @throws AggregateError with the failure of each address */
  function fetchFirst<Result>(request: (url: string, signal: AbortSignal) => Promise<Result>) {
    const now = clock.now()
    const unhealthy = ({ failedAt }: Address) => Number(now - failedAt < UNHEALTHY_MS)
    const order = [...addresses].sort((a, b) => unhealthy(a) - unhealthy(b) || a.rank - b.rank)
    const abort = new AbortController()
    return new Promise<{ url: string; rank: number; result: Result }>((resolve, reject) => {
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
        request(address.url, abort.signal).then(
          (result) => {
            if (settled) return
            settled = true
            clock.clearTimeout(timer)
            address.failedAt = Number.NEGATIVE_INFINITY
            resolve({ url: address.url, rank: address.rank, result })
            abort.abort()
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

  return { fetchFirst }
}
