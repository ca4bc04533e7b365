/** A message from a region, with the time of its arrival. */
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
  /** Adds a message in JSON; returns false if the text is not a message. */
  add(text: string): boolean
  /** Newest first. */
  list(to?: string): Received[]
}

const CAPACITY = 10_000

/** Messages that regions sent, for developers and tests to read; the inbox survives restarts of the regions. */
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
