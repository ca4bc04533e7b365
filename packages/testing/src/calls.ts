/** Sends calls as raw bytes on a connection, including requests that no SDK would send. */
import { createHash, createHmac, createSecretKey } from 'node:crypto'
import { Agent, request } from 'node:http'
import { SignatureV4 } from '@smithy/signature-v4'
import { credentials as good } from './regions.ts'

export const COGNITO = 'AWSCognitoIdentityProviderService'
export const JSON_1_1 = 'application/x-amz-json-1.1'

export interface Reply {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

export interface Call {
  method?: string
  path?: string
  headers?: Record<string, string | string[]>
  body?: string | Buffer
  /** Timeout of a call in milliseconds. */
  deadline?: number
}

/** Kept-alive connections: otherwise thousands of calls would exhaust the ports. */
export const agent = new Agent({ keepAlive: true, maxSockets: 16 })

/** Sends one request and reads the complete response. Rejects after the timeout. */
export function send(endpoint: string, call: Call = {}): Promise<Reply> {
  const { method = 'POST', path = '/', headers = {}, body = '', deadline = 15_000 } = call
  const { promise, resolve, reject } = Promise.withResolvers<Reply>()
  const outgoing = request(
    endpoint,
    { method, path, agent, headers: { 'content-length': Buffer.byteLength(body), ...headers } },
    (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      )
    },
  )
  outgoing.setTimeout(deadline, () => outgoing.destroy(new Error(`no response within ${deadline} ms`)))
  outgoing.on('error', reject)
  outgoing.end(body)
  return promise
}

export interface Signing {
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }
  region?: string
  service?: string
  date?: Date
}

/** Headers of a call, unsigned. */
export const headersOf = (operation: string): Record<string, string> => ({
  'content-type': JSON_1_1,
  'x-amz-target': `${COGNITO}.${operation}`,
})

/** Headers of a call with a signature over them and the body. */
export async function sign(
  endpoint: string,
  { headers, body, path = '/' }: { headers: Record<string, string>; body: string | Buffer; path?: string },
  { credentials = good, region = 'us-west-2', service = 'cognito-idp', date = new Date() }: Signing = {},
): Promise<Record<string, string>> {
  const { hostname, port, host } = new URL(endpoint)
  const signer = new SignatureV4({ service, region, credentials, sha256: Sha256 })
  const signed = await signer.sign(
    { method: 'POST', protocol: 'http:', hostname, port: Number(port), path, headers: { host, ...headers }, body },
    { signingDate: date },
  )
  return signed.headers
}

/** A signed call of an operation. */
export async function call(endpoint: string, operation: string, input: unknown, signing: Signing = {}): Promise<Reply> {
  const body = typeof input === 'string' || Buffer.isBuffer(input) ? input : JSON.stringify(input)
  return send(endpoint, { headers: await sign(endpoint, { headers: headersOf(operation), body }, signing), body })
}

/** The error name in a response; undefined for a success. */
export function errorOf(reply: Reply): string | undefined {
  return reply.status < 300 ? undefined : (JSON.parse(reply.text) as { __type: string }).__type
}

class Sha256 {
  readonly #hash

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    // An HMAC with a key object costs a fifth of one with a buffer.
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', createSecretKey(bytes(secret)))
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytes(data))
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }

  reset(): void {
    throw new Error('a hash is used once')
  }
}

function bytes(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === 'string') return Buffer.from(data)
  return data instanceof ArrayBuffer ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}
