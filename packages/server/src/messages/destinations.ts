import { createHmac, hkdfSync } from 'node:crypto'
import type { Throttling } from '../store/throttling.ts'

/**
 * Limits messages by their destination, over all pools, users and processes of the region. `given`: the caller has just named the
 * address. `own`: it is the address of a user whom the caller named. They count apart, so that nobody can use up the messages of a
 * user by giving that user's address.
 */
export interface Destinations {
  /** Counts a message. Returns false if the address has received its messages of the hour. */
  admit(address: string, source: 'given' | 'own'): Promise<boolean>
  /** Replaces the secret: all processes of the region must count under the same one. */
  setSecret(secret: string): void
}

const HOUR_MILLISECONDS = 3_600_000

export function createDestinations({
  throttling,
  secret,
  perHour,
  noted,
}: {
  throttling: Pick<Throttling, 'count'>
  /** For the keyed hash of an address; the same in all processes of the region. */
  secret: string
  perHour: number
  /** Reports a refusal to the operator. */
  noted(reason: string): void
}): Destinations {
  const keyOf = (secret: string): Buffer => Buffer.from(hkdfSync('sha256', secret, '', 'twinpool/destinations', 32))
  let key = keyOf(secret)
  return {
    setSecret: (next) => {
      key = keyOf(next)
    },
    admit: async (address, source) => {
      const hash = createHmac('sha256', key).update(mailboxOf(address)).digest('base64url')
      const count = await throttling.count(`destination/${source}/${hash}`, HOUR_MILLISECONDS)
      if (count <= perHour) return true
      noted(`${perHour} messages to one address in an hour: more were withheld`)
      return false
    },
  }
}

/** Most mail services deliver `name+tag@host` to `name@host`, in any case. */
const mailboxOf = (address: string): string => address.toLowerCase().replace(/\+[^@]*(?=@)/, '')
