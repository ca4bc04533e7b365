/** PostgreSQL servers that stop responding without closing their connections, like a lost machine. Linux only. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Pauses the server of a data directory and its processes, except the given ones. Returns the function that resumes them. */
export function silence(data: string, { except = [] }: { except?: readonly number[] } = {}): () => void {
  const postmaster = Number.parseInt(readFileSync(join(data, 'postmaster.pid'), 'utf8'), 10)
  // The postmaster first, or it would start more processes while they are listed.
  process.kill(postmaster, 'SIGSTOP')
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === postmaster && !except.includes(pid))
  for (const pid of children) process.kill(pid, 'SIGSTOP')
  return () => {
    for (const pid of [...children, postmaster]) process.kill(pid, 'SIGCONT')
  }
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  } catch {
    return undefined
  }
}
