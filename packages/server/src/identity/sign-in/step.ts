import type { Client } from '../../directory/pool.ts'
import type { UserPlace } from '../../directory/user.ts'

/** Where somebody signs in. */
export interface SignInPlace extends UserPlace {
  client: Client
}

/** The challenges that can be asked and answered here. */
export type ChallengeName = 'PASSWORD_VERIFIER' | 'NEW_PASSWORD_REQUIRED'

/** The answer to a sign-in, or to an answer: what is asked next, or tokens. */
export type Step = ChallengeStep | TokensStep

export interface ChallengeStep {
  kind: 'challenge'
  challenge: ChallengeName
  parameters: Record<string, string>
  session: string
}

export interface TokensStep {
  kind: 'tokens'
  accessToken: string
  idToken: string
  /** Absent where the one that was presented stays. */
  refreshToken?: string
  /** Lifetime of the access token. */
  expiresInSeconds: number
}

/** What the caller sends with a flow or a challenge: names to strings. */
export type Parameters = Readonly<Record<string, string | undefined>>
