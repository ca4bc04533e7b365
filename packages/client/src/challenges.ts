import type { Clock } from './clock.ts'

/**
 * Remembers which region issued each challenge. The key is the value that the caller will echo (Session,
 * SECRET_BLOCK), not the user: one user may run two sign-ins at once. Bounded; the oldest entry is evicted first.
 */
export type ChallengeMemory = {
  remember(output: object, region: string): void
  regionOf(challenge: string | undefined): string | undefined
}

/** Sessions live 3 to 15 minutes (AuthSessionValidity). */
const LIFETIME_MS = 15 * 60_000
const CAPACITY = 10_000

export function createChallengeMemory(clock: Pick<Clock, 'now'>, capacity = CAPACITY): ChallengeMemory {
  const issuers = new Map<string, { region: string; expiresAt: number }>()

  function put(challenge: unknown, region: string) {
    if (typeof challenge !== 'string' || challenge === '') return
    issuers.delete(challenge)
    issuers.set(challenge, { region, expiresAt: clock.now() + LIFETIME_MS })
    for (const [oldest, { expiresAt }] of issuers) {
      if (issuers.size <= capacity && expiresAt > clock.now()) break
      issuers.delete(oldest)
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
      const issuer = challenge === undefined ? undefined : issuers.get(challenge)
      return issuer && issuer.expiresAt > clock.now() ? issuer.region : undefined
    },
  }
}
