import {
  AdminUpdateUserAttributesCommand,
  type CognitoIdentityProviderClient,
  InitiateAuthCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import type { TwinpoolClient } from '@twinpool/client'
import { pause } from './pace.ts'
import type { Setting } from './setting.ts'

const SIGNERS = 3
const REFRESHERS = 3
/** People pause between calls: without a pause, the load would only measure how fast calls can fail. */
const THINKING_MILLISECONDS = 10
const MARK = 'name'

export interface Load {
  /** The newest mark of each user that the primary has acknowledged. */
  readonly acknowledged: ReadonlyMap<string, number>
  stop(): Promise<void>
}

/** Runs sign-ins and refreshes through the resilient client, and writes at the primary, until `stop` is called. */
export function startLoad({
  setting,
  twinpool,
  writer,
}: {
  setting: Setting
  twinpool: TwinpoolClient
  writer: CognitoIdentityProviderClient
}): Load {
  const { pool, client, password, users } = setting
  const acknowledged = new Map<string, number>()
  let running = true
  let turn = 0
  const nextUser = (): string => users[turn++ % users.length] as string

  const repeat = async (work: () => Promise<void>): Promise<void> => {
    while (running) {
      // Ignore failures here: the client's events count them.
      await work().catch(() => {})
      await pause(THINKING_MILLISECONDS)
    }
  }
  const signIn = (user: string) =>
    twinpool.send(
      new InitiateAuthCommand({
        ClientId: client,
        AuthFlow: 'USER_PASSWORD_AUTH',
        AuthParameters: { USERNAME: user, PASSWORD: password },
      }),
    )

  const workers = [
    ...Array.from({ length: SIGNERS }, () =>
      repeat(async () => {
        await signIn(nextUser())
      }),
    ),
    ...Array.from({ length: REFRESHERS }, async () => {
      let token: string | undefined
      await repeat(async () => {
        token ??= (await signIn(nextUser())).AuthenticationResult?.RefreshToken
        await twinpool.send(
          new InitiateAuthCommand({
            ClientId: client,
            AuthFlow: 'REFRESH_TOKEN_AUTH',
            AuthParameters: { REFRESH_TOKEN: token as string },
          }),
        )
      })
    }),
    (async () => {
      let mark = 0
      await repeat(async () => {
        const user = nextUser()
        mark += 1
        const value = mark
        await writer.send(
          new AdminUpdateUserAttributesCommand({
            UserPoolId: pool,
            Username: user,
            UserAttributes: [{ Name: MARK, Value: String(value) }],
          }),
        )
        acknowledged.set(user, value)
      })
    })(),
  ]
  return {
    acknowledged,
    stop: async () => {
      running = false
      await Promise.all(workers)
    },
  }
}

/** The mark in a user's attributes; 0 without a mark. */
export function markOf(attributes: readonly { Name?: string; Value?: string }[] | undefined): number {
  return Number(attributes?.find(({ Name }) => Name === MARK)?.Value ?? 0)
}
