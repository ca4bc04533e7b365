import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import type { Case, Measured } from './cases/case.ts'

const root = join(import.meta.dirname, '..')
const page = join(root, 'docs/benchmarks.md')
const drawings = join(root, 'docs/benchmarks')

const INTRODUCTION = `# Benchmarks

\`npm run bench\` writes this page; \`npm run bench -- <name>\` writes only the section with that name. \`--quick\` takes less than 40 seconds and writes nothing;
with \`--json\` the last line on stdout is \`{name, rows: [{what, peer, ours, theirs, ratio}]}\`; \`--store postgres\` starts a PostgreSQL.

Every server runs in its own process, on the same machine as the load generator, over the loopback interface. Ours and the peers alternate
in short rounds after a warm-up. The figures are medians of the rounds, and a ratio is the median of the ratios within a round. On a
machine with few cores, the load generator takes CPU time from every server alike. Absolute figures do not transfer to other machines; ratios transfer better.
`

/** Renders the section of one case. */
export function renderPart(
  { name, title }: Case,
  { table, notes, figures = [] }: Measured,
  { store, loadBefore }: { store: string; loadBefore: number },
): string {
  const widths = table.head.map((head, at) =>
    Math.max(head.length, ...table.lines.map((line) => line[at]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(Math.max(3, width))).join(' | ')} |`
  return [
    `## ${name}`,
    '',
    `${title}. ${notes.join(' ')}`,
    '',
    line(table.head),
    rule,
    ...table.lines.map(line),
    '',
    ...figures.flatMap(({ file, alt }) => [`![${alt}](benchmarks/${file})`, '']),
    `<sub>${describeMachine(store)}; load average before the run: ${loadBefore.toFixed(1)}</sub>`,
    '',
  ].join('\n')
}

/** Replaces sections of docs/benchmarks.md, in the order of the cases, and keeps the other sections. */
export function writePage(parts: ReadonlyMap<string, string>, order: readonly string[]): void {
  const present = readPage()
  const known = new Map(
    present
      .split(/^(?=## )/m)
      .slice(1)
      .map((part) => [/^## (\S+)/.exec(part)?.[1] ?? '', part]),
  )
  for (const [name, part] of parts) known.set(name, part)
  const names = [...new Set([...order, ...known.keys()])].filter((name) => known.has(name))
  writeFileSync(
    page,
    [INTRODUCTION, ...names.map((name) => known.get(name)?.trimEnd())]
      .join('\n')
      .concat('\n')
      .replaceAll('\n## ', '\n\n## ')
      .replaceAll('\n\n\n', '\n\n'),
  )
}

/** Writes the charts of a section to docs/benchmarks/. */
export function writeFigures({ figures = [] }: Measured): void {
  if (figures.length > 0) mkdirSync(drawings, { recursive: true })
  for (const { file, svg } of figures) writeFileSync(join(drawings, file), svg)
}

function readPage(): string {
  try {
    return readFileSync(page, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

function describeMachine(store: string): string {
  const [cpu] = cpus()
  const peers = JSON.parse(readFileSync(join(import.meta.dirname, 'package.json'), 'utf8')).dependencies as Record<
    string,
    string
  >
  const versions = Object.entries(peers).map(([name, version]) => `${name} ${version}`)
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  return [
    `${new Date().toISOString().slice(0, 10)}, commit ${commit()}`,
    `${cpu?.model.trim()}, ${availableParallelism()} cores, ${gigabytes} GB, ${type()} ${release()}`,
    `Node ${process.versions.node} (OpenSSL ${process.versions.openssl}), ${store}`,
    ...versions,
  ].join('; ')
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}
