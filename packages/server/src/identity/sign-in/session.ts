import type { Context } from '../../context.ts'
import type { OpenClient, OpenPool } from '../../directory/open-pool.ts'
import { type CognitoError, notAuthorized } from '../../errors.ts'
import { type Purpose, SealBrokenError } from '../../keys/pool-keys.ts'
import { isPoolId } from '../../tokens/issuer.ts'
import type { SrpState } from '../credentials/srp.ts'
import type { ChallengeName } from './step.ts'

/** What the next step of a sign-in must know. `expires` is ms since the epoch. */
export interface Session {
  id: string
  client: string
  sub: string
  challenge: ChallengeName
  flow: string
  expires: number
  /** Of a sign-in with a temporary password: when that one was set (ms since the epoch). */
  temporarySince?: number | undefined
}

/** What SECRET_BLOCK says: the session, and the server's side of SRP. */
export interface SrpSession extends Session {
  srp: SrpState
}

const DEFAULT_MINUTES = 3
const BLOCK = 'base64'
const TEXT = 'base64url'

/** A session that begins now and lasts as long as the client lets it. */
export function newSession(
  { clock }: Pick<Context, 'clock'>,
  { client }: OpenClient,
  { sub, challenge, flow }: Pick<Session, 'sub' | 'challenge' | 'flow'>,
): Session {
  const minutes = client.document.AuthSessionValidity ?? DEFAULT_MINUTES
  return { id: clock.uuid(), client: client.id, sub, challenge, flow, expires: clock.now() + minutes * 60_000 }
}

/**
 * The session as its holder carries it: the pool's id in the clear, for calls that name no pool, then the sealed rest.
 */
export function sealSession(openPool: OpenPool, session: Session): string {
  const pool = Buffer.from(openPool.pool.id)
  return Buffer.concat([Buffer.of(pool.length), pool, seal(openPool, 'session', session)]).toString(TEXT)
}

/** The pool that a session says it is of, if it has the form of one; nothing of it is believed yet. */
export function poolOfSession(text: string): string | undefined {
  const bytes = Buffer.from(text, TEXT)
  const pool = bytes.subarray(1, 1 + (bytes[0] ?? 0)).toString()
  return isPoolId(pool) ? pool : undefined
}

/** Opens a session; checkUsable decides whether it may be used. Throws NotAuthorizedException. */
export function openSession(openPool: OpenPool, text: string): Session {
  const bytes = Buffer.from(text, TEXT)
  return open<Session>(openPool, 'session', bytes.subarray(1 + (bytes[0] ?? 0)))
}

export function sealSecretBlock(openPool: OpenPool, { srp: { A, b, u }, ...session }: SrpSession): Buffer {
  const srp = { A: A.toString(BLOCK), b: b.toString(BLOCK), u: u.toString(BLOCK) }
  return seal(openPool, 'srp', { ...session, srp })
}

/** Opens the state of an SRP sign-in; checkUsable decides whether it may be used. Throws NotAuthorizedException. */
export function openSecretBlock(openPool: OpenPool, block: Buffer): SrpSession {
  const { srp, ...session } = open<Session & { srp: Record<keyof SrpState, string> }>(openPool, 'srp', block)
  const read = (name: keyof SrpState): Buffer => Buffer.from(srp[name], BLOCK)
  return { ...session, srp: { A: read('A'), b: read('b'), u: read('u') } }
}

/** Checks that a session has neither expired nor been used up. Throws NotAuthorizedException. */
export async function checkUsable(
  { throttling, clock }: Using,
  { pool }: OpenPool,
  { id, expires }: Pick<Session, 'id' | 'expires'>,
): Promise<void> {
  if (expires <= clock.now()) throw invalidSession('Invalid session for the user, session is expired.')
  if (await throttling.read(markOf(pool.id, id))) throw spent()
}

/**
 * Uses a session up. The mark is regional: in another region of the pool the session could be used once more until it ends,
 * by somebody who has it and the right answer. Throws NotAuthorizedException.
 */
export async function spendSession(
  { throttling, clock }: Using,
  { pool }: OpenPool,
  { id, expires }: Session,
): Promise<void> {
  if (!(await throttling.once(markOf(pool.id, id), Math.max(1, expires - clock.now())))) throw spent()
}

type Using = Pick<Context, 'throttling' | 'clock'>

function seal({ pool, cipher }: OpenPool, purpose: Purpose, value: unknown): Buffer {
  return cipher.seal(purpose, Buffer.from(JSON.stringify(value)), pool.id)
}

function open<T>({ pool, cipher }: OpenPool, purpose: Purpose, sealed: Buffer): T {
  try {
    return JSON.parse(cipher.open(purpose, sealed, pool.id).toString('utf8')) as T
  } catch (error) {
    throw error instanceof SealBrokenError ? invalidSession() : error
  }
}

export const invalidSession = (message = 'Invalid session for the user.'): CognitoError => notAuthorized(message)

const spent = (): CognitoError => invalidSession('Invalid session for the user, session can only be used once.')

const markOf = (pool: string, id: string): string => `session\n${pool}\n${id}`
