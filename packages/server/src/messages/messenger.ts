/** A message to a person. `code` is the one-time code or temporary password inside, for development inboxes. */
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

/** Hands messages to an inbox that can be read over HTTP: for development, never for people. */
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
    if (!response.ok) throw new CodeDeliveryFailedError(`the inbox answered ${response.status}`)
  }
}

/** Where no way to send is configured: sign-ups are told that their code could not be delivered. */
export const noMessenger: Messenger = async () => {
  throw new CodeDeliveryFailedError('no messages can be sent: none is configured')
}
