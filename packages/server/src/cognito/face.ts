import type { Admission } from '../admission/admission.ts'
import type { CallerLimits } from '../admission/caller-limits.ts'
import { asCognitoError } from '../admission/errors.ts'
import { checkGate } from '../admission/gate.ts'
import type { Face, Operation } from '../aws/face.ts'
import type { Context } from '../context.ts'
import { CognitoError } from '../errors.ts'
import { type Resolver, resolvers } from './callers.ts'
import { operations } from './operations.ts'
import type { OperationRow } from './rows.ts'
import { type OperationName, operationNames } from './shapes.generated.ts'
import { limitsOf, validateInput } from './validate.ts'

type FaceAdmission = Pick<Admission, 'turn'> & { callers: CallerLimits }

/**
 * The user pools API as a face. After the signature and the input check of aws/serve.ts, each call goes through
 * pool -> gate -> caller -> password turn -> limits of the caller's address -> handler.
 */
export function createCognitoFace(context: Context, admission: FaceAdmission): Face {
  const byName = new Map<string, Operation>(
    operationNames.map((name) => [name, operationOf(context, admission, name, operations[name])]),
  )
  return {
    targetPrefix: 'AWSCognitoIdentityProviderService.',
    label: '',
    signingName: 'cognito-idp',
    find: (name) => byName.get(name),
    read: (name, body) => validateInput(name as OperationName, body),
    explain: async (thrown, { pool }) => asCognitoError(pool ? await causeOf(context, pool.id, thrown) : thrown),
  }
}

function operationOf(
  context: Context,
  { turn, callers }: FaceAdmission,
  name: OperationName,
  { caller, replica, handler, usesPassword, sendsMessage, usesCode, signsIn, unknownClient }: OperationRow,
): Operation {
  const resolve = unknownClient ? withError(resolvers[caller], unknownClient) : resolvers[caller]
  const signed = caller === 'account' || caller === 'pool' || caller === 'user'
  return {
    signed,
    signsIn,
    limits: limitsOf(name, { signed }),
    run: async (call, input: Record<string, unknown>, scope) => {
      if (typeof input.ClientId === 'string') scope.client = input.ClientId
      const { pool, complete } = await resolve(context, input)
      if (pool) {
        scope.pool = pool
        checkGate(pool, replica)
      }
      if (!handler) throw new CognitoError('NotImplementedException', `${name} is not implemented yet.`)
      const completeCall = { ...call, ...(await complete()) }
      const handle = () => handler(context as never, completeCall as never, input as never)
      const takesTurn = usesPassword(input)
      if (signed || !pool) {
        if (takesTurn) await turn()
        return handle()
      }
      const { address } = call
      if (sendsMessage(input, pool)) callers.countMessage(address)
      if (!takesTurn && !usesCode) return handle()
      callers.checkAttempts(address)
      const waiting = takesTurn ? turn() : undefined
      if (waiting) {
        await waiting
        callers.checkAttempts(address)
      }
      try {
        return await handle()
      } catch (error) {
        callers.countFailure(address, error)
        throw error
      }
    },
  }
}

/** The resolver with another error in place of ResourceNotFoundException. */
const withError =
  (resolve: Resolver, unknownClient: () => CognitoError): Resolver =>
  async (context, input) => {
    try {
      return await resolve(context, input)
    } catch (error) {
      throw error instanceof CognitoError && error.code === 'ResourceNotFoundException' ? unknownClient() : error
    }
  }

/** If the pool was deleted while a call was running, the call fails with "pool does not exist" instead of its own error. */
async function causeOf({ pools }: Pick<Context, 'pools'>, pool: string, thrown: unknown): Promise<unknown> {
  if (thrown instanceof CognitoError) return thrown
  return pools.get(pool).then(
    () => thrown,
    (error: unknown) => (error instanceof CognitoError ? error : thrown),
  )
}
