import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Throttling } from '../store/throttling.ts'

/*
 * How regions prove to each other that they know the cluster secret. A request names its sender and its receiver and is valid
 * once, for a short time. A response is bound to its request, and each line of a stream to its number.
 */

export interface Request {
  method: string
  /** Path with query, as the receiver sees it. */
  path: string
  body: string
}

export interface ProvenRequest {
  from: string
  /** The proof of the request; the response is bound to it. */
  proof: string
  /** The secret of the proof, which also proves the response: the sender may not know the other. */
  secret: string
}

export type ProofRefusal = 'proof' | 'clock' | 'replay'

/** The request has no valid proof, is outside the time window, or was used before. */
export class ProofRefusedError extends Error {
  readonly reason: ProofRefusal
  /** Set if the proof itself was valid: then the refusal can carry a proof, too. */
  readonly request: ProvenRequest | undefined

  constructor(reason: ProofRefusal, request?: ProvenRequest) {
    super(`the request is refused: ${reason}`)
    this.name = 'ProofRefusedError'
    this.reason = reason
    this.request = request
  }
}

export const PROOF_HEADER = 'x-twinpool-proof'
export const RESPONSE_PROOF_HEADER = 'x-twinpool-answer'
const VERSION = 'v1'
/**
 * The greatest difference between a request's time and the receiver's clock. The refusal of a request outside it contains the
 * receiver's time.
 */
export const WINDOW_MILLISECONDS = 30_000
const NONCE_BYTES = 18
/** Stands for the body in the proof of a stream, whose lines have their own proofs. */
const STREAM = 'stream'

export interface Prover {
  /** The new cluster secret and, while it is replaced, the old one. */
  readonly secrets: readonly string[]
  /** Replaces the secrets; requests in progress keep theirs. */
  setSecrets(secrets: readonly string[]): void
  /** The header for a request to a peer, proved with one of the secrets. `now`: the time on the peer's clock. */
  prove(to: string, request: Request, proof: { secret: string; now: number }): { header: string; proof: string }
  /** Throws ProofRefusedError. */
  check(header: string | undefined, request: Request): Promise<ProvenRequest>
  /** The header for a response; `body` is undefined for a stream. */
  proveResponse(request: ProvenRequest, response: { status: number; now: number; body: string | undefined }): string
  /** The time on the responder's clock, or undefined if the proof is not valid. */
  checkResponse(
    request: Pick<ProvenRequest, 'proof' | 'secret'>,
    header: string | null,
    response: { status: number; body: string | undefined },
  ): { now: number } | undefined
  /** Returns the function that computes the proof of each next line of the stream that responds to a request. */
  lineProver(request: Pick<ProvenRequest, 'proof' | 'secret'>): (text: string | Buffer) => string
}

export function createProver({
  secrets: given,
  region,
  clock,
  throttling,
}: {
  secrets: readonly string[]
  region: string
  clock: Pick<Clock, 'now' | 'randomBytes'>
  throttling: Pick<Throttling, 'once'>
}): Prover {
  let secrets = given
  const keys = new Map<string, Buffer>()
  const keyOf = (secret: string): Buffer => {
    const key = keys.get(secret) ?? Buffer.from(hkdfSync('sha256', secret, '', 'twinpool/replication', 32))
    keys.set(secret, key)
    return key
  }
  const mac = (secret: string, ...parts: (string | number)[]): string =>
    createHmac('sha256', keyOf(secret)).update(JSON.stringify(parts)).digest('base64url')
  const proofOf = (secret: string, { method, path, body }: Request, { from, to, date, nonce }: Envelope): string =>
    mac(secret, 'request', VERSION, from, to, date, nonce, method, path, digest(body))

  return {
    get secrets() {
      return secrets
    },
    setSecrets: (next) => {
      secrets = next
      keys.clear()
    },
    prove: (to, request, { secret, now }) => {
      const nonce = clock.randomBytes(NONCE_BYTES).toString('base64url')
      const date = Math.round(now)
      const proof = proofOf(secret, request, { from: region, to, date, nonce })
      return { header: [VERSION, region, date, nonce, proof].join(' '), proof }
    },
    check: async (header, request) => {
      const [version, from = '', dateText = '', nonce = '', found = ''] = header?.split(' ') ?? []
      const date = Number(dateText)
      const proven = secrets
        .map((secret) => ({ secret, proof: proofOf(secret, request, { from, to: region, date, nonce }) }))
        .filter(({ proof }) => isEqual(found, proof))[0]
      if (version !== VERSION || !Number.isSafeInteger(date) || !proven || from === region) {
        throw new ProofRefusedError('proof')
      }
      const accepted = { from, ...proven }
      if (Math.abs(clock.now() - date) > WINDOW_MILLISECONDS) throw new ProofRefusedError('clock', accepted)
      if (!(await throttling.once(`replication/nonce/${from}/${nonce}`, 2 * WINDOW_MILLISECONDS))) {
        throw new ProofRefusedError('replay')
      }
      return accepted
    },
    proveResponse: ({ proof, secret }, { status, now, body }) =>
      `${VERSION} ${now} ${mac(secret, 'answer', proof, status, now, body === undefined ? STREAM : digest(body))}`,
    checkResponse: ({ proof, secret }, header, { status, body }) => {
      const [version, nowText = '', found = ''] = header?.split(' ') ?? []
      const now = Number(nowText)
      const expected = mac(secret, 'answer', proof, status, now, body === undefined ? STREAM : digest(body))
      return version === VERSION && isEqual(found, expected) ? { now } : undefined
    },
    lineProver: ({ proof, secret }) => {
      const lineKey = createHmac('sha256', keyOf(secret))
        .update(JSON.stringify(['stream', proof]))
        .digest()
      let number = 0
      return (text) => {
        number += 1
        return createHmac('sha256', lineKey).update(`${number}\n`).update(text).digest('base64url')
      }
    },
  }
}

interface Envelope {
  from: string
  to: string
  date: number
  nonce: string
}

const digest = (body: string): string => createHash('sha256').update(body).digest('base64url')

/** Compares in constant time. */
export function isEqual(a: string, b: string): boolean {
  const [one, two] = [Buffer.from(a), Buffer.from(b)]
  return one.length === two.length && timingSafeEqual(one, two)
}
