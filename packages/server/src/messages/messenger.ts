/** A message to a user. `code` repeats the one-time code or temporary password of the body, for development inboxes. */
export interface Message {
  to: string
  channel: 'EMAIL' | 'SMS'
  subject?: string
  body: string
  code: string
}

/** Sends a message, or throws CodeDeliveryFailedError. */
export type Messenger = (message: Message & { pool: string; region: string }) => Promise<void>

export class CodeDeliveryFailedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CodeDeliveryFailedError'
  }
}

/** Sends messages to an inbox that can be read over HTTP: for development only. */
export function inboxMessenger({ url }: { url: string }): Messenger {
  return async (message) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(message),
      signal: AbortSignal.timeout(5_000),
    }).catch((error: unknown) => {
      throw new CodeDeliveryFailedError('the inbox cannot be reached', { cause: error })
    })
    if (!response.ok) throw new CodeDeliveryFailedError(`the inbox returned status ${response.status}`)
  }
}

/** For regions without a configured messenger: sign-ups get CodeDeliveryFailureException. */
export const noMessenger: Messenger = async () => {
  throw new CodeDeliveryFailedError('no messages can be sent: no messenger is configured')
}
