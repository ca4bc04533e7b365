/** Does the work for each item, at most `width` at once. @throws the first error of the work */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]()
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of rest) await work(item)
    }),
  )
}

/** Polls until the condition holds. @throws Error after `seconds` */
export async function until(
  condition: () => Promise<boolean>,
  { seconds, what }: { seconds: number; what: string },
): Promise<void> {
  const deadline = performance.now() + seconds * 1_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`timed out after ${seconds} s waiting for ${what}`)
    await pause(20)
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
