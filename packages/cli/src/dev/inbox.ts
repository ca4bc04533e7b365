/** A message as a region handed it over, and when. */
export interface Received {
  to: string
  channel: string
  subject?: string
  body: string
  code: string
  region?: string
  pool?: string
  at: string
}

export interface Inbox {
  /** Takes a message in JSON; false when it is none. */
  add(text: string): boolean
  /** Newest first. */
  list(to?: string): Received[]
}

const CAPACITY = 10_000

/** Messages that regions sent, for people and tests to read; it outlives the regions. */
export function createInbox(): Inbox {
  const received: Received[] = []
  return {
    add: (text) => {
      try {
        const message = JSON.parse(text) as Received
        if (typeof message.to !== 'string' || typeof message.body !== 'string') return false
        received.unshift({ ...message, at: new Date().toISOString() })
        received.length = Math.min(received.length, CAPACITY)
        return true
      } catch {
        return false
      }
    },
    list: (to) => (to === undefined ? received : received.filter((message) => message.to === to)),
  }
}
