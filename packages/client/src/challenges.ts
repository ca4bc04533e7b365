import type { Clock } from './clock.ts'

/**
 * Remembers which region asked which challenge, by the value the caller will echo (Session, SECRET_BLOCK), not by
 * user: one user may be signing in twice at once. Bounded; the oldest goes first.
 */
export type ChallengeMemory = {
  remember(output: object, region: string): void
  regionOf(challenge: string | undefined): string | undefined
}

/** Sessions live 3 to 15 minutes (AuthSessionValidity). */
const LIFETIME_MS = 15 * 60_000
const CAPACITY = 10_000

export function createChallengeMemory(clock: Pick<Clock, 'now'>, capacity = CAPACITY): ChallengeMemory {
  const askers = new Map<string, { region: string; expiresAt: number }>()

  function put(challenge: unknown, region: string) {
    if (typeof challenge !== 'string' || challenge === '') return
    askers.delete(challenge)
    askers.set(challenge, { region, expiresAt: clock.now() + LIFETIME_MS })
    for (const [oldest, { expiresAt }] of askers) {
      if (askers.size <= capacity && expiresAt > clock.now()) break
      askers.delete(oldest)
    }
  }

  return {
    remember(output, region) {
      const { Session, ChallengeParameters } = output as {
        Session?: unknown
        ChallengeParameters?: { SECRET_BLOCK?: unknown }
      }
      put(Session, region)
      put(ChallengeParameters?.SECRET_BLOCK, region)
    },
    regionOf(challenge) {
      const asker = challenge === undefined ? undefined : askers.get(challenge)
      return asker && asker.expiresAt > clock.now() ? asker.region : undefined
    },
  }
}
