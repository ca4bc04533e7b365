import {
  AdminInitiateAuthCommand,
  type AuthenticationResultType,
  type AuthFlowType,
  type ChallengeNameType,
  type CognitoIdentityProviderClient,
  GetTokensFromRefreshTokenCommand,
  GetUserCommand,
  InitiateAuthCommand,
  type InitiateAuthCommandOutput,
  RespondToAuthChallengeCommand,
  type RespondToAuthChallengeCommandOutput,
} from '@aws-sdk/client-cognito-identity-provider'
import { PASSWORD, secretHash, type TestClient } from './pools.ts'
import { srpSignIn } from './srp.ts'

/** The app client that the users sign in with; the pool is needed only for SRP and for administrators' calls. */
export type AppClient = Pick<TestClient, 'id'> & Partial<TestClient>

export type Tokens = Required<Pick<AuthenticationResultType, 'AccessToken' | 'IdToken' | 'RefreshToken'>> &
  AuthenticationResultType

export interface SignIn {
  username: string
  password?: string
}

/** Calls that users make in a region through an app. Adds the secret hash if the client has a secret (not for SRP). */
export interface People {
  /** InitiateAuth with the given input. */
  begin(client: AppClient, flow: AuthFlowType, parameters: Record<string, string>): Promise<InitiateAuthCommandOutput>
  /** RespondToAuthChallenge with the given input. */
  respond(
    client: AppClient,
    challenge: ChallengeNameType,
    responses: Record<string, string>,
    session?: string,
  ): Promise<RespondToAuthChallengeCommandOutput>
  /** Signs in by password. */
  signIn(client: AppClient, who: SignIn): Promise<Tokens>
  /** Signs in by SRP; the response to the challenge may go to another region. */
  signInBySrp(client: TestClient, who: SignIn & { finishIn?: Region }): Promise<Tokens>
  /** Signs in by password with a signed call (AdminInitiateAuth). */
  signInByAdmin(client: TestClient, who: SignIn): Promise<Tokens>
  /** REFRESH_TOKEN_AUTH; the username is needed if the client has a secret. */
  refresh(client: AppClient, refreshToken: string | undefined, who?: Pick<SignIn, 'username'>): Promise<Tokens>
  /** GetTokensFromRefreshToken. */
  getTokens(client: AppClient, refreshToken: string | undefined): Promise<Tokens>
  /** GetUser. */
  getUser(accessToken: string | undefined): ReturnType<typeof getUser>
}

type Region = { cognito: CognitoIdentityProviderClient }

/** The calls of users in one region. */
export function people({ cognito }: Region): People {
  const begin: People['begin'] = ({ id }, flow, parameters) =>
    cognito.send(new InitiateAuthCommand({ ClientId: id, AuthFlow: flow, AuthParameters: parameters }))
  return {
    begin,
    respond: ({ id }, challenge, responses, session) =>
      cognito.send(
        new RespondToAuthChallengeCommand({
          ClientId: id,
          ChallengeName: challenge,
          ChallengeResponses: responses,
          Session: session,
        }),
      ),
    signIn: async (client, { username, password = PASSWORD }) =>
      tokensOf(
        await begin(client, 'USER_PASSWORD_AUTH', {
          USERNAME: username,
          PASSWORD: password,
          ...proofOf(client, username),
        }),
      ),
    signInBySrp: async ({ pool, id }, { username, password = PASSWORD, finishIn }) =>
      tokensOf(await srpSignIn({ cognito, finishIn: finishIn?.cognito, pool, client: id, username, password })),
    signInByAdmin: async (client, { username, password = PASSWORD }) =>
      tokensOf(
        await cognito.send(
          new AdminInitiateAuthCommand({
            UserPoolId: client.pool,
            ClientId: client.id,
            AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
            AuthParameters: { USERNAME: username, PASSWORD: password, ...proofOf(client, username) },
          }),
        ),
      ),
    refresh: async (client, refreshToken = '', who = undefined) =>
      tokensOf(
        await begin(client, 'REFRESH_TOKEN_AUTH', {
          REFRESH_TOKEN: refreshToken,
          ...(who && proofOf(client, who.username)),
        }),
      ),
    getTokens: async ({ id, secret }, refreshToken) =>
      tokensOf(
        await cognito.send(
          new GetTokensFromRefreshTokenCommand({ ClientId: id, ClientSecret: secret, RefreshToken: refreshToken }),
        ),
      ),
    getUser: (accessToken) => getUser(cognito, accessToken),
  }
}

const getUser = (cognito: CognitoIdentityProviderClient, accessToken: string | undefined) =>
  cognito.send(new GetUserCommand({ AccessToken: accessToken }))

const tokensOf = ({ AuthenticationResult }: { AuthenticationResult?: AuthenticationResultType }): Tokens =>
  AuthenticationResult as Tokens

const proofOf = (client: AppClient, username: string): Record<string, string> =>
  client.secret === undefined ? {} : { SECRET_HASH: secretHash({ pool: '', secret: undefined, ...client }, username) }
