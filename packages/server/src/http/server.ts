import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'

export type NodeServer = HttpServer | HttpsServer

/** Maximum interval between two checks for connections that exceed a timeout. */
const SWEEP_MILLISECONDS = 5_000

/** The end of validity of the first certificate in a PEM file, in milliseconds since the epoch. */
export const expiryOf = (certificateFile: string): number =>
  new X509Certificate(readFileSync(certificateFile)).validToDate.getTime()

/** Node's HTTP server; HTTPS if a certificate is configured. Limits are in seconds. */
export function createNodeServer(
  {
    tls,
    limits,
  }: {
    tls: { certificateFile: string; keyFile: string } | undefined
    limits: { headersSeconds: number; requestSeconds: number; progressSeconds: number; idleSeconds: number }
  },
  listener: RequestListener,
): NodeServer {
  const connections = {
    headersTimeout: limits.headersSeconds * 1_000,
    requestTimeout: limits.requestSeconds * 1_000,
    keepAliveTimeout: limits.idleSeconds * 1_000,
    connectionsCheckingInterval: Math.min(SWEEP_MILLISECONDS, limits.headersSeconds * 200),
  }
  const server = tls
    ? createHttpsServer(
        {
          ...connections,
          handshakeTimeout: connections.headersTimeout,
          cert: readFileSync(tls.certificateFile),
          key: readFileSync(tls.keyFile),
        },
        listener,
      )
    : createHttpServer(connections, listener)
  server.timeout = limits.progressSeconds * 1_000
  return server
}
