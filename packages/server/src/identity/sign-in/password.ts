import type { Context } from '../../context.ts'
import type { OpenClient } from '../../directory/open-pool.ts'
import { checkPassword, wrongPassword } from '../credentials/passwords.ts'
import { nextStep } from './next-step.ts'
import { requireParameter, requireUsername } from './parameters.ts'
import type { Parameters, Step } from './step.ts'
import { getSubject, lockoutOf } from './subject.ts'

/** USER_PASSWORD_AUTH and ADMIN_USER_PASSWORD_AUTH: the password itself, in one step. */
export async function signInByPassword(
  context: Context,
  openClient: OpenClient,
  { flow, parameters }: { flow: string; parameters: Parameters },
): Promise<Step> {
  const name = requireUsername(openClient, parameters)
  const password = requireParameter(parameters, 'PASSWORD')
  const subject = await getSubject(context, openClient, name)
  const correct = await context.lockout.check(openClient, lockoutOf(subject), () =>
    checkPassword(context, openClient, subject, password),
  )
  const { user } = subject
  if (!correct || !user) throw wrongPassword()
  return nextStep(context, openClient, { user, flow })
}
