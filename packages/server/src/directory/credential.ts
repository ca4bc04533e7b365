import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { findDocument, sealDocument } from './document.ts'
import type { OpenPool } from './open-pool.ts'
import { openUser, type User } from './user.ts'

/** The stored form of a password: salt and SRP-6a verifier, base64. */
export interface Verifier {
  salt: string
  verifier: string
}

/**
 * Body of the `credential` row `<sub>/password`: the verifier over the username. `set` is ms since the epoch; `history` is newest
 * first.
 */
export interface PasswordDocument extends Verifier {
  set: number
  /** The verifier over the sub, for sign-ins that must not reveal the username; absent in rows of builds before 0.2.0. */
  bySub?: Verifier
  /**
   * The verifier over the normal form of the username, for the same sign-ins; only if the username has another form. Absent in rows of
   * builds before 0.2.0.
   */
  byNormalName?: Verifier
  history?: Verifier[]
}

const addressOf = ({ pool }: OpenPool, sub: string) => ({ pool: pool.id, key: `${sub}/password` })

export async function findPassword(
  db: Pick<Transaction, 'find'>,
  openPool: OpenPool,
  sub: string,
): Promise<PasswordDocument | undefined> {
  const row = await db.find('credential', addressOf(openPool, sub))
  return row && findDocument(openPool, 'credential', row)
}

export async function lockPassword(
  tx: Transaction,
  openPool: OpenPool,
  sub: string,
): Promise<PasswordDocument | undefined> {
  const row = await tx.lock('credential', addressOf(openPool, sub))
  return row && findDocument(openPool, 'credential', row)
}

export async function putPassword(
  tx: Transaction,
  openPool: OpenPool,
  sub: string,
  document: PasswordDocument,
): Promise<void> {
  const address = addressOf(openPool, sub)
  const body = sealDocument(openPool, 'credential', address.key, document)
  await tx.put('credential', { ...address, body, fields: { sub } })
}

/** Reads a user and the user's password in one query. */
export async function findUserAndPassword(
  store: Pick<Store, 'bodies'>,
  openPool: OpenPool,
  sub: string,
): Promise<{ user: User | undefined; password: PasswordDocument | undefined }> {
  const { key } = addressOf(openPool, sub)
  const [user, password] = await store.bodies(openPool.pool.id, [
    { kind: 'user', key: sub },
    { kind: 'credential', key },
  ])
  return {
    user: user === undefined ? undefined : openUser(openPool, { key: sub, body: user }),
    password: password === undefined ? undefined : findDocument(openPool, 'credential', { key, body: password }),
  }
}
