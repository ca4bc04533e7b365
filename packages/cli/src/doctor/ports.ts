import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { connectDevPlane } from '@twinpool/toolkit'

const run = promisify(execFile)

/** Undefined if the port is free. */
export type PortUser = { kind: 'plane' | 'program'; description: string } | undefined

/** Finds the program that listens on a port of this machine. */
export async function findPortUser(port: number): Promise<PortUser> {
  const problem = await tryToListen(port)
  if (problem === undefined) return undefined
  if (problem === 'EACCES') return { kind: 'program', description: 'reserved: this user may not listen on it' }
  const control = `http://127.0.0.1:${port}`
  const plane = await connectDevPlane(control).catch(() => undefined)
  if (plane) {
    return { kind: 'plane', description: `a running 'twinpool dev' with ${Object.keys(plane.regions).join(', ')}` }
  }
  return { kind: 'program', description: `used by ${(await nameOfListener(port)) ?? 'another program'}` }
}

/** The first of `count` consecutive free ports, searched from the given port upwards. */
export async function findFreePorts(from: number, count: number): Promise<number | undefined> {
  for (let first = from; first + count <= 65_000; first += 100) {
    const wanted = Array.from({ length: count }, (_, at) => first + at)
    const problems = await Promise.all(wanted.map(tryToListen))
    if (problems.every((problem) => problem === undefined)) return first
  }
  return undefined
}

/** The error code; undefined if the port is free. */
function tryToListen(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'UNKNOWN'))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(undefined)))
  })
}

/** Name and process id of the listening program, if `lsof` or `ss` is installed and permitted to show them. */
async function nameOfListener(port: number): Promise<string | undefined> {
  const found = await Promise.all([
    run('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc']).then(
      ({ stdout }) => /^p(\d+)\nc(.+)$/m.exec(stdout)?.slice(1),
      () => undefined,
    ),
    run('ss', ['-ltnpH', `sport = :${port}`]).then(
      ({ stdout }) => /\("([^"]+)",pid=(\d+)/.exec(stdout)?.slice(1).reverse(),
      () => undefined,
    ),
  ])
  const [pid, name] = found.find((result) => result !== undefined) ?? []
  return pid === undefined ? undefined : `${name} (process ${pid})`
}
