import type { Client } from '../directory/client.ts'

type TokenClient = Pick<Client, 'document'>

const SECONDS = { seconds: 1, minutes: 60, hours: 3_600, days: 86_400 }

const HOUR = 3_600
const REFRESH_DEFAULT = 30 * 86_400

/** The longest that an access or ID token lives. */
export const MAX_ACCESS_SECONDS = 86_400

/**
 * How long the tokens of a client live.
 * https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html
 */
export function lifetimesOf({ document }: TokenClient): {
  accessSeconds: number
  idSeconds: number
  refreshSeconds: number
} {
  const units = document.TokenValidityUnits
  return {
    accessSeconds: (document.AccessTokenValidity ?? 0) * SECONDS[units?.AccessToken ?? 'hours'] || HOUR,
    idSeconds: (document.IdTokenValidity ?? 0) * SECONDS[units?.IdToken ?? 'hours'] || HOUR,
    refreshSeconds: (document.RefreshTokenValidity ?? 0) * SECONDS[units?.RefreshToken ?? 'days'] || REFRESH_DEFAULT,
  }
}

/** Whether single tokens of the client can be revoked. */
export const canRevoke = ({ document }: TokenClient): boolean => document.EnableTokenRevocation !== false

/** Whether each refresh of the client gives a new refresh token in place of the old one. */
export const rotates = ({ document }: TokenClient): boolean => document.RefreshTokenRotation?.Feature === 'ENABLED'
