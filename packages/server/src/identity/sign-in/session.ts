import { decodeExactly } from '../../base64.ts'
import type { Context } from '../../context.ts'
import type { OpenClient, OpenPool } from '../../directory/open-pool.ts'
import { type CognitoError, notAuthorized } from '../../errors.ts'
import { type Purpose, SealBrokenError, SealVersionError } from '../../keys/pool-keys.ts'
import { isPoolId } from '../../tokens/issuer.ts'
import type { SrpState } from '../credentials/srp.ts'
import type { ChallengeName } from './step.ts'

/** The state that the next step of a sign-in needs. `expires` is ms since the epoch. */
export interface Session {
  id: string
  client: string
  sub: string
  challenge: ChallengeName
  flow: string
  expires: number
  /** In a sign-in with a temporary password: when the password was set (ms since the epoch). */
  temporarySince?: number | undefined
}

/** The content of SECRET_BLOCK: the session, and the server's state of SRP. */
export interface SrpSession extends Session {
  srp: SrpState
  /** USER_ID_FOR_SRP; absent in sessions of older builds: the username, or the sub of a decoy. */
  srpName?: string
  /** Hash of the name that began the sign-in, for clients that hide whether a user exists. */
  typed?: string
  /** The user whose rows are read: the subject, or another user in place of a decoy. */
  rowsOf?: string
}

const DEFAULT_MINUTES = 3
const BLOCK = 'base64'
const TEXT = 'base64url'

/** Creates a session that lasts for the client's AuthSessionValidity. */
export function newSession(
  { clock }: Pick<Context, 'clock'>,
  { client }: OpenClient,
  { sub, challenge, flow }: Pick<Session, 'sub' | 'challenge' | 'flow'>,
): Session {
  const minutes = client.document.AuthSessionValidity ?? DEFAULT_MINUTES
  return { id: clock.uuid(), client: client.id, sub, challenge, flow, expires: clock.now() + minutes * 60_000 }
}

/** Renders a session as `Session`: the pool's id in the clear, for calls that name no pool, then the sealed state. */
export function sealSession(openPool: OpenPool, session: Session): string {
  const pool = Buffer.from(openPool.pool.id)
  return Buffer.concat([Buffer.of(pool.length), pool, seal(openPool, 'session', session)]).toString(TEXT)
}

/** The pool id in a session, if it has the format of a pool id. Unverified: openSession checks it. */
export function poolOfSession(text: string): string | undefined {
  const bytes = decodeExactly(text, TEXT)
  const pool = bytes?.subarray(1, 1 + (bytes[0] ?? 0)).toString()
  return pool !== undefined && isPoolId(pool) ? pool : undefined
}

/** Opens a session; call checkUsable before use. Throws NotAuthorizedException. */
export function openSession(openPool: OpenPool, text: string): Session {
  const bytes = decodeExactly(text, TEXT)
  const pool = bytes?.subarray(1, 1 + (bytes[0] ?? 0)).toString()
  if (!bytes || pool !== openPool.pool.id) throw invalidSession()
  return open<Session>(openPool, 'session', bytes.subarray(1 + pool.length))
}

export function sealSecretBlock(openPool: OpenPool, { srp: { A, b, u }, ...session }: SrpSession): Buffer {
  const srp = { A: A.toString(BLOCK), b: b.toString(BLOCK), u: u.toString(BLOCK) }
  return seal(openPool, 'srp', { ...session, srp })
}

/** Opens the state of an SRP sign-in; call checkUsable before use. Throws NotAuthorizedException. */
export function openSecretBlock(openPool: OpenPool, text: string): SrpSession & { block: Buffer } {
  const block = decodeExactly(text, BLOCK)
  if (!block) throw invalidSession()
  const { srp, ...session } = open<Omit<SrpSession, 'srp'> & { srp: Record<keyof SrpState, string> }>(
    openPool,
    'srp',
    block,
  )
  const decode = (name: keyof SrpState): Buffer => Buffer.from(srp[name], BLOCK)
  return { ...session, block, srp: { A: decode('A'), b: decode('b'), u: decode('u') } }
}

/** Checks that a session has neither expired nor been used. Throws NotAuthorizedException. */
export async function checkUsable(
  { throttling, clock }: SessionContext,
  { pool }: OpenPool,
  { id, expires }: Pick<Session, 'id' | 'expires'>,
): Promise<void> {
  if (expires <= clock.now()) throw expired()
  if (await throttling.read(markOf(pool.id, id))) throw alreadyUsed()
}

/**
 * Marks a session as used. The mark is regional: in another region of the pool, a caller with the session and the correct response
 * could use it once more until it expires. Throws NotAuthorizedException.
 */
export async function consumeSession(
  { throttling, clock }: SessionContext,
  { pool }: OpenPool,
  { id, expires }: Session,
): Promise<void> {
  if (!(await throttling.once(markOf(pool.id, id), Math.max(1, expires - clock.now())))) throw alreadyUsed()
}

type SessionContext = Pick<Context, 'throttling' | 'clock'>

function seal({ pool, cipher }: OpenPool, purpose: Purpose, value: unknown): Buffer {
  return cipher.seal(purpose, Buffer.from(JSON.stringify(value)), pool.id)
}

function open<T>({ pool, cipher }: OpenPool, purpose: Purpose, sealed: Buffer): T {
  try {
    return JSON.parse(cipher.open(purpose, sealed, pool.id).toString('utf8')) as T
  } catch (error) {
    if (error instanceof SealVersionError) throw expired()
    throw error instanceof SealBrokenError ? invalidSession() : error
  }
}

export const invalidSession = (message = 'Invalid session for the user.'): CognitoError => notAuthorized(message)

const expired = (): CognitoError => invalidSession('Invalid session for the user, session is expired.')

const alreadyUsed = (): CognitoError => invalidSession('Invalid session for the user, session can only be used once.')

const markOf = (pool: string, id: string): string => `session\n${pool}\n${id}`
