import { type CheckReport, checkConfiguration } from '@twinpool/server'
import { type Command, CommandError, readOptions } from './command.ts'

export const check: Command = {
  help: `twinpool check --config FILE

  Finds everything that 'twinpool serve' would refuse, and tries the store, the keys, the peers and the mail. Changes nothing; it may
  run beside the region. Exit code 0: no problem; 1: the report has a problem; 2: the check could not run.

  --config FILE   the region's configuration
  --json          one object on stdout: ok, region, findings
`,
  run: async (args) => {
    const options = readOptions(args, { config: { type: 'string' }, json: { type: 'boolean', default: false } })
    if (!options.config) throw new CommandError('--config FILE is required')
    const report = await checkConfiguration(options.config)
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : render(report))
    return report.ok ? 0 : 1
  },
}

function render({ ok, findings }: CheckReport): string {
  const width = Math.max(...findings.map(({ member }) => member.length))
  const lines = findings.map(
    (finding) => `  ${finding.ok ? 'ok   ' : 'ERROR'}  ${finding.member.padEnd(width)}  ${finding.detail}`,
  )
  const problems = findings.filter((finding) => !finding.ok).length
  const end = ok ? 'no problem found' : `${problems} problem${problems === 1 ? '' : 's'} found`
  return `${lines.join('\n')}\n\n${end}\n`
}
