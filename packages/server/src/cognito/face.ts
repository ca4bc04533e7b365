import type { Admission } from '../admission/admission.ts'
import { asCognitoError } from '../admission/errors.ts'
import { checkGate } from '../admission/gate.ts'
import type { Face, Operation } from '../aws/face.ts'
import type { Context } from '../context.ts'
import { CognitoError } from '../errors.ts'
import { type Resolver, resolvers } from './callers.ts'
import { operations } from './operations.ts'
import type { OperationRow } from './rows.ts'
import { type OperationName, operationNames } from './shapes.generated.ts'
import { validateInput } from './validate.ts'

/**
 * The user pools API as a face. After the signature and the input check of aws/serve.ts, each call goes through
 * pool -> gate -> caller -> password turn -> handler.
 */
export function createCognitoFace(context: Context, admission: Pick<Admission, 'turn'>): Face {
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
  admission: Pick<Admission, 'turn'>,
  name: OperationName,
  { caller, replica, handler, usesPassword, unknownClient }: OperationRow,
): Operation {
  const resolve = unknownClient ? withError(resolvers[caller], unknownClient) : resolvers[caller]
  return {
    signed: caller === 'account' || caller === 'pool' || caller === 'user',
    run: async (call, input: Record<string, unknown>, scope) => {
      const { pool, complete } = await resolve(context, input)
      if (pool) {
        scope.pool = pool
        checkGate(pool, replica)
      }
      if (!handler) throw new CognitoError('NotImplementedException', `${name} is not implemented yet.`)
      const completeCall = { ...call, ...(await complete()) }
      if (usesPassword(input)) await admission.turn()
      return handler(context as never, completeCall as never, input as never)
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
