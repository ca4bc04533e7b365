/** HAProxy in front of the PostgreSQL servers of a region. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { DebianTools } from './debian.ts'
import { freePorts, until } from './regions.ts'

export interface Haproxy {
  port: number
  /** Leads new connections to the server at this port only. */
  leadTo(port: number): Promise<void>
  stop(): Promise<void>
}

export interface HaproxyOptions {
  tools: DebianTools
  ports: readonly number[]
  /** Per server, the port at which `GET /primary` succeeds at the primary (Patroni). Default: `leadTo` chooses the server. */
  checkPorts?: readonly number[]
  /** Whether the sessions to a server that is marked down are closed. Default true. */
  closesSessions?: boolean
}

export async function startHaproxy({
  tools,
  ports,
  checkPorts,
  closesSessions = true,
}: HaproxyOptions): Promise<Haproxy> {
  const home = mkdtempSync(join(tmpdir(), 'twinpool-haproxy-'))
  const socket = join(home, 'socket')
  const [port] = (await freePorts(1)) as [number]
  const onDown = closesSessions ? ' on-marked-down shutdown-sessions' : ''
  const servers = ports.map((target, at) => {
    const check = checkPorts ? ` check port ${checkPorts[at]} inter 500ms fall 2 rise 1` : ''
    return `  server ${target} 127.0.0.1:${target}${check}${onDown}`
  })
  writeFileSync(
    join(home, 'haproxy.cfg'),
    `global
  stats socket ${socket} level admin
defaults
  mode tcp
  timeout connect 2s
  timeout client 30m
  timeout server 30m
  timeout check 2s
listen region
  bind 127.0.0.1:${port}
${checkPorts ? '  option httpchk OPTIONS /primary\n  http-check expect status 200\n' : ''}${servers.join('\n')}
`,
  )
  // It ends with this process.
  const child = spawn('setpriv', ['--pdeathsig=KILL', 'haproxy', '-db', '-q', '-f', join(home, 'haproxy.cfg')], {
    env: tools.env,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const exited = once(child, 'exit')
  const command = async (line: string): Promise<string> => {
    const connection = connect(socket)
    connection.end(`${line}\n`)
    return text(connection)
  }
  await until(() => command('show info').catch(() => undefined), { what: 'HAProxy' })
  return {
    port,
    leadTo: async (chosen) => {
      // The chosen one first: at no time are all servers down.
      for (const target of [...ports].sort((one) => (one === chosen ? -1 : 1))) {
        const refusal = await command(`set server region/${target} state ${target === chosen ? 'ready' : 'maint'}`)
        if (refusal.trim()) throw new Error(refusal.trim())
      }
    },
    stop: async () => {
      if (child.kill('SIGKILL')) await exited
      rmSync(home, { recursive: true, force: true })
    },
  }
}
