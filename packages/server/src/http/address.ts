import type { IncomingMessage } from 'node:http'

/** The address of the caller; '' for a closed connection. */
export const addressOf = ({ socket }: IncomingMessage): string => socket.remoteAddress ?? ''
