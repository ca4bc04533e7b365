import type { Context } from 'hono'

/** The address of the caller, as far as the region knows it; '' without a connection. */
export function addressOf(c: Context): string {
  const incoming = (c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined)?.incoming
  return incoming?.socket?.remoteAddress ?? ''
}
