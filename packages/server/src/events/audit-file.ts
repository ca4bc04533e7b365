import { close as closeFile, open as openFile, openSync, write as writeFile } from 'node:fs'
import { promisify } from 'node:util'
import type { Clock } from '../clock.ts'
import type { ResourceUse } from './events.ts'

const close = promisify(closeFile)
const open = promisify(openFile)
const write = promisify(writeFile)

/** Lines are gathered for this time and written together. They are lost if the process is killed within it. */
const GATHER_MILLISECONDS = 20
const RETRY_MILLISECONDS = 1_000
/** A write that takes longer counts as a problem. */
const SLOW_MILLISECONDS = 5_000
const CLOSE_MILLISECONDS = 2_000
const QUEUE_BYTES = 8 * 1024 * 1024
const WRITE_LINES = 500
const MODE = 0o600

export interface AuditFile {
  /** Never throws and never waits: drops the line if the queue is full. */
  append(line: string): void
  problem(): string | undefined
  queue(): ResourceUse
  reopen(): Promise<void>
  close(): Promise<void>
}

/** A part of the queue that is being written. `done`: how many of its bytes are in the file. */
interface Part {
  bytes: Buffer
  done: number
  size: number
}

/**
 * A file to which lines are appended in the background, in order. While it cannot be written, lines wait in bounded memory and the
 * write is retried. Lines beyond the bound are dropped, and `gapLine` stands at their place in the file.
 */
export function openAuditFile(
  path: string,
  {
    clock,
    queueBytes = QUEUE_BYTES,
    gapLine,
    dropped,
    lost,
    back,
  }: {
    clock: Pick<Clock, 'monotonic' | 'wait'>
    queueBytes?: number | undefined
    gapLine(count: number): string
    dropped(): void
    /** The file cannot be written any more. */
    lost(why: string): void
    /** The file can be written again; this many lines have been dropped since it could not be. */
    back(count: number): void
  },
): AuditFile {
  let descriptor = openSync(path, 'a', MODE)
  const lines: string[] = []
  /** Of `lines` and the part that is being written. */
  let size = 0
  let part: Part | undefined
  let writing: Promise<void> | undefined
  let inFlight: { begunAt: number; ended: Promise<unknown> } | undefined
  /** Lines dropped since the last line of the queue, and since the file was lost. */
  let gap = 0
  let droppedInAll = 0
  let failure: string | undefined
  let reopenFailure: string | undefined
  const closing = new AbortController()
  /** The number of a closed descriptor may be that of another file. */
  let closed = false

  const push = (line: string): void => {
    lines.push(line)
    size += line.length + 1
  }
  const pushGap = (): void => {
    if (gap === 0) return
    const count = gap
    gap = 0
    push(gapLine(count))
  }
  const fail = (why: string): void => {
    if (failure === undefined) lost(why)
    failure = why
  }
  const recover = (): void => {
    // Otherwise a slow disk would be lost and found many times a second.
    if (size > queueBytes / 2) return
    pushGap()
    if (failure === undefined) return
    failure = undefined
    const count = droppedInAll
    droppedInAll = 0
    back(count)
  }

  /** Writes the part from where it stopped; a short write on a full disk is followed by the error. */
  const writePart = async (current: Part): Promise<void> => {
    while (current.done < current.bytes.length) {
      const ended = write(descriptor, current.bytes, current.done)
      inFlight = { begunAt: clock.monotonic(), ended }
      try {
        current.done += (await ended).bytesWritten
      } finally {
        inFlight = undefined
      }
    }
  }
  const writeQueue = async (): Promise<void> => {
    await clock.wait(GATHER_MILLISECONDS, closing.signal).catch(() => {})
    while (part || lines.length > 0) {
      if (!part) {
        const taken = lines.splice(0, WRITE_LINES)
        const text = `${taken.join('\n')}\n`
        part = { bytes: Buffer.from(text), done: 0, size: text.length }
      }
      try {
        await writePart(part)
        size -= part.size
        part = undefined
        recover()
      } catch (error) {
        fail((error as Error).message)
        if (closing.signal.aborted) return
        await clock.wait(RETRY_MILLISECONDS, closing.signal).catch(() => {})
      }
    }
  }
  const wake = (): void => {
    writing ??= writeQueue().finally(() => {
      writing = undefined
      if (lines.length > 0 && !closing.signal.aborted) wake()
    })
  }

  return {
    append: (line) => {
      if (closed) return
      if (size + line.length >= queueBytes) {
        gap += 1
        droppedInAll += 1
        dropped()
        fail('the file is written more slowly than records arrive')
        return
      }
      pushGap()
      push(line)
      wake()
    },
    problem: () => {
      const waited = inFlight ? clock.monotonic() - inFlight.begunAt : 0
      if (waited > SLOW_MILLISECONDS) return `the disk has not responded for ${Math.round(waited / 1_000)} s`
      return failure ?? reopenFailure
    },
    queue: () => ({ resource: 'audit-queue-bytes', used: size, limit: queueBytes }),
    reopen: async () => {
      if (closed) return
      try {
        const next = await open(path, 'a', MODE)
        while (inFlight) await inFlight.ended.catch(() => {})
        if (closed) return await close(next)
        const before = descriptor
        descriptor = next
        // The rest of a line would be unreadable in the new file.
        if (part) part.done = part.bytes.lastIndexOf('\n', Math.max(0, part.done - 1)) + 1
        await close(before)
        reopenFailure = undefined
      } catch (error) {
        reopenFailure = `the file cannot be opened again: ${(error as Error).message}`
        lost(reopenFailure)
      }
    },
    close: async () => {
      if (closed) return
      closing.abort()
      if (lines.length > 0) wake()
      closed = true
      const deadline = new AbortController()
      await Promise.race([writing, clock.wait(CLOSE_MILLISECONDS, deadline.signal).catch(() => {})])
      deadline.abort()
      if (!inFlight) await close(descriptor).catch(() => {})
    },
  }
}
