import {
  CreateGroupCommand,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
  ListUserPoolReplicasCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { addReplica, prepareReplica } from '@twinpool/toolkit'
import type { Arena } from './arena.ts'
import { GROUPS } from './directory.ts'
import { pause } from './pace.ts'

/** The pool that a run works on. */
export interface Setting {
  pool: string
  /** An app client that keeps its refresh tokens. */
  client: string
  /** An app client that rotates them, without a grace period. */
  rotatingClient: string
}

const COPY_SECONDS = 30

/** Creates a pool with an ACTIVE replica, two app clients and the groups. */
export async function makeSetting({ clients: { primary, secondary } }: Arena): Promise<Setting> {
  const replicable = await prepareReplica(primary.kms, { replica: secondary.name, description: 'torture' })
  const { UserPool } = await primary.cognito.send(
    new CreateUserPoolCommand({
      PoolName: 'torture',
      ...replicable,
      AliasAttributes: ['email'],
      UserPoolTier: 'ESSENTIALS',
    }),
  )
  const pool = UserPool?.Id as string
  const makeClient = async (name: string, rotates: boolean): Promise<string> => {
    const { UserPoolClient } = await primary.cognito.send(
      new CreateUserPoolClientCommand({
        UserPoolId: pool,
        ClientName: name,
        ExplicitAuthFlows: [
          'ALLOW_USER_PASSWORD_AUTH',
          'ALLOW_USER_SRP_AUTH',
          ...(rotates ? [] : (['ALLOW_REFRESH_TOKEN_AUTH'] as const)),
        ],
        ...(rotates && { RefreshTokenRotation: { Feature: 'ENABLED', RetryGracePeriodSeconds: 0 } }),
      }),
    )
    return UserPoolClient?.ClientId as string
  }
  const client = await makeClient('keeps', false)
  const rotatingClient = await makeClient('rotates', true)
  for (const GroupName of GROUPS) await primary.cognito.send(new CreateGroupCommand({ UserPoolId: pool, GroupName }))

  const status = await addReplica(primary.cognito, { pool, replica: secondary.name, seconds: COPY_SECONDS })
  if (status !== 'ACTIVE') throw new Error(`the replica did not become ACTIVE; it is ${status}`)
  await activeAt(secondary, pool)
  return { pool, client, rotatingClient }
}

/** Waits until the secondary knows that it is active. */
async function activeAt({ cognito }: Arena['clients']['secondary'], pool: string): Promise<void> {
  for (const deadline = Date.now() + COPY_SECONDS * 1_000; ; await pause(20)) {
    const listed = await cognito.send(new ListUserPoolReplicasCommand({ UserPoolId: pool })).catch(() => undefined)
    if (listed?.UserPoolReplicas?.some(({ Role, Status }) => Role === 'SECONDARY' && Status === 'ACTIVE')) return
    if (Date.now() > deadline) throw new Error('the secondary does not report that it is ACTIVE')
  }
}
