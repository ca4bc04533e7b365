import { loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Row } from './cases/case.ts'
import { cases } from './cases.ts'
import { ensurePeers } from './peers-installed.ts'
import { renderPart, writeFigures, writePage } from './report.ts'
import { openStage } from './stage.ts'

const usage = `npm run bench [-- [name…] [--quick] [--json] [--store sqlite|postgres] [--connections 1,16,64] [--profile]]

${cases.map(({ name, title }) => `  ${name.padEnd(16)} ${title}`).join('\n')}

  --quick     less than 40 s per name; does not change docs/benchmarks.md
  --json      the last line on stdout is {name, rows: [{what, peer, ours, theirs, ratio}]}
  --store     the store engine of our server (default: sqlite)
  --connections  numbers of concurrent connections, unless the case sets its own
  --profile   write CPU profiles of our server to .twinpool/profiles; does not change docs/benchmarks.md
`

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      store: { type: 'string', default: 'sqlite' },
      connections: { type: 'string', default: '1,16,64' },
      profile: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const unknown = positionals.filter((name) => !cases.some((one) => one.name === name))
  const { quick, store } = values
  if (values.help || unknown.length > 0 || (store !== 'sqlite' && store !== 'postgres')) {
    process.stderr.write(usage)
    return values.help ? 0 : 2
  }
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  ensurePeers(say)
  const chosen = positionals.length > 0 ? cases.filter(({ name }) => positionals.includes(name)) : cases
  const profiles = values.profile ? join(import.meta.dirname, '../.twinpool/profiles') : undefined
  const connections = values.connections.split(',').map(Number)
  const rows: Row[] = []
  for (const one of chosen) {
    const stage = openStage({ quick, store, profiles, connections }, (line) => say(`  ${line}`))
    try {
      say(one.name)
      const loadBefore = loadavg()[0] as number
      const measured = await one.run(stage)
      const part = renderPart(one, measured, { store, loadBefore })
      rows.push(
        ...measured.rows.map((row) => ({ ...row, what: chosen.length > 1 ? `${one.name}, ${row.what}` : row.what })),
      )
      process.stdout.write(`\n${part}`)
      if (!quick && !values.profile) {
        writeFigures(measured)
        writePage(
          new Map([[one.name, part]]),
          cases.map(({ name }) => name),
        )
      }
    } finally {
      await stage.close()
    }
  }
  const name = positionals.length > 0 ? positionals.join(' ') : 'all'
  if (values.json) process.stdout.write(`${JSON.stringify({ name, rows })}\n`)
  return 0
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.stack : String(error)}\n`)
  return 2
})
