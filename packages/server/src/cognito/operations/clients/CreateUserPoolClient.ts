import { clientType, insertClient, newClientId, newClientSecret, sealSecret } from '../../../directory/client.ts'
import { CognitoError } from '../../../errors.ts'
import { readClientSettings } from '../../../identity/clients/settings.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const CreateUserPoolClient: Handler<'CreateUserPoolClient', PoolCall> = async (
  { store, clock },
  { pool, cipher },
  { UserPoolId: _, GenerateSecret, ClientSecret, ...input },
) => {
  if (GenerateSecret && ClientSecret !== undefined) {
    throw new CognitoError('InvalidParameterException', 'ClientSecret cannot be given when GenerateSecret is true.')
  }
  const secret = GenerateSecret ? newClientSecret(clock) : ClientSecret
  const hasSecret = secret !== undefined
  const settings = readClientSettings(input, { pool, hasSecret, providers: [], scopes: [], operation: 'creating' })
  const id = newClientId(clock)
  const now = clock.now()
  const document = {
    ...settings,
    ClientType: 'REGULAR' as const,
    created: now,
    modified: now,
    secrets: hasSecret ? [sealSecret({ clock }, cipher, { clientId: id, secret })] : [],
  }
  await store.write((tx) => insertClient(tx, pool, { id, document }))
  return { UserPoolClient: clientType({ pool, cipher }, { id, document }) }
}
