import type { SdkClient, SdkCommand } from './command.ts'

/**
 * Checks whether a region works. It does if the promise resolves, or rejects with a modelled client error
 * (NotAuthorizedException for a made-up token).
 */
export type Probe<Client extends SdkClient = SdkClient> = (
  client: Client,
  context: { region: string; signal: AbortSignal },
) => Promise<unknown>

type CommandClass = new (input: object) => SdkCommand

/** Matches the pattern of a token (`[A-Za-z0-9-_=.]+`) but is never a valid token. */
const FAKE_TOKEN = 'twinpool.probe'

/**
 * Probes that need no user: unsigned operations with a made-up token. The first two name an app client, so their
 * response also shows that the region serves the pool. `GetUser` shows only that the service is running.
 */
const PROBES: Record<string, { rank: number; input: (learned: { ClientId?: unknown }) => object }> = {
  GetTokensFromRefreshToken: {
    rank: 2,
    input: ({ ClientId }) => ({ ClientId, RefreshToken: FAKE_TOKEN }),
  },
  InitiateAuth: {
    rank: 2,
    input: ({ ClientId }) => ({
      ClientId,
      AuthFlow: 'REFRESH_TOKEN_AUTH',
      AuthParameters: { REFRESH_TOKEN: FAKE_TOKEN },
    }),
  },
  GetUser: { rank: 1, input: () => ({ AccessToken: FAKE_TOKEN }) },
}

export type ProbeCommands = {
  /**
   * Takes the command class (this package imports none) and the app client from a command that the service processed.
   */
  learn(operation: string, command: SdkCommand): void
  /** Returns a new probe command, or undefined as long as `learn` has seen no suitable command. */
  next(): { operation: string; command: SdkCommand } | undefined
}

export function createProbeCommands(): ProbeCommands {
  let best: { operation: string; rank: number; build: () => SdkCommand } | undefined
  return {
    learn(operation, command) {
      const probe = PROBES[operation]
      if (!probe || (best && best.rank > probe.rank)) return
      const { ClientId } = command.input as { ClientId?: unknown }
      const Command = command.constructor as CommandClass
      best = { operation, rank: probe.rank, build: () => new Command(probe.input({ ClientId })) }
    },
    next: () => best && { operation: best.operation, command: best.build() },
  }
}
