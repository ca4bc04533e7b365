import { randomBytes, randomUUID } from 'node:crypto'

/**
 * Time and randomness. Only this file reads the system's clock and random source for decisions; all other code takes an
 * injected clock, so that tests can replay a history from a seed.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds on a clock that never goes back; only differences are meaningful. */
  monotonic(): number
  randomBytes(size: number): Buffer
  /** A random UUID, version 4 (RFC 9562 §5.4). */
  uuid(): string
  /** Resolves after `milliseconds`; rejects with the reason of the signal (by default an AbortError) if it aborts. */
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

/** A UUID of version 7 (RFC 9562 §5.7): its first 48 bits are the time of its creation, in milliseconds since the epoch. */
export function timedUuid(clock: Pick<Clock, 'now' | 'randomBytes'>): string {
  const bytes = clock.randomBytes(16)
  bytes.writeUIntBE(clock.now(), 0, 6)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** The creation time of a UUID of version 7, in milliseconds since the epoch. */
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
