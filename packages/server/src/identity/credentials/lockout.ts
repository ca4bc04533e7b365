import type { Context } from '../../context.ts'
import type { UserPlace } from '../../directory/user.ts'
import { CognitoError } from '../../errors.ts'
import type { Brakes } from '../../store/brakes.ts'

/** Wrong passwords in a row, and until when (ms since the epoch) the next try has to wait. */
interface Failures {
  count: number
  until: number
}

const FREE_FAILURES = 5
const FIRST_WAIT_MILLISECONDS = 1_000
const LONGEST_WAIT_MILLISECONDS = 15 * 60_000
/** Failures are forgotten after so long without another. */
const QUIET_MILLISECONDS = 15 * 60_000

/**
 * Checks a password under the lockout: five failures are free, then each one doubles the wait, from 1 s to 15 min. Tries
 * during the wait are refused unheard, and neither count nor extend it. Failures count in this region only.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-authentication-flow.html
 *
 * @param sub whom the password would be of; for people who do not exist, the sub that stands for them
 * @throws NotAuthorizedException `Password attempts exceeded`
 */
export async function checkUnderLockout(
  { brakes, clock }: Pick<Context, 'brakes' | 'clock'>,
  { pool }: UserPlace,
  sub: string,
  check: () => boolean | Promise<boolean>,
): Promise<boolean> {
  const name = nameOf(pool.id, sub)
  return inTurn(brakes, name, async () => {
    const failures = await brakes.read<Failures>(name)
    if (isWaiting(failures, clock.now())) throw exceeded()
    if (await check()) {
      if (failures) await brakes.release(name)
      return true
    }
    let overtaken = false
    await brakes.update<Failures>(name, (present) => {
      const now = clock.now()
      overtaken = isWaiting(present, now)
      if (present && overtaken) return { value: present, milliseconds: QUIET_MILLISECONDS }
      const count = (present?.count ?? 0) + 1
      return { value: { count, until: now + waitAfter(count) }, milliseconds: QUIET_MILLISECONDS }
    })
    // Another process of the region heard enough guesses in the meantime: this one was not to be heard.
    if (overtaken) throw exceeded()
    return false
  })
}

const turnsOf = new WeakMap<Brakes, Map<string, Promise<unknown>>>()

/** Guesses at one password are heard one after another: those that come all at once would all find no failure yet. */
async function inTurn<T>(brakes: Brakes, name: string, work: () => Promise<T>): Promise<T> {
  let turns = turnsOf.get(brakes)
  if (!turns) {
    turns = new Map()
    turnsOf.set(brakes, turns)
  }
  const before = turns.get(name)
  const turn = before ? before.then(work, work) : work()
  turns.set(name, turn)
  try {
    return await turn
  } finally {
    if (turns.get(name) === turn) turns.delete(name)
  }
}

const isWaiting = (failures: Failures | undefined, now: number): boolean =>
  failures !== undefined && now < failures.until

const exceeded = (): CognitoError => new CognitoError('NotAuthorizedException', 'Password attempts exceeded')

/** Forgets the failures of a user. */
export function clearLockout({ brakes }: Pick<Context, 'brakes'>, { pool }: UserPlace, sub: string): Promise<void> {
  return brakes.release(nameOf(pool.id, sub))
}

function waitAfter(count: number): number {
  if (count < FREE_FAILURES) return 0
  return Math.min(FIRST_WAIT_MILLISECONDS * 2 ** (count - FREE_FAILURES), LONGEST_WAIT_MILLISECONDS)
}

const nameOf = (pool: string, sub: string): string => `lockout\n${pool}\n${sub}`
