import type { Admission } from '../admission/admission.ts'
import { asCognitoError } from '../admission/errors.ts'
import { checkGate } from '../admission/gate.ts'
import type { Face, Operation } from '../aws/face.ts'
import type { Context } from '../context.ts'
import { CognitoError } from '../errors.ts'
import { readers } from './callers.ts'
import { operations } from './operations.ts'
import type { OperationRow } from './rows.ts'
import { type OperationName, operationNames } from './shapes.generated.ts'
import { validateInput } from './validate.ts'

/**
 * The user pools API as a face. The life of a call goes on here: pool -> gate -> caller -> password turn -> handler.
 */
export function createCognitoFace(context: Context, admission: Pick<Admission, 'turn'>): Face {
  const known = new Map<string, Operation>(
    operationNames.map((name) => [name, operationOf(context, admission, name, operations[name])]),
  )
  return {
    targetPrefix: 'AWSCognitoIdentityProviderService.',
    label: '',
    signingName: 'cognito-idp',
    find: (name) => known.get(name),
    read: (name, body) => validateInput(name as OperationName, body),
    explain: async (thrown, { pool }) => asCognitoError(pool ? await causeOf(context, pool.id, thrown) : thrown),
  }
}

function operationOf(
  context: Context,
  admission: Pick<Admission, 'turn'>,
  name: OperationName,
  { caller, replica, handler, usesPassword }: OperationRow,
): Operation {
  const read = readers[caller]
  return {
    signed: caller === 'account' || caller === 'pool' || caller === 'user',
    run: async (call, input: Record<string, unknown>, about) => {
      const { pool, complete } = await read(context, input)
      if (pool) {
        about.pool = pool
        checkGate(pool, replica)
      }
      if (!handler) throw new CognitoError('NotImplementedException', `${name} is not implemented yet.`)
      const whole = { ...call, ...(await complete()) }
      if (usesPassword(input)) await admission.turn()
      return handler(context as never, whole as never, input as never)
    },
  }
}

/** A call that fails because its pool was deleted while it was running is a call about a pool that does not exist. */
async function causeOf({ pools }: Pick<Context, 'pools'>, pool: string, thrown: unknown): Promise<unknown> {
  if (thrown instanceof CognitoError) return thrown
  return pools.get(pool).then(
    () => thrown,
    (error: unknown) => (error instanceof CognitoError ? error : thrown),
  )
}
