import { X509Certificate } from 'node:crypto'
import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { readConfiguredFile } from '../configured-file.ts'

export type NodeServer = HttpServer | HttpsServer

/** Maximum interval between two checks for connections that exceed a timeout. */
const SWEEP_MILLISECONDS = 5_000

/** The end of validity of the first certificate in a PEM file, in milliseconds since the epoch. */
export const expiryOf = (certificateFile: string): number =>
  new X509Certificate(readConfiguredFile('tls.certificateFile', certificateFile)).validToDate.getTime()

/** Node's HTTP server; HTTPS if a certificate is configured. Limits are in seconds. */
export function createNodeServer(
  {
    tls,
    limits,
  }: {
    tls: TlsFiles | undefined
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
          ...readTls(tls),
          // The routes that require a certificate check it (client-certificates.ts); browsers have none.
          ...(tls.clientCaFile !== undefined && { requestCert: true, rejectUnauthorized: false }),
        },
        listener,
      )
    : createHttpServer(connections, listener)
  server.timeout = limits.progressSeconds * 1_000
  return server
}

/**
 * Returns a function that reads the files again; the function that it returns uses them for new connections. It throws an error that
 * names the member. Whether client certificates are required is decided at the start: without a CA of its own, Node would accept
 * those of all public ones, so the last one stays.
 */
export function reloadableTls(server: NodeServer, started: TlsFiles | undefined) {
  let ca = started?.clientCaFile === undefined ? undefined : readTls(started).ca
  return (tls: TlsFiles | undefined): (() => void) => {
    if (!tls || !('setSecureContext' in server)) return () => {}
    const { ca: next, ...options } = readTls(tls)
    const used = ca && (next ?? ca)
    return () => {
      ca = used
      server.setSecureContext({ ...options, ...(used && { ca: used }) })
    }
  }
}

/** Files in PEM. */
export interface TlsFiles {
  certificateFile: string
  keyFile: string
  clientCaFile?: string | undefined
}

export function readTls({ certificateFile, keyFile, clientCaFile }: TlsFiles): SecureContextOptions {
  const options = {
    cert: readConfiguredFile('tls.certificateFile', certificateFile),
    key: readConfiguredFile('tls.keyFile', keyFile),
    ...(clientCaFile !== undefined && { ca: readConfiguredFile('tls.clientCaFile', clientCaFile) }),
  }
  try {
    createSecureContext(options)
  } catch (error) {
    throw new Error(`tls: ${(error as Error).message}`)
  }
  return options
}

/** The URL of an address to listen on. */
export const urlOf = ({ host, port }: { host: string; port: number }, scheme: 'http' | 'https' = 'http'): string =>
  `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
