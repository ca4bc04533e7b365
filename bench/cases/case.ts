import { compare, type Pace, type Subject, type SubjectFigures } from '../rounds.ts'
import type { Stage } from '../stage.ts'

/**
 * One line of the result. `ratio` is ours over theirs: for requests per second, higher is better; for milliseconds,
 * lower.
 */
export interface Row {
  what: string
  peer: string
  ours: number
  theirs: number
  ratio: number
}

/** The complete result of a case: the rows, and the table with the latencies. */
export interface Measured {
  rows: Row[]
  table: { head: string[]; lines: string[][] }
  /** Charts for docs/benchmarks/; `alt` is the text of the image. */
  figures?: { file: string; alt: string; svg: string }[]
  /** Notes for the reader, one sentence or more each. */
  notes: string[]
}

export interface Case {
  name: string
  title: string
  run(stage: Stage): Promise<Measured>
}

/**
 * Measures requests per second, p50 and p99 of ours and of the peers at each number of connections. The first subject
 * is ours.
 */
export async function compareAll(
  { pace, connections: numbers, say }: Pick<Stage, 'pace' | 'connections' | 'say'>,
  subjects: readonly Subject[],
  { notes = [], suffix = '' }: { notes?: string[]; suffix?: string } = {},
): Promise<Measured> {
  const rows: Row[] = []
  const lines: string[][] = []
  for (const connections of numbers) {
    const figures = await compare(subjects, { connections, pace: paceFor(pace, numbers.length) })
    const [ours, ...peers] = figures as [SubjectFigures, ...SubjectFigures[]]
    const what = `${connections} ${connections === 1 ? 'connection' : 'connections'}${suffix}`
    for (const peer of peers) {
      const row = {
        what,
        peer: peer.name,
        ours: round(ours.perSecond),
        theirs: round(peer.perSecond),
        ratio: round(peer.ratio),
      }
      rows.push(row)
      say(`${what}: ${row.ours}/s, ${row.peer} ${row.theirs}/s, ratio ${row.ratio}`)
    }
    for (const { name, perSecond, p50, p99, processor, ratio } of figures) {
      lines.push([
        what,
        name,
        shown(perSecond),
        shown(p50),
        shown(p99),
        shown(processor),
        name === ours.name ? '' : shown(ratio),
      ])
    }
  }
  return {
    rows,
    table: { head: ['', 'server', 'calls/s', 'p50 ms', 'p99 ms', 'CPU ms', 'ours : theirs'], lines },
    notes,
  }
}

/** Rounds to three significant digits: such a measurement is no more precise. */
export const round = (value: number): number => Number(value.toPrecision(3))
export const shown = (value: number): string => round(value).toLocaleString('en', { maximumFractionDigits: 3 })

const paceFor = (pace: Pace, numbers: number): Pace => (numbers === 1 ? { ...pace, rounds: pace.rounds * 2 + 1 } : pace)
