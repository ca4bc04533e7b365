import { type Command, CommandError } from './command.ts'
import { invocation } from './invocation.ts'
import { version } from './version.ts'

/** Each command is loaded when it runs: the server alone takes most of a second of CPU time, and `dev` runs without it. */
const commands: Record<string, () => Promise<Command>> = {
  dev: async () => (await import('./dev/dev.ts')).dev,
  pool: async () => (await import('./pool/pool.ts')).pool,
  drill: async () => (await import('./drill.ts')).drill,
  doctor: async () => (await import('./doctor/doctor.ts')).doctor,
  serve: async () => (await import('./serve.ts')).serve,
  check: async () => (await import('./check.ts')).check,
  rekey: async () => (await import('./rekey.ts')).rekey,
  'dev-region': async () => (await import('./dev/region-command.ts')).devRegion,
}

const usage = `twinpool ${version}: user pools that survive the loss of a region

  twinpool dev      two regions on this machine, with a control port
  twinpool pool     a pool with a replica, in a running 'twinpool dev'
  twinpool drill    kill the primary under load, measure what happens
  twinpool doctor   check whether this machine can run 'twinpool dev'
  twinpool serve    one region, from a configuration file
  twinpool check    find what 'twinpool serve' would refuse
  twinpool rekey    move the key ring of a region to a new master key

Options of a command: ${invocation('dev --help')}
`

const LAST_WORDS_MILLISECONDS = 2_000

/** Exit codes: 0 success, 1 the report found a problem, 2 the command could not run. */
async function main([name, ...args]: string[]): Promise<number> {
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version}\n`)
    return 0
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(usage)
    return name === undefined ? 2 : 0
  }
  const command = Object.hasOwn(commands, name) ? await commands[name]?.() : undefined
  if (!command) {
    process.stderr.write(`twinpool: there is no command ${JSON.stringify(name)}\n\n${usage}`)
    return 2
  }
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(command.help)
    return 0
  }
  try {
    return await command.run(args)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    process.stderr.write(`twinpool ${name}: ${error.message}\n`)
    return 2
  }
}

const code = await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`twinpool: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return 2
})
// Pipes may still hold output; a reader that does not read it delays the exit only for this time.
setTimeout(() => process.exit(code), LAST_WORDS_MILLISECONDS).unref()
for (const stream of [process.stdout, process.stderr]) {
  if (stream.writableLength > 0) await new Promise((resolve) => stream.write('', resolve))
}
// Exit explicitly: an unclosable socket makes Node spin, and neither timers nor signals are processed then.
process.exit(code)
