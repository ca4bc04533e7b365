import type { Client } from '../directory/client.ts'

type TokenClient = Pick<Client, 'document'>

export const UNIT_SECONDS = { seconds: 1, minutes: 60, hours: 3_600, days: 86_400 }

const DEFAULT_ACCESS_SECONDS = 3_600
export const DEFAULT_REFRESH_SECONDS = 30 * 86_400

/** Maximum lifetime of an access or ID token. */
export const MAX_ACCESS_SECONDS = 86_400

/**
 * The lifetimes of a client's tokens.
 * https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html
 */
export function lifetimesOf({ document }: TokenClient): {
  accessSeconds: number
  idSeconds: number
  refreshSeconds: number
} {
  const units = document.TokenValidityUnits
  return {
    accessSeconds:
      (document.AccessTokenValidity ?? 0) * UNIT_SECONDS[units?.AccessToken ?? 'hours'] || DEFAULT_ACCESS_SECONDS,
    idSeconds: (document.IdTokenValidity ?? 0) * UNIT_SECONDS[units?.IdToken ?? 'hours'] || DEFAULT_ACCESS_SECONDS,
    refreshSeconds:
      (document.RefreshTokenValidity ?? 0) * UNIT_SECONDS[units?.RefreshToken ?? 'days'] || DEFAULT_REFRESH_SECONDS,
  }
}

/** Whether token revocation is enabled for the client. */
export const canRevoke = ({ document }: TokenClient): boolean => document.EnableTokenRevocation !== false

/** Whether refresh token rotation is enabled for the client: each refresh replaces the refresh token. */
export const rotates = ({ document }: TokenClient): boolean => document.RefreshTokenRotation?.Feature === 'ENABLED'
