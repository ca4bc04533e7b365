import { type Figures, measure, type Work } from './load.ts'

/** A server under load, and the work to send it. */
export interface Subject {
  name: string
  endpoint: string
  pid: number
  work: Work
}

/** Result of one subject: the medians over the rounds, and the median ratio of the first subject to this one. */
export interface SubjectFigures extends Figures {
  name: string
  ratio: number
}

export interface Pace {
  rounds: number
  seconds: number
  warmUpSeconds: number
}

/**
 * Measures the subjects alternately in several short rounds, so that other load on the machine affects all of them. Each
 * round reverses the order of the one before. Ratios are computed within a round.
 */
export async function compare(
  subjects: readonly Subject[],
  { connections, pace }: { connections: number; pace: Pace },
): Promise<SubjectFigures[]> {
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

/** The median of the values; for an even count, the lower of the two middle values. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN
}
