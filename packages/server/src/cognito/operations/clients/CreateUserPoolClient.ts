import { insertClient } from '../../../directory/client.ts'
import { invalidParameter } from '../../../errors.ts'
import { newClientId, newClientSecret, newSecretEntry } from '../../../identity/clients/creation.ts'
import { describeClient } from '../../../identity/clients/description.ts'
import { parseClientSettings } from '../../../identity/clients/settings.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const CreateUserPoolClient: Handler<'CreateUserPoolClient', PoolCall> = async (
  { store, clock },
  call,
  { UserPoolId: _, GenerateSecret, ClientSecret, ...input },
) => {
  if (GenerateSecret && ClientSecret !== undefined) {
    throw invalidParameter('ClientSecret cannot be given when GenerateSecret is true.')
  }
  const { pool } = call
  const secret = GenerateSecret ? newClientSecret(clock) : ClientSecret
  const hasSecret = secret !== undefined
  const settings = parseClientSettings(input, { pool, hasSecret, providers: [], scopes: [], operation: 'creating' })
  const id = newClientId(clock)
  const document = await store.write(async (tx) => {
    const created = tx.now
    const secrets = hasSecret ? [newSecretEntry(clock, call, { clientId: id, secret, created })] : []
    const document = { ...settings, ClientType: 'REGULAR' as const, created, modified: created, secrets }
    await insertClient(tx, call, { id, document })
    return document
  })
  return { UserPoolClient: describeClient(call, { id, document }) }
}
