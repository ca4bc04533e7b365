import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { isServerOf, postmasterPid, SHUTDOWN_MILLISECONDS } from './data-directory.ts'
import type { Installation } from './installation.ts'
import { childOptions, lastLines, type OsUser } from './os-user.ts'
import { PostgresError } from './postgres-error.ts'

const PORT_ATTEMPTS = 10

export interface Server {
  /** The shell that supervises PostgreSQL, and ends after it. */
  supervisor: ChildProcess
  ended: Promise<unknown>
}

interface Launch {
  data: string
  installation: Installation
  user: OsUser | undefined
  port?: number
  durable?: boolean
  settings?: Readonly<Record<string, string | number>>
  /** A directory to remove once PostgreSQL has shut down. */
  temporary?: string
}

/** Starts the server on the given port, or on a free port. Another process may take the free port first; then another one is tried. */
export async function launchOnPort(launch: Launch): Promise<{ server: Server; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = launch.port || (await freePort())
    const started = await launchServer({ ...launch, port })
    if (started.server !== undefined) return { server: started.server, port }
    const conflict = /Address already in use|could not bind/.test(started.output)
    if (conflict && launch.port) throw new PostgresError(`Port ${port} on 127.0.0.1 is taken; PostgreSQL needs it.`)
    if (!conflict || attempt === PORT_ATTEMPTS) {
      throw new PostgresError(`PostgreSQL did not start:\n${lastLines(started.output)}`)
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}

/**
 * Its stdin is a pipe that only this process holds. The kernel closes it when this process ends, even by SIGKILL; the shell
 * then requests a fast shutdown (SIGINT) and removes a temporary directory. `stopServer` closes the pipe itself.
 */
const SUPERVISOR_SCRIPT = `
exec 3<&0 </dev/null
temporary=$1
shift
"$@" 3<&- &
server=$!
( while read -r line <&3; do :; done; kill -INT $server ) 2>/dev/null &
watcher=$!
wait $server
code=$?
kill $watcher 2>/dev/null
if [ $code -eq 0 ] && [ -n "$temporary" ]; then rm -rf "$temporary"; fi
exit $code
`

async function launchServer(launch: Launch & { port: number }): Promise<{ server?: Server; output: string }> {
  const { data, installation, user, port } = launch
  const onOff = launch.durable === false ? 'off' : 'on'
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: 200,
    fsync: onOff,
    full_page_writes: onOff,
    synchronous_commit: onOff,
    timezone: 'UTC',
    lc_messages: 'C',
    log_checkpoints: 'off',
    logging_collector: 'off',
    ...launch.settings,
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const program = [join(installation.bin, 'postgres'), '-D', data, ...flags]
  const supervisor = spawn('/bin/sh', ['-c', SUPERVISOR_SCRIPT, 'sh', launch.temporary ?? '', ...program], {
    ...childOptions(user),
    // A process group of its own, because Ctrl-C at the terminal is for this process: it stops PostgreSQL after its clients.
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  const ended = once(supervisor, 'close').catch(() => undefined)
  supervisor.stdin?.on('error', () => undefined)
  let output = ''
  const ready = new Promise<boolean>((resolve) => {
    supervisor.stderr?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-16_384)
      if (/database system is ready to accept (read-only )?connections/.test(output)) resolve(true)
    })
    ended.then(() => resolve(false))
  })
  return (await ready) ? { server: { supervisor, ended }, output } : { output }
}

/** Requests a fast shutdown, and an immediate one (SIGQUIT) at the deadline. */
export async function stopServer({ supervisor, ended }: Server, data: string): Promise<void> {
  if (supervisor.exitCode !== null || supervisor.signalCode !== null) return
  supervisor.stdin?.end()
  const deadline = setTimeout(async () => {
    const pid = await postmasterPid(data)
    if (pid !== undefined && (await isServerOf(pid, data))) process.kill(pid, 'SIGQUIT')
  }, SHUTDOWN_MILLISECONDS)
  await ended
  clearTimeout(deadline)
}
