import type { AttributeType } from '@aws-sdk/client-cognito-identity-provider'

/** The result of a sign-in, or of a response to a challenge: the next challenge, or tokens. Faces render it. */
export type Step = ChallengeStep | TokensStep

export type ChallengeStep = PasswordVerifierStep | NewPasswordStep

interface Challenge {
  kind: 'challenge'
  /** The real username; the client computes its proof over it. */
  username: string
}

export interface PasswordVerifierStep extends Challenge {
  challenge: 'PASSWORD_VERIFIER'
  /** Undefined unless the call asked for it: SECRET_BLOCK has the state. */
  session: string | undefined
  salt: Buffer
  B: Buffer
  secretBlock: Buffer
}

export interface NewPasswordStep extends Challenge {
  challenge: 'NEW_PASSWORD_REQUIRED'
  /** The sealed state of the sign-in; the client returns it with the response. */
  session: string
  /** The attributes that the client may read, without `sub`. */
  attributes: AttributeType[]
  /** Names of required attributes that the user lacks. */
  missing: string[]
}

/** The challenges that are implemented. */
export type ChallengeName = ChallengeStep['challenge']

export interface TokensStep {
  kind: 'tokens'
  accessToken: string
  idToken: string
  /** Absent if the presented refresh token stays valid. */
  refreshToken?: string
  /** Lifetime of the access token. */
  expiresInSeconds: number
}

/** AuthParameters or ChallengeResponses of a call. */
export type Parameters = Readonly<Record<string, string | undefined>>
