import { createHash, createHmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'

/**
 * Calls an operation of Twinpool's own service (`TwinpoolService.<operation>`). @throws Error with the service's error
 * name
 */
export type ServiceCaller = <Result>(operation: string, input: object) => Promise<Result>

/** Node's hash functions behind the interface that the signer requires. */
class Sha256 {
  readonly #secret: string | Uint8Array | undefined
  readonly #chunks: Uint8Array[] = []

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret === undefined || typeof secret === 'string' ? secret : bytesOf(secret)
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#chunks.push(typeof data === 'string' ? Buffer.from(data) : bytesOf(data))
  }

  async digest(): Promise<Uint8Array> {
    const hash = this.#secret === undefined ? createHash('sha256') : createHmac('sha256', this.#secret)
    for (const chunk of this.#chunks) hash.update(chunk)
    return hash.digest()
  }

  reset(): void {
    this.#chunks.length = 0
  }
}

const bytesOf = (data: ArrayBuffer | ArrayBufferView): Uint8Array =>
  ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data)

/** Creates a caller that signs each call for the given endpoint and region. Each call has its own timeout. */
export function createServiceCaller({
  endpoint,
  region,
  credentials,
  patienceMilliseconds = 30_000,
}: {
  endpoint: string
  region: string
  credentials: { accessKeyId: string; secretAccessKey: string }
  patienceMilliseconds?: number
}): ServiceCaller {
  const signer = new SignatureV4({ service: 'cognito-idp', region, credentials, sha256: Sha256 })
  const { protocol, hostname, port, host } = new URL(endpoint)
  return async <Result>(operation: string, input: object) => {
    const signed = await signer.sign({
      method: 'POST',
      protocol,
      hostname,
      ...(port && { port: Number(port) }),
      path: '/',
      headers: {
        host,
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': `TwinpoolService.${operation}`,
      },
      body: JSON.stringify(input),
    })
    const { host: _, ...headers } = signed.headers
    const response = await fetch(endpoint, {
      method: 'POST',
      headers,
      body: signed.body as string,
      signal: AbortSignal.timeout(patienceMilliseconds),
    })
    const result = (await response.json()) as Result & { __type?: string; message?: string }
    if (!response.ok)
      throw new Error(`${operation}: ${result.__type ?? response.status} ${result.message ?? ''}`.trim())
    return result
  }
}
