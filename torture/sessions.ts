import type { Fact, SessionModel } from './directory.ts'
import type { Role } from './schedule.ts'

/**
 * live: every region accepts the tokens. ended: every region refuses them, once the change has reached it. open: both are
 * correct. clocks: signed out after it began, but one of the regions did not know the primary's clock, because a clock had just been set.
 */
export type SessionState = 'live' | 'ended' | 'open' | 'clocks'

/** The state that a session must have by the model; with `knownAt`, by what that region itself has acknowledged. */
export function stateOf(session: SessionModel, knownAt?: Role): SessionState {
  const { person, revocation, origin } = session
  const here = (fact: Fact): boolean => fact.outcome === 'done' && (knownAt === undefined || fact.region === knownAt)
  if (person.exists.doubt.length === 0 && !person.exists.value) return 'ended'
  let state: SessionState = person.exists.doubt.length > 0 ? 'open' : 'live'
  if (revocation) {
    if (here(revocation)) return 'ended'
    state = 'open'
  }
  for (const signOut of person.signOuts) {
    const afterwards = session.ended < signOut.began
    // A region never treats a sign-in as older than a sign-out that it already knew.
    const atPrimary = session.region === 'primary' && signOut.region === 'primary'
    if (signOut.outcome === 'done' && atPrimary && session.began > signOut.ended) continue
    if (signOut.outcome === 'done' && afterwards) {
      if (origin <= signOut.earliest) {
        if (here(signOut)) return 'ended'
        state = 'open'
      } else if (state === 'live') state = 'clocks'
    } else if (origin <= signOut.latest) state = state === 'clocks' ? 'clocks' : 'open'
  }
  return state
}

/** When the sign-in of an access token was complete, from its `origin_jti` (UUID version 7). */
export function originOf(access: string): number {
  const claims = JSON.parse(Buffer.from(access.split('.')[1] ?? '', 'base64url').toString()) as { origin_jti: string }
  return Number.parseInt(claims.origin_jti.slice(0, 8) + claims.origin_jti.slice(9, 13), 16)
}
