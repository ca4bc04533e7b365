import { unknownClient } from '../../../identity/sessions/revoke-token.ts'
import type { OperationRow } from '../../rows.ts'
import { client, PASSWORD, pool, token } from '../../rows.ts'
import { AdminInitiateAuth } from './AdminInitiateAuth.ts'
import { AdminRespondToAuthChallenge } from './AdminRespondToAuthChallenge.ts'
import { GetTokensFromRefreshToken } from './GetTokensFromRefreshToken.ts'
import { GlobalSignOut } from './GlobalSignOut.ts'
import { InitiateAuth } from './InitiateAuth.ts'
import { RespondToAuthChallenge } from './RespondToAuthChallenge.ts'
import { RevokeToken } from './RevokeToken.ts'

/** A refresh verifies no password. */
const isNotRefresh = ({ AuthFlow }: { AuthFlow: string }): boolean => !AuthFlow.startsWith('REFRESH_TOKEN')

// biome-ignore format: a table
export const authOperations = {
  InitiateAuth:                client('A', InitiateAuth, { usesPassword: isNotRefresh, signsIn: true }),
  RespondToAuthChallenge:      client('A', RespondToAuthChallenge, { ...PASSWORD, signsIn: true }),
  AdminInitiateAuth:           pool('A', AdminInitiateAuth, { usesPassword: isNotRefresh, signsIn: true }),
  AdminRespondToAuthChallenge: pool('A', AdminRespondToAuthChallenge, { ...PASSWORD, signsIn: true }),
  GetTokensFromRefreshToken:   client('A', GetTokensFromRefreshToken, { signsIn: true }),
  GetClientToken:              client('P'),
  RevokeToken:                 client('A', RevokeToken, { unknownClient }),
  GlobalSignOut:               token('A', GlobalSignOut),
} as const satisfies Record<string, OperationRow>
