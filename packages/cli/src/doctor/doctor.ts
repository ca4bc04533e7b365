import { join } from 'node:path'
import { type Command, readOptions, wholeNumber } from '../command.ts'
import { DEFAULT_PORT } from '../invocation.ts'
import { type Check, checkDataFolder, checkNode, checkPorts, checkPostgres, checkSdk } from './checks.ts'

export const doctor: Command = {
  help: `twinpool doctor [options]

  Checks whether this machine can run 'twinpool dev': Node and the AWS SDK, ports, the data folder, PostgreSQL. Prints a fix for each
  fault. Exit code 0: no fault; 1: a fault was found; 2: the checks could not run.

  --port N      control port; regions take the next ones         (${DEFAULT_PORT})
  --regions N   how many regions                                 (2)
  --data DIR    where the regions would keep their data          (.twinpool)
  --json        the report as one object on stdout
`,
  run: async (args) => {
    const options = readOptions(args, {
      port: { type: 'string', default: String(DEFAULT_PORT) },
      regions: { type: 'string', default: '2' },
      data: { type: 'string', default: join(process.cwd(), '.twinpool') },
      json: { type: 'boolean', default: false },
    })
    const port = wholeNumber('port', options.port, { least: 1, most: 65_000 })
    const regions = wholeNumber('regions', options.regions, { least: 1, most: 20 })
    const checks = [
      checkNode(),
      ...(await checkSdk()),
      ...(await checkPorts(port, regions)),
      await checkDataFolder(options.data),
      await checkPostgres(),
    ]
    const ok = checks.every((check) => check.ok)
    process.stdout.write(options.json ? `${JSON.stringify({ ok, checks })}\n` : render(checks))
    return ok ? 0 : 1
  },
}

function render(checks: Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length))
  const lines = checks.flatMap(({ name, ok, detail, fix }) => [
    `  ${ok ? 'ok   ' : 'FAULT'}  ${name.padEnd(width)}  ${detail.replaceAll('\n', `\n${' '.repeat(width + 11)}`)}`,
    ...(fix === undefined ? [] : [`         ${' '.repeat(width)}  Fix: ${fix}`]),
  ])
  const faults = checks.filter(({ ok }) => !ok).length
  const verdict =
    faults === 0 ? 'No fault was found.' : `${faults} ${faults === 1 ? 'fault was' : 'faults were'} found.`
  return `\n${lines.join('\n')}\n\n  ${verdict}\n\n`
}
