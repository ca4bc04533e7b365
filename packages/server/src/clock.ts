import { randomBytes, randomUUID } from 'node:crypto'

/**
 * Time and randomness, the only place that reads either of them to decide something.
 * Everything else takes a clock, so that a history can be replayed from a seed.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds on a clock that never goes back; only differences mean something. */
  monotonic(): number
  randomBytes(size: number): Buffer
  /** A random UUID, version 4 (RFC 9562 §5.4). */
  uuid(): string
  /** Resolves after `milliseconds`; rejects with the reason of the signal (by default an AbortError) when it fires. */
  wait(milliseconds: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  randomBytes: (size) => randomBytes(size),
  uuid: () => randomUUID(),
  wait: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const abort = (): void => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }, milliseconds).unref()
      signal?.addEventListener('abort', abort, { once: true })
    }),
}

/** A UUID of version 7 (RFC 9562 §5.7): its first 48 bits tell when it was made, in milliseconds. */
export function timedUuid(clock: Pick<Clock, 'now' | 'randomBytes'>): string {
  const bytes = clock.randomBytes(16)
  bytes.writeUIntBE(clock.now(), 0, 6)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** When a UUID of version 7 was made, in milliseconds since the epoch. */
export function timeOfUuid(uuid: string): number {
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16)
}

/** A random string over an alphabet of at most 256 characters, without modulo bias. */
export function randomText(clock: Pick<Clock, 'randomBytes'>, alphabet: string, length: number): string {
  const limit = 256 - (256 % alphabet.length)
  let text = ''
  while (text.length < length) {
    for (const byte of clock.randomBytes(length * 2)) {
      if (byte < limit && text.length < length) text += alphabet[byte % alphabet.length]
    }
  }
  return text
}
