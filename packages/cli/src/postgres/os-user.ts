import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'

/** A user of the operating system. Functions take undefined for the user of this process. */
export interface OsUser {
  uid: number
  gid: number
}

/** The user to run PostgreSQL as, which refuses to run as root: the owner of the data, else `postgres`, else `nobody`. */
export async function unprivilegedUser(owner: OsUser | undefined): Promise<OsUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  if (owner !== undefined && owner.uid !== 0) return owner
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n').map((line) => line.split(':'))
  for (const name of ['postgres', 'nobody']) {
    const line = lines.find((fields) => fields[0] === name)
    if (line !== undefined) return { uid: Number(line[2]), gid: Number(line[3]) }
  }
  return { uid: 65534, gid: 65534 }
}

export async function ownerOf(path: string): Promise<OsUser | undefined> {
  const found = await stat(path).catch(() => undefined)
  return found && { uid: found.uid, gid: found.gid }
}

/** Options of a child process under that user. Our environment is not passed on: it may hold PG* variables and secrets. */
export function childOptions(user: OsUser | undefined) {
  const { PATH = '/usr/bin:/bin' } = process.env
  return { ...user, cwd: '/', env: { PATH, LC_ALL: 'C', TZ: 'UTC' } }
}

/** Runs a program until it exits. `output` combines stdout and stderr. */
export function run(
  program: string,
  args: string[],
  user: OsUser | undefined,
): Promise<{ code: unknown; output: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { ...childOptions(user), maxBuffer: 1 << 20 }, (error, stdout, stderr) => {
      const printed = `${stdout}${stderr}`
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), output: printed || (error?.message ?? '') })
    })
  })
}

export function lastLines(text: string): string {
  return text.trim().split('\n').slice(-20).join('\n')
}
