import { readFileSync } from 'node:fs'

export interface Memory {
  /** Resident set size now, in megabytes (10^6 bytes). */
  resident: number
  /** Peak resident set size, in megabytes. */
  peak: number
}

/** Memory of a process, from /proc. NaN if it cannot be read. */
export function memoryOf(pid: number): Memory {
  try {
    // https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const read = (name: string): number =>
      (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1_024) / 1e6
    return { resident: read('VmRSS'), peak: read('VmHWM') }
  } catch {
    return { resident: Number.NaN, peak: Number.NaN }
  }
}
