import type { Context } from '../../context.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { type CognitoError, notAuthorized } from '../../errors.ts'
import { BudgetFullError } from '../../store/throttling.ts'

/** Consecutive wrong passwords, and the time (ms since the epoch) before which attempts are refused. */
interface Failures {
  count: number
  until: number
}

const FREE_FAILURES = 5
const FIRST_WAIT_MILLISECONDS = 1_000
const MAX_WAIT_MILLISECONDS = 15 * 60_000
/** The count resets after this time without a failure. */
const QUIET_MILLISECONDS = 15 * 60_000

/** The lockout of one region's process. */
export interface Lockout {
  /**
   * Checks a password under the lockout: five failures are free, then each failure doubles the wait, from 1 s to 15 min. Attempts
   * during the wait are refused without a check; they neither count nor extend the wait. Failures count in this region only.
   * https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-authentication-flow.html
   *
   * @param holder names the counter: `sub` of the user, or the hash of a name; `isDecoy`: no user has the name
   * @throws NotAuthorizedException `Password attempts exceeded`; BudgetFullError when no more failures can be counted
   */
  check(
    openPool: OpenPool,
    holder: { name: string; isDecoy: boolean },
    isCorrect: () => boolean | Promise<boolean>,
  ): Promise<boolean>
  /** Resets the failures of a user. */
  clear(openPool: OpenPool, sub: string): Promise<void>
}

export function createLockout({ throttling, clock }: Pick<Context, 'throttling' | 'clock'>): Lockout {
  const turns = new Map<string, Promise<unknown>>()
  /** Guesses at one password are checked one after another: concurrent checks would all read a count without the others. */
  const inTurn = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const previous = turns.get(name)
    const turn = previous ? previous.then(work, work) : work()
    turns.set(name, turn)
    try {
      return await turn
    } finally {
      if (turns.get(name) === turn) turns.delete(name)
    }
  }
  return {
    check: ({ pool }, holder, isCorrect) => {
      const name = nameOf(pool.id, holder.name)
      const kind = holder.isDecoy ? 'decoy-lockout' : 'lockout'
      return inTurn(name, async () => {
        const failures = await throttling.read<Failures>(name)
        if (isWaiting(failures, clock.now())) throw exceeded()
        // Before the check: a failure that cannot be counted must not be a free guess.
        if (!failures && !throttling.hasRoom(kind)) throw new BudgetFullError(kind)
        if (await isCorrect()) {
          if (failures) await throttling.release(name)
          return true
        }
        let overtaken = false
        const countFailure = (present: Failures | undefined) => {
          const now = clock.now()
          overtaken = isWaiting(present, now)
          if (present && overtaken) return { value: present, milliseconds: QUIET_MILLISECONDS }
          const count = (present?.count ?? 0) + 1
          return { value: { count, until: now + waitAfter(count) }, milliseconds: QUIET_MILLISECONDS }
        }
        await throttling.update(name, countFailure, kind)
        // While this check ran, another process of the region reached the limit: refuse this guess too.
        if (overtaken) throw exceeded()
        return false
      })
    },
    clear: ({ pool }, sub) => throttling.release(nameOf(pool.id, sub)),
  }
}

const isWaiting = (failures: Failures | undefined, now: number): boolean =>
  failures !== undefined && now < failures.until

const exceeded = (): CognitoError => notAuthorized('Password attempts exceeded')

function waitAfter(count: number): number {
  if (count < FREE_FAILURES) return 0
  return Math.min(FIRST_WAIT_MILLISECONDS * 2 ** (count - FREE_FAILURES), MAX_WAIT_MILLISECONDS)
}

const nameOf = (pool: string, sub: string): string => `lockout\n${pool}\n${sub}`
