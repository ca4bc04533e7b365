import type { SdkClient, SdkCommand } from './command.ts'

/**
 * Asks a region whether it serves. Resolving, or rejecting with a modelled client error
 * (NotAuthorizedException for a made-up token), means yes.
 */
export type Probe<Client extends SdkClient = SdkClient> = (
  client: Client,
  context: { region: string; signal: AbortSignal },
) => Promise<unknown>

type CommandClass = new (input: object) => SdkCommand

/** Well-formed (`[A-Za-z0-9-_=.]+`) and never a token. */
const NO_TOKEN = 'twinpool.probe'

/**
 * How to ask without a user: a made-up token, through an unsigned operation. The first two name an app client, so that
 * the service also tells whether the pool is served in that region; `GetUser` tells only that the service is there.
 */
const QUESTIONS: Record<string, { rank: number; input: (seen: { ClientId?: unknown }) => object }> = {
  GetTokensFromRefreshToken: {
    rank: 2,
    input: ({ ClientId }) => ({ ClientId, RefreshToken: NO_TOKEN }),
  },
  InitiateAuth: {
    rank: 2,
    input: ({ ClientId }) => ({
      ClientId,
      AuthFlow: 'REFRESH_TOKEN_AUTH',
      AuthParameters: { REFRESH_TOKEN: NO_TOKEN },
    }),
  },
  GetUser: { rank: 1, input: () => ({ AccessToken: NO_TOKEN }) },
}

export type ProbeCommands = {
  /** Learns a command class (this package imports none) and an app client from a command that was answered. */
  learn(operation: string, command: SdkCommand): void
  /** A fresh probing command, or undefined while nothing has been learnt. */
  next(): { operation: string; command: SdkCommand } | undefined
}

export function createProbeCommands(): ProbeCommands {
  let best: { operation: string; rank: number; build: () => SdkCommand } | undefined
  return {
    learn(operation, command) {
      const question = QUESTIONS[operation]
      if (!question || (best && best.rank > question.rank)) return
      const { ClientId } = command.input as { ClientId?: unknown }
      const Command = command.constructor as CommandClass
      best = { operation, rank: question.rank, build: () => new Command(question.input({ ClientId })) }
    },
    next: () => best && { operation: best.operation, command: best.build() },
  }
}
