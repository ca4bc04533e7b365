import { CLIENT_ROWS } from '../identity/clients/omitted.ts'
import type { OmittedRows } from '../identity/omitted.ts'
import { DOMAIN_ROWS, MFA_ROWS, POOL_ROWS } from '../identity/pools/omitted.ts'
import { GROUP_ROWS } from '../identity/users/omitted.ts'
import type { OperationName } from './shapes.generated.ts'

/** What each update does to the members that its caller leaves out. */
export const omittedMembers: Partial<Record<OperationName, OmittedRows<never>>> = {
  UpdateUserPool: POOL_ROWS,
  UpdateUserPoolClient: CLIENT_ROWS,
  SetUserPoolMfaConfig: MFA_ROWS,
  UpdateUserPoolDomain: DOMAIN_ROWS,
  UpdateGroup: GROUP_ROWS,
}

export interface Difference {
  operations: string
  /** What the API reference says, or leaves open. */
  text: string
  here: string
  why: string
}

/** Where this service differs from the API reference on purpose, or chooses between sources. docs/decisions/contract.md has more. */
export const differences: readonly Difference[] = [
  {
    operations: 'UpdateUserPool, UpdateUserPoolClient',
    text: 'every omitted member returns to its default',
    here: 'member by member: see below',
    why: 'measured; and an older SDK must not reset members that it does not know',
  },
  {
    operations: 'AdminUpdateUserAttributes',
    text: 'AliasExistsException for the verified address of another user',
    here: 'with `*_verified` true the alias moves, and the previous holder becomes unverified; with UsernameAttributes the error',
    why: 'measured; with UsernameAttributes the address is the only name of the other user',
  },
  {
    operations: 'CreateUserPool, UpdateUserPool',
    text: 'legacy messages and VerificationMessageTemplate must be equal',
    here: 'each keeps its own value, and messages are sent from the template',
    why: 'an example of AWS; a measurement reads the value of the template in both',
  },
  {
    operations: 'InitiateAuth, AdminInitiateAuth',
    text: 'UserNotConfirmedException, without an order',
    here: 'before the password is checked; for clients that prevent user existence errors, after a correct password',
    why: 'measured; a wrong password must not reveal that a user exists',
  },
  {
    operations: 'AdminInitiateAuth, InitiateAuth',
    text: 'USERNAME may be a sub',
    here: 'UserNotFoundException; only administrative calls take a sub',
    why: 'measured',
  },
  {
    operations: 'ConfirmForgotPassword',
    text: 'ExpiredCodeException for a user without a code',
    here: 'for clients that prevent user existence errors, the same error whether the user exists or not',
    why: 'the other error reveals that a user exists',
  },
  {
    operations: 'all',
    text: 'examples in the documentation of the SDK and of the CLI',
    here: 'each is played; tests/documentation/differences.ts names the differences',
    why: 'each has its reason there',
  },
]
