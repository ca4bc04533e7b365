/** Calls between regions of this process that are held back, so that a test can act while a copy runs. */
export interface HeldCalls {
  /** The calls that are held now. */
  readonly waiting: URL[]
  /** Lets all calls pass, from now on. */
  release(): void
}

/** Holds the replication calls that match, until they are released. */
export function holdCalls(matches: (url: URL) => boolean): HeldCalls {
  const original = globalThis.fetch
  const { promise: released, resolve } = Promise.withResolvers<void>()
  const waiting: URL[] = []
  globalThis.fetch = async (input, init) => {
    const url = new URL(String(input instanceof Request ? input.url : input))
    if (url.pathname.startsWith('/replication/') && matches(url)) {
      waiting.push(url)
      const { promise: aborted, reject } = Promise.withResolvers<never>()
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason), { once: true })
      await Promise.race([released, aborted]).finally(() => waiting.splice(waiting.indexOf(url), 1))
    }
    return original(input, init)
  }
  return {
    waiting,
    release: () => {
      globalThis.fetch = original
      resolve()
    },
  }
}
