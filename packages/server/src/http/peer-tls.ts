import { createSecureContext } from 'node:tls'
import { Agent, fetch as fetchWith } from 'undici'
import { readConfiguredFile } from '../configured-file.ts'

/** Files in PEM; `certificateFile` and `keyFile` belong together. */
export interface PeerTlsFiles {
  caFile?: string | undefined
  certificateFile?: string | undefined
  keyFile?: string | undefined
}

/** Connections to peers with a private CA or a client certificate, which can be replaced while the region runs. */
export interface PeerTls {
  connect: typeof fetch
  /** Reads the files; the returned function uses them for new connections. Throws an error that names the member. */
  prepare(files: PeerTlsFiles | undefined): () => void
}

export function createPeerTls(files: PeerTlsFiles | undefined): PeerTls {
  let agent = agentOf(files)
  return {
    // Node's own fetch takes no certificates. Without any, it is used as it is.
    connect: (url, init) =>
      agent
        ? (fetchWith(url as string, { ...(init as object), dispatcher: agent }) as unknown as Promise<Response>)
        : fetch(url, init),
    prepare: (next) => {
      const prepared = agentOf(next)
      return () => {
        // Streams in progress end with their connection, not with the agent.
        void agent?.close()
        agent = prepared
      }
    },
  }
}

function agentOf(files: PeerTlsFiles | undefined): Agent | undefined {
  if (!files) return undefined
  const read = (name: keyof PeerTlsFiles): Buffer | undefined =>
    files[name] === undefined ? undefined : readConfiguredFile(`peerTls.${name}`, files[name])
  const connect = { ca: read('caFile'), cert: read('certificateFile'), key: read('keyFile') }
  try {
    createSecureContext(connect)
  } catch (error) {
    throw new Error(`peerTls: ${(error as Error).message}`)
  }
  return new Agent({ connect })
}
