import type { Context } from '../../context.ts'
import type { OpenClient } from '../../directory/open-pool.ts'
import { findUserBySub, lockUser, putUser, type User } from '../../directory/user.ts'
import { notAuthorized } from '../../errors.ts'
import { noteSubject } from '../../events/request-scope.ts'
import { NotPrimaryError } from '../../store/write.ts'
import { checkPasswordPolicy, setPassword } from '../credentials/passwords.ts'
import { aliasExists, moveAliases, withAliasError } from '../users/aliases.ts'
import {
  type Attributes,
  checkRequired,
  checkWritable,
  isServiceAttribute,
  isVerifiedFlag,
  nonMutable,
  parseChanges,
  parseNewAttributes,
  requiredAttributes,
  withChanges,
} from '../users/attributes.ts'
import { checkMaySignIn, nextStep } from './next-step.ts'
import { requireParameter, requireUsername } from './parameters.ts'
import { checkUsable, consumeSession, invalidSession, openSession } from './session.ts'
import type { Parameters, Step } from './step.ts'
import { isNameOf } from './subject.ts'

const PREFIX = 'userAttributes.'

/**
 * NEW_PASSWORD_REQUIRED: a user with a temporary password sets a permanent one, and the required attributes that are still
 * missing. It writes, so it works in the pool's primary region only, wherever the sign-in began.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-authentication-flow-methods.html
 */
export async function respondToNewPassword(
  context: Context,
  openClient: OpenClient,
  { session: text, responses }: { session: string | undefined; responses: Parameters },
): Promise<Step> {
  if (openClient.pool.role !== 'PRIMARY') throw new NotPrimaryError(openClient.pool.id)
  const name = requireUsername(openClient, responses)
  const password = requireParameter(responses, 'NEW_PASSWORD')
  if (text === undefined) throw invalidSession()
  const session = openSession(openClient, text)
  if (session.client !== openClient.client.id || session.challenge !== 'NEW_PASSWORD_REQUIRED') throw invalidSession()
  noteSubject(session.sub)
  const [known] = await Promise.all([
    findUserBySub(context.store, openClient, session.sub),
    checkUsable(context, openClient, session),
  ])
  if (!known) throw invalidSession()
  const { sub, username: srpName } = known
  if (!(await isNameOf(context, openClient, { name, subject: { sub, srpName } }))) throw invalidSession()
  checkPasswordPolicy(openClient.pool, password)

  const user = await withAliasError(aliasExists, () =>
    context.store.write(async (tx) => {
      const before = await lockUser(tx, openClient, session.sub)
      checkMaySignIn(before)
      // A concurrent response with the same temporary password has set the new one.
      if (before.status !== 'FORCE_CHANGE_PASSWORD') throw invalidSession()
      // The session proves a temporary password that has been replaced since.
      if (before.temporarySince !== session.temporarySince) throw invalidSession()
      const { temporarySince: _, ...permanent } = before
      const after: User = {
        ...permanent,
        attributes: mergeAttributes(openClient, before, responses),
        status: 'CONFIRMED',
        modified: tx.now,
      }
      await moveAliases(tx, openClient, { before, after })
      await putUser(tx, openClient, after)
      await setPassword(tx, context, openClient, after, password)
      return after
    }),
  )
  await consumeSession(context, openClient, session)
  return nextStep(context, openClient, { user, flow: session.flow })
}

/**
 * The user's attributes merged with those of the response. It must not name an attribute that the client may not write, even
 * unchanged, and must not change a required attribute that has a value. Throws InvalidParameterException, NotAuthorizedException.
 */
function mergeAttributes({ pool, client }: OpenClient, user: User, responses: Parameters): Attributes {
  const given = Object.entries(responses).flatMap(([key, Value]) =>
    key.startsWith(PREFIX) && Value !== undefined ? [{ Name: key.slice(PREFIX.length), Value }] : [],
  )
  const isSet = (name: string): boolean => user.attributes[name] !== undefined
  const required = requiredAttributes(pool)
  for (const { Name, Value } of given) {
    if (isVerifiedFlag(Name) || isServiceAttribute(Name)) throw nonMutable(Name)
    if (isSet(Name) && required.includes(Name) && user.attributes[Name] !== Value) {
      throw notAuthorized(`Cannot modify an already provided ${Name}`)
    }
  }
  checkWritable(
    client,
    given.map(({ Name }) => Name),
  )
  const changed = given.filter(({ Name, Value }) => user.attributes[Name] !== Value)
  const added = parseNewAttributes(
    pool,
    changed.filter(({ Name }) => !isSet(Name)),
    client,
  )
  const changes = parseChanges(
    pool,
    user.attributes,
    changed.filter(({ Name }) => isSet(Name)),
    client,
  )
  const attributes = withChanges(user.attributes, { ...added, ...changes })
  checkRequired(pool, attributes)
  return attributes
}
