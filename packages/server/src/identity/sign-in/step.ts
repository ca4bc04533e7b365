import type { AttributeType } from '@aws-sdk/client-cognito-identity-provider'

/** The result of a sign-in, or of a response to a challenge: the next challenge, or tokens. Faces render it. */
export type Step = ChallengeStep | TokensStep

export type ChallengeStep = PasswordVerifierStep | NewPasswordStep

interface Challenge {
  kind: 'challenge'
  /** The real username, which the proof is computed over. */
  username: string
  /** The sealed state of the sign-in, to be returned with the response. */
  session: string
}

export interface PasswordVerifierStep extends Challenge {
  challenge: 'PASSWORD_VERIFIER'
  salt: Buffer
  B: Buffer
  secretBlock: Buffer
}

export interface NewPasswordStep extends Challenge {
  challenge: 'NEW_PASSWORD_REQUIRED'
  /** What the client may read of the user, `sub` left out. */
  attributes: AttributeType[]
  /** Names of required attributes that the user lacks. */
  missing: string[]
}

/** The challenges that can be asked and responded to here. */
export type ChallengeName = ChallengeStep['challenge']

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
