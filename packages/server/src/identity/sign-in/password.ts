import type { Context } from '../../context.ts'
import { checkUnderLockout } from '../credentials/lockout.ts'
import { checkPassword } from '../credentials/passwords.ts'
import { nextStep } from './next-step.ts'
import { readUsername, requireParameter } from './parameters.ts'
import { findPerson, wrongPassword } from './person.ts'
import type { Parameters, SignInPlace, Step } from './step.ts'

/** USER_PASSWORD_AUTH and ADMIN_USER_PASSWORD_AUTH: the password itself, checked at once. */
export async function signInByPassword(
  context: Context,
  place: SignInPlace,
  { flow, parameters }: { flow: string; parameters: Parameters },
): Promise<Step> {
  const name = readUsername(place, parameters)
  const password = requireParameter(parameters, 'PASSWORD')
  const { user, sub } = await findPerson(context, place, name)
  const right = await checkUnderLockout(context, place, sub, () => checkPassword(context, place, user, password))
  if (!right || !user) throw wrongPassword()
  return nextStep(context, place, { user, flow })
}
