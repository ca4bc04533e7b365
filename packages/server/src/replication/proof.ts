import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Brakes } from '../store/brakes.ts'

/**
 * How regions prove to each other that they know the cluster secret. A request names its sender and its receiver, and is
 * good once and for a short time; an answer is bound to its request; the lines of a stream to their place in it.
 */
export interface Request {
  method: string
  /** With its query, as the receiver sees it. */
  path: string
  body: string
}

export interface ProvenRequest {
  from: string
  /** Proof of the request, which its answer is bound to. */
  proof: string
}

export type ProofRefusal = 'proof' | 'clock' | 'replay'

/** The request was not made by a region of this cluster for this one, or not now. */
export class ProofRefusedError extends Error {
  readonly reason: ProofRefusal
  /** Present where the request itself was proven: the answer to it can be, too. */
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
/** How far a request's time may be from the receiver's. A sender whose clock is further off is told the time. */
export const WINDOW_MILLISECONDS = 30_000
const NONCE_BYTES = 18
/** What stands for the body of a stream, whose lines have proofs of their own. */
const STREAM = 'stream'

export interface Prover {
  /** Header of a request to a peer. `now`: the time that the peer goes by. */
  prove(to: string, request: Request, now: number): { header: string; proof: string }
  /** Throws ProofRefusedError. */
  check(header: string | undefined, request: Request): Promise<ProvenRequest>
  /** Header of an answer; `body` undefined for a stream. */
  proveResponse(request: ProvenRequest, answer: { status: number; now: number; body: string | undefined }): string
  /** The time on the clock of who answered, or undefined when the answer is not proven. */
  checkResponse(
    proof: string,
    header: string | null,
    answer: { status: number; body: string | undefined },
  ): { now: number } | undefined
  /** Proofs of the lines of the stream that answers a request. */
  line(proof: string): (text: string) => string
}

export function createProver({
  secret,
  region,
  clock,
  brakes,
}: {
  secret: string
  region: string
  clock: Pick<Clock, 'now' | 'randomBytes'>
  brakes: Pick<Brakes, 'once'>
}): Prover {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'twinpool/replication', 32))
  const mac = (...parts: (string | number)[]): string =>
    createHmac('sha256', key).update(JSON.stringify(parts)).digest('base64url')
  const proofOf = ({ method, path, body }: Request, { from, to, date, nonce }: Envelope): string =>
    mac('request', VERSION, from, to, date, nonce, method, path, digest(body))

  return {
    prove: (to, request, now) => {
      const nonce = clock.randomBytes(NONCE_BYTES).toString('base64url')
      const date = Math.round(now)
      const proof = proofOf(request, { from: region, to, date, nonce })
      return { header: [VERSION, region, date, nonce, proof].join(' '), proof }
    },
    check: async (header, request) => {
      const [version, from = '', dateText = '', nonce = '', given = ''] = header?.split(' ') ?? []
      const date = Number(dateText)
      const proof = proofOf(request, { from, to: region, date, nonce })
      if (version !== VERSION || !Number.isSafeInteger(date) || !isEqual(given, proof) || from === region) {
        throw new ProofRefusedError('proof')
      }
      if (Math.abs(clock.now() - date) > WINDOW_MILLISECONDS) throw new ProofRefusedError('clock', { from, proof })
      if (!(await brakes.once(`replication/nonce/${from}/${nonce}`, 2 * WINDOW_MILLISECONDS))) {
        throw new ProofRefusedError('replay')
      }
      return { from, proof }
    },
    proveResponse: ({ proof }, { status, now, body }) =>
      `${VERSION} ${now} ${mac('answer', proof, status, now, body === undefined ? STREAM : digest(body))}`,
    checkResponse: (proof, header, { status, body }) => {
      const [version, nowText = '', given = ''] = header?.split(' ') ?? []
      const now = Number(nowText)
      const expected = mac('answer', proof, status, now, body === undefined ? STREAM : digest(body))
      return version === VERSION && isEqual(given, expected) ? { now } : undefined
    },
    line: (proof) => {
      const lineKey = createHmac('sha256', key)
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

/** In time that does not depend on where the texts differ. */
export function isEqual(a: string, b: string): boolean {
  const [one, two] = [Buffer.from(a), Buffer.from(b)]
  return one.length === two.length && timingSafeEqual(one, two)
}
