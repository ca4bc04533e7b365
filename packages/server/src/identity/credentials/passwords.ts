import { timingSafeEqual } from 'node:crypto'
import type { PasswordPolicyType } from '@aws-sdk/client-cognito-identity-provider'
import type { Clock } from '../../clock.ts'
import type { Context } from '../../context.ts'
import { aliasTypesOf, ignoresCase, normalize } from '../../directory/alias.ts'
import {
  findPassword,
  lockPassword,
  type PasswordDocument,
  putPassword,
  type Verifier,
} from '../../directory/credential.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import type { Pool } from '../../directory/pool.ts'
import type { UserDocument } from '../../directory/user.ts'
import { CognitoError, notAuthorized } from '../../errors.ts'
import type { Transaction } from '../../store/write.ts'
import { SALT_BYTES, type SrpIdentity, verifierOf } from './srp.ts'

/** The username and sub that a password is bound to; neither ever changes. */
export type PasswordOwner = Pick<UserDocument, 'sub' | 'username'>

const DEFAULT_POLICY: PasswordPolicyType & { MinimumLength: number } = {
  MinimumLength: 8,
  RequireUppercase: true,
  RequireLowercase: true,
  RequireNumbers: true,
  RequireSymbols: true,
}
/** https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ChangePassword.html */
const MAX_CHARACTERS = 256
const SYMBOLS = /[\^$*.[\]{}()?"!@#%&/\\,><':;|_~`=+\- ]/

/** The SRP identity of a user; `group` is the part of the pool id after the first `_`. */
export function srpIdentityOf(pool: Pick<Pool, 'id'>, username: string): SrpIdentity {
  return { group: pool.id.slice(pool.id.indexOf('_') + 1), name: username }
}

/** https://docs.aws.amazon.com/cognito/latest/developerguide/managing-users-passwords.html */
function policyOf({ document }: Pick<Pool, 'document'>): PasswordPolicyType {
  return document.Policies?.PasswordPolicy ?? DEFAULT_POLICY
}

/** Throws InvalidPasswordException, naming the first rule of the pool that the password breaks. */
export function checkPasswordPolicy(pool: Pick<Pool, 'document'>, password: string): void {
  const policy = policyOf(pool)
  const rules: [boolean | undefined, boolean, string][] = [
    [true, [...password].length >= (policy.MinimumLength ?? DEFAULT_POLICY.MinimumLength), 'Password not long enough'],
    // The API model limits most password members to 256 already, but not all of them.
    [true, password.length <= MAX_CHARACTERS, 'Password too long'],
    [policy.RequireUppercase, /[A-Z]/.test(password), 'Password must have uppercase characters'],
    [policy.RequireLowercase, /[a-z]/.test(password), 'Password must have lowercase characters'],
    [policy.RequireNumbers, /\d/.test(password), 'Password must have numeric characters'],
    [policy.RequireSymbols, SYMBOLS.test(password.trim()), 'Password must have symbol characters'],
  ]
  const broken = rules.find(([required, met]) => required && !met)
  if (broken) throw new CognitoError('InvalidPasswordException', `Password did not conform with policy: ${broken[2]}`)
}

/**
 * Writes the password of a user. The caller writes the user's row (status, temporarySince). Throws
 * PasswordHistoryPolicyViolationException when the pool keeps a password history that contains this password.
 */
export async function setPassword(
  tx: Transaction,
  { clock }: { clock: Pick<Clock, 'randomBytes'> },
  openPool: OpenPool,
  user: PasswordOwner,
  password: string,
): Promise<void> {
  const identity = srpIdentityOf(openPool.pool, user.username)
  const present = await lockPassword(tx, openPool, user.sub)
  const remembered = policyOf(openPool.pool).PasswordHistorySize ?? 0
  const past = present ? [{ salt: present.salt, verifier: present.verifier }, ...(present.history ?? [])] : []
  if (past.slice(0, remembered).some((entry) => matches(entry, identity, password))) {
    throw new CognitoError('PasswordHistoryPolicyViolationException', 'Password has previously been used.')
  }
  const newVerifier = (identity: SrpIdentity): Verifier => {
    const salt = clock.randomBytes(SALT_BYTES)
    return { salt: salt.toString('base64'), verifier: verifierOf(identity, password, salt).toString('base64') }
  }
  const { pool } = openPool
  const normalName = normalize(pool, 'username', user.username)
  const document: PasswordDocument = {
    ...newVerifier(identity),
    set: tx.now,
    ...(needsVerifierBySub(pool, user) && { bySub: newVerifier(srpIdentityOf(pool, user.sub)) }),
    // Without regard to case, sign-ins that hide the username are by the sub.
    ...(normalName !== user.username &&
      !ignoresCase(pool) && { byNormalName: newVerifier(srpIdentityOf(pool, normalName)) }),
    ...(remembered > 0 && { history: past.slice(0, remembered) }),
  }
  await putPassword(tx, openPool, user.sub, document)
}

/** Whether the user can be found by a name that does not contain the username as it is stored. */
const needsVerifierBySub = (pool: Pool, { username, sub }: PasswordOwner): boolean =>
  username !== sub && (aliasTypesOf(pool).length > 0 || ignoresCase(pool))

/** The verifier of a password over a name of its user: the username, its normal form, or the sub. */
export function verifierOver(
  password: PasswordDocument,
  { username, sub }: PasswordOwner,
  name: string,
): Verifier | undefined {
  if (name === username) return password
  return name === sub ? password.bySub : password.byNormalName
}

export const wrongPassword = (): CognitoError => notAuthorized('Incorrect username or password.')

/**
 * Whether it is the user's password. Takes the same time for a missing user, in whose place the password of `other` is read, and for
 * a user without a password.
 */
export async function checkPassword(
  { store }: Pick<Context, 'store'>,
  openPool: OpenPool,
  { user, other }: { user: PasswordOwner | undefined; other?: PasswordOwner | undefined },
  password: string,
): Promise<boolean> {
  const owner = user ?? other ?? decoyOwner(openPool)
  const stored = await findPassword(store, openPool, owner.sub)
  const correct = matches(stored ?? decoyPassword(openPool), srpIdentityOf(openPool.pool, owner.username), password)
  return correct && user !== undefined && stored !== undefined
}

export const decodeVerifier = ({ salt, verifier }: Verifier): { salt: Buffer; verifier: Buffer } => ({
  salt: Buffer.from(salt, 'base64'),
  verifier: Buffer.from(verifier, 'base64'),
})

function matches({ salt, verifier }: Verifier, identity: SrpIdentity, password: string): boolean {
  return timingSafeEqual(verifierOf(identity, password, Buffer.from(salt, 'base64')), Buffer.from(verifier, 'base64'))
}

const decoyOwner = ({ cipher }: OpenPool): PasswordOwner => ({
  sub: cipher.derive('nobody', 16).toString('hex'),
  username: 'nobody',
})

/** No password matches: the exponent of this verifier is unknown. */
const decoyPassword = ({ cipher }: OpenPool): Verifier => ({
  salt: cipher.derive('nobody salt', SALT_BYTES).toString('base64'),
  verifier: cipher.derive('nobody verifier', 384).toString('base64'),
})
