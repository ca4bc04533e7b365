/** Every operation is called on a secondary region, in both of its states, and on the primary. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminSetUserPasswordCommand,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { call, errorOf, type Reply } from '@twinpool/testing/calls'
import { gateTable, type Right } from '@twinpool/testing/gate-table'
import { type Input, wellFormed } from '@twinpool/testing/inputs'
import { people } from '@twinpool/testing/people'
import { engines, type Plane, type RunningRegion, startRegions } from '@twinpool/testing/regions'
import { activateReplica, addReplica, createKey } from '@twinpool/testing/replicas'
import { type OperationName, operationNames } from '../cognito/shapes.generated.ts'
import { REPLICA_STATUSES, type ReplicaStatus } from '../store/merge.ts'
import { checkGate, type ReplicaRight } from './gate.ts'

const rights: Record<OperationName, Right> = gateTable
const withRight = (...wanted: Right[]): OperationName[] =>
  operationNames.filter((name) => wanted.includes(rights[name]))

/** Operations that delete a user, a client, a token or the pool run last, so that all others find them. */
const LAST: readonly OperationName[] = [
  'GlobalSignOut',
  'AdminUserGlobalSignOut',
  'RevokeToken',
  'RevokeUserSession',
  'AdminDeleteUser',
  'DeleteUser',
  'DeleteUserPoolClient',
  'DeleteUserPool',
]
const inOrder = [...operationNames.filter((name) => !LAST.includes(name)), ...LAST]

describe('the gate of the documentation', () => {
  it('names the 140 operations of the model', () => {
    assert.equal(Object.keys(gateTable).length, 140)
    assert.deepEqual(Object.keys(gateTable).sort(), [...operationNames].sort())
  })

  it('allows 41 operations on an INACTIVE secondary and 16 more on an ACTIVE one', () => {
    assert.equal(withRight('always').length, 41)
    assert.equal(withRight('active').length, 16)
    assert.equal(withRight('account').length, 3)
    assert.equal(withRight('never').length, 80)
  })

  it('is open in the primary, and closed while a replica is created or deleted', () => {
    const isOpen = (role: 'PRIMARY' | 'SECONDARY', status: ReplicaStatus, right: ReplicaRight): boolean => {
      try {
        checkGate({ role, status }, right)
        return true
      } catch (error) {
        assert.equal((error as Error).name, 'OperationNotEnabledException')
        return false
      }
    }
    const open = (role: 'PRIMARY' | 'SECONDARY', status: ReplicaStatus): string =>
      (['I', 'A', 'P'] as const).filter((right) => isOpen(role, status, right)).join('')
    assert.equal(open('PRIMARY', 'ACTIVE'), 'IAP')
    assert.deepEqual(
      REPLICA_STATUSES.map((status) => [status, open('SECONDARY', status)]),
      [
        ['CREATING', ''],
        ['INACTIVE', 'I'],
        ['ACTIVE', 'IA'],
        ['DELETING', ''],
        ['DELETED', ''],
      ],
    )
  })
})

for (const engine of engines) {
  describe(`the gate: ${engine}`, () => {
    let plane: Plane
    let known: Input

    before(async () => {
      plane = await startRegions({ engine })
      known = await peopled(plane)
    })
    after(() => plane.stop())

    const invoke = (region: RunningRegion, operation: OperationName): Promise<Reply> => {
      // The ARN of a pool names the called region.
      const ResourceArn = String(known.ResourceArn).replace(/(?<=cognito-idp:)[^:]+/, region.name)
      return call(region.endpoint, operation, wellFormed(operation, { ...known, ResourceArn }), { region: region.name })
    }

    async function assertGate(allowed: readonly OperationName[]): Promise<void> {
      const answers = new Map<OperationName, Reply>()
      for (const operation of inOrder) answers.set(operation, await invoke(plane.secondary, operation))
      const refused = inOrder.filter((name) => errorOf(answers.get(name) as Reply) === 'OperationNotEnabledException')
      assert.deepEqual(refused.sort(), operationNames.filter((name) => !allowed.includes(name)).sort())
      for (const [operation, reply] of answers) {
        const description = `${operation}: ${reply.status} ${reply.text.slice(0, 200)}`
        assert.ok(reply.status < 500 || errorOf(reply) === 'NotImplementedException', description)
        // An allowed call found its pool.
        assert.doesNotMatch(reply.text, /User pool (client )?\S+ does not exist/, description)
      }
    }

    it('an INACTIVE secondary allows the operations that administrators need to prepare it, and no others', () =>
      assertGate(withRight('always', 'account')))

    it('an ACTIVE secondary also signs users in', async () => {
      await activateReplica(plane, known.UserPoolId as string)
      await assertGate(withRight('always', 'active', 'account'))
    })

    it('a refusal has the status and form of a client error', async () => {
      const reply = await invoke(plane.secondary, 'SignUp')
      assert.equal(reply.status, 400)
      assert.equal(reply.headers['x-amzn-errortype'], 'OperationNotEnabledException:')
    })

    it('the primary refuses no operation for its region', async () => {
      for (const operation of inOrder) {
        const reply = await invoke(plane.primary, operation)
        assert.notEqual(errorOf(reply), 'OperationNotEnabledException', operation)
        assert.ok(reply.status < 500 || errorOf(reply) === 'NotImplementedException', `${operation}: ${reply.text}`)
      }
    })
  })
}

/** A pool with an INACTIVE replica, a client and a signed-in user. */
async function peopled(plane: Plane): Promise<Input> {
  const { cognito } = plane.primary
  const { UserPool } = await cognito.send(
    new CreateUserPoolCommand({
      PoolName: 'gate',
      KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: await createKey(plane) },
    }),
  )
  const UserPoolId = UserPool?.Id
  const { UserPoolClient } = await cognito.send(
    new CreateUserPoolClientCommand({
      UserPoolId,
      ClientName: 'gate',
      ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'],
    }),
  )
  const [ClientId, Username, Password] = [UserPoolClient?.ClientId, 'example-user', 'Example-1-Password']
  await cognito.send(new AdminCreateUserCommand({ UserPoolId, Username, MessageAction: 'SUPPRESS' }))
  await cognito.send(new AdminSetUserPasswordCommand({ UserPoolId, Username, Password, Permanent: true }))
  const { AccessToken, RefreshToken } = await people({ cognito }).signIn(
    { id: ClientId as string },
    { username: Username, password: Password },
  )
  await addReplica(plane, UserPoolId as string, { active: false })
  return {
    UserPoolId,
    ClientId,
    Username,
    AccessToken,
    RefreshToken,
    Token: RefreshToken,
    ResourceArn: UserPool?.Arn,
  }
}
