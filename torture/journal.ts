/** The events and violations of a run; violations are printed at once. Times are milliseconds of Date.now(). */
export interface Journal {
  readonly violations: readonly string[]
  note(text: string): void
  violation(text: string): void
  count(what: string): void
  readonly counts: Readonly<Record<string, number>>
  /** The newest notes, oldest first. */
  tail(length: number): string[]
}

const KEPT = 2_000
const MOST_VIOLATIONS = 200

export function createJournal({ seed, print }: { seed: number; print: (line: string) => void }): Journal {
  const began = Date.now()
  const notes: string[] = []
  const violations: string[] = []
  const counts: Record<string, number> = {}
  const stamp = (): string => `${((Date.now() - began) / 1_000).toFixed(2).padStart(7)} s`
  const note = (text: string): void => {
    notes.push(`${stamp()}  ${text}`)
    if (notes.length > KEPT) notes.splice(0, KEPT / 2)
  }
  return {
    violations,
    counts,
    note,
    violation: (text) => {
      const line = `${stamp()}  VIOLATION (seed ${seed}): ${text}`
      note(`VIOLATION: ${text}`)
      if (violations.length < MOST_VIOLATIONS) violations.push(line)
      print(line)
    },
    count: (what) => {
      counts[what] = (counts[what] ?? 0) + 1
    },
    tail: (length) => notes.slice(-length),
  }
}
