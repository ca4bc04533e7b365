import { timingSafeEqual } from 'node:crypto'
import type { PasswordPolicyType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import type { Pool } from '../../directory/pool.ts'
import { openDocument, sealDocument, type UserDocument, type UserPlace } from '../../directory/user.ts'
import { CognitoError } from '../../errors.ts'
import type { Store } from '../../store/store.ts'
import type { Transaction } from '../../store/write.ts'
import { SALT_BYTES, type SrpIdentity, verifierOf } from './srp.ts'

/** A password as it is kept: base64 of the salt and of the SRP-6a verifier. */
interface Verifier {
  salt: string
  verifier: string
}

/** Body of the `credential` row `<sub>/password`, sealed. `set` is ms since the epoch; `history` is newest first. */
interface PasswordDocument extends Verifier {
  set: number
  history?: Verifier[]
}

/** The name and the sub that a password is bound to; neither ever changes. */
export type PasswordOwner = Pick<UserDocument, 'sub' | 'username'>

const DEFAULT_POLICY: PasswordPolicyType & { MinimumLength: number } = {
  MinimumLength: 8,
  RequireUppercase: true,
  RequireLowercase: true,
  RequireNumbers: true,
  RequireSymbols: true,
}
/** https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ChangePassword.html */
const MOST_CHARACTERS = 256
const SYMBOLS = /[\^$*.[\]{}()?"!@#%&/\\,><':;|_~`=+\- ]/

const keyOf = ({ sub }: Pick<PasswordOwner, 'sub'>): string => `${sub}/password`

/** For whom a password is proved by SRP: the pool's name is the part of its id after the first `_`. */
export function srpIdentityOf(pool: Pick<Pool, 'id'>, username: string): SrpIdentity {
  return { group: pool.id.slice(pool.id.indexOf('_') + 1), name: username }
}

/** The policy of a pool. https://docs.aws.amazon.com/cognito/latest/developerguide/managing-users-passwords.html */
function policyOf({ document }: Pick<Pool, 'document'>): PasswordPolicyType {
  return document.Policies?.PasswordPolicy ?? DEFAULT_POLICY
}

/** Throws InvalidPasswordException with the first rule of the pool that the password breaks. */
export function checkPasswordPolicy(pool: Pick<Pool, 'document'>, password: string): void {
  const policy = policyOf(pool)
  const rules: [boolean | undefined, boolean, string][] = [
    [true, [...password].length >= (policy.MinimumLength ?? DEFAULT_POLICY.MinimumLength), 'Password not long enough'],
    // What the other members for passwords are held to before they come here.
    [true, password.length <= MOST_CHARACTERS, 'Password too long'],
    [policy.RequireUppercase, /[A-Z]/.test(password), 'Password must have uppercase characters'],
    [policy.RequireLowercase, /[a-z]/.test(password), 'Password must have lowercase characters'],
    [policy.RequireNumbers, /\d/.test(password), 'Password must have numeric characters'],
    [policy.RequireSymbols, SYMBOLS.test(password.trim()), 'Password must have symbol characters'],
  ]
  const broken = rules.find(([required, met]) => required && !met)
  if (broken) throw new CognitoError('InvalidPasswordException', `Password did not conform with policy: ${broken[2]}`)
}

/**
 * Writes the password of a user. The user's own row (status, temporarySince) is the caller's to write. Throws
 * PasswordHistoryPolicyViolationException when the pool remembers passwords and this is one of them.
 */
export async function setPassword(
  tx: Transaction,
  { clock }: Pick<Context, 'clock'>,
  place: UserPlace,
  user: PasswordOwner,
  password: string,
): Promise<void> {
  const key = keyOf(user)
  const identity = srpIdentityOf(place.pool, user.username)
  const row = await tx.lock('credential', { pool: place.pool.id, key })
  const present = row && openDocument<PasswordDocument>(place, 'credential', row)
  const remembered = policyOf(place.pool).PasswordHistorySize ?? 0
  const past = present ? [{ salt: present.salt, verifier: present.verifier }, ...(present.history ?? [])] : []
  if (past.slice(0, remembered).some((entry) => matches(entry, identity, password))) {
    throw new CognitoError('PasswordHistoryPolicyViolationException', 'Password has previously been used.')
  }
  const salt = clock.randomBytes(SALT_BYTES)
  const document: PasswordDocument = {
    salt: salt.toString('base64'),
    verifier: verifierOf(identity, password, salt).toString('base64'),
    set: clock.now(),
    ...(remembered > 0 && { history: past.slice(0, remembered) }),
  }
  const body = sealDocument(place, 'credential', key, document)
  await tx.put('credential', { pool: place.pool.id, key, body, fields: { sub: user.sub } })
}

/** Whether it is the user's password. Takes as long for a user who does not exist, or has none. */
export async function checkPassword(
  { store }: Pick<Context, 'store'>,
  place: UserPlace,
  user: PasswordOwner | undefined,
  password: string,
): Promise<boolean> {
  const owner = user ?? nobody(place)
  const known = await findPassword(store, place, owner)
  const right = matches(known ?? emptyPassword(place), srpIdentityOf(place.pool, owner.username), password)
  return right && user !== undefined && known !== undefined
}

/** What SRP needs of a user's password; undefined when the user has none. */
export async function findVerifier(
  { store }: Pick<Context, 'store'>,
  place: UserPlace,
  user: PasswordOwner,
): Promise<{ salt: Buffer; verifier: Buffer } | undefined> {
  const known = await findPassword(store, place, user)
  return known && { salt: Buffer.from(known.salt, 'base64'), verifier: Buffer.from(known.verifier, 'base64') }
}

async function findPassword(
  db: Pick<Store, 'find'>,
  place: UserPlace,
  user: PasswordOwner,
): Promise<PasswordDocument | undefined> {
  const row = await db.find('credential', { pool: place.pool.id, key: keyOf(user) })
  return row && openDocument<PasswordDocument>(place, 'credential', row)
}

function matches({ salt, verifier }: Verifier, identity: SrpIdentity, password: string): boolean {
  return timingSafeEqual(verifierOf(identity, password, Buffer.from(salt, 'base64')), Buffer.from(verifier, 'base64'))
}

const nobody = ({ cipher }: UserPlace): PasswordOwner => ({
  sub: cipher.derive('nobody', 16).toString('hex'),
  username: 'nobody',
})

/** No password is its own: nobody knows its verifier's exponent. */
const emptyPassword = ({ cipher }: UserPlace): Verifier => ({
  salt: cipher.derive('nobody salt', SALT_BYTES).toString('base64'),
  verifier: cipher.derive('nobody verifier', 384).toString('base64'),
})
