import { type Figures, measure, type Work } from './load.ts'

/** A server under load, and what it is asked to do. */
export interface Subject {
  name: string
  endpoint: string
  pid: number
  work: Work
}

/** How one subject did: the medians of its rounds, and of the ratios of the first subject to it, round by round. */
export interface Standing extends Figures {
  name: string
  ratio: number
}

export interface Pace {
  rounds: number
  seconds: number
  warmUpSeconds: number
}

/**
 * Measures the subjects in turn, in several short rounds, so that whatever else the machine does meets all of them. Whoever
 * goes first in one round goes last in the next. The ratios are those within a round.
 */
export async function compare(
  subjects: readonly Subject[],
  { connections, pace }: { connections: number; pace: Pace },
): Promise<Standing[]> {
  const rounds: Map<Subject, Figures>[] = []
  for (const subject of subjects) await measure({ ...subject, connections, seconds: pace.warmUpSeconds })
  for (let round = 0; round < pace.rounds; round += 1) {
    const figures = new Map<Subject, Figures>()
    for (const subject of round % 2 === 0 ? subjects : subjects.toReversed()) {
      figures.set(subject, await measure({ ...subject, connections, seconds: pace.seconds }))
    }
    rounds.push(figures)
  }
  const first = subjects[0] as Subject
  const over = (read: (figures: Map<Subject, Figures>) => number): number => median(rounds.map(read))
  return subjects.map((subject) => ({
    name: subject.name,
    perSecond: over((round) => (round.get(subject) as Figures).perSecond),
    p50: over((round) => (round.get(subject) as Figures).p50),
    p99: over((round) => (round.get(subject) as Figures).p99),
    processor: over((round) => (round.get(subject) as Figures).processor),
    ratio: over((round) => (round.get(first) as Figures).perSecond / (round.get(subject) as Figures).perSecond),
  }))
}

/** The middle one of the values; the lower of the two middle ones when their number is even. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN
}
