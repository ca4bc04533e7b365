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
  InitiateAuth:                client('A', InitiateAuth, { usesPassword: isNotRefresh }),
  RespondToAuthChallenge:      client('A', RespondToAuthChallenge, PASSWORD),
  AdminInitiateAuth:           pool('A', AdminInitiateAuth, { usesPassword: isNotRefresh }),
  AdminRespondToAuthChallenge: pool('A', AdminRespondToAuthChallenge, PASSWORD),
  GetTokensFromRefreshToken:   client('A', GetTokensFromRefreshToken),
  GetClientToken:              client('P'),
  RevokeToken:                 client('A', RevokeToken, { unknownClient }),
  GlobalSignOut:               token('A', GlobalSignOut),
} as const satisfies Record<string, OperationRow>
