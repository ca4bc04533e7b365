/** A pool that is deleted while calls about it are running. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DeleteUserPoolCommand } from '@aws-sdk/client-cognito-identity-provider'
import { createClient, createPool, createUser, PASSWORD } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'
import { serve } from '../../../aws/serve.ts'
import { createCognitoFace } from '../../face.ts'

const noLimits = { checkAttempts: () => {}, countFailure: () => {}, countMessage: () => {} }

for (const engine of engines) {
  describe(`a pool that is deleted while calls are running, on ${engine}`, () => {
    let plane: Plane
    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
    })
    after(() => plane?.stop())

    for (const operation of ['SignUp', 'InitiateAuth'] as const) {
      test(`${operation} reports that the pool does not exist`, async () => {
        const { region, cognito } = plane.primary
        const pool = await createPool(plane.primary)
        const { id: ClientId } = await createClient(plane.primary, pool)
        await createUser(plane.primary, pool, { username: 'ann' })
        const context = {
          ...region.context,
          keys: {
            ...region.context.keys,
            get: async (id: string) => {
              await cognito.send(new DeleteUserPoolCommand({ UserPoolId: pool }))
              return region.context.keys.get(id)
            },
          },
        }
        const input =
          operation === 'SignUp'
            ? { ClientId, Username: 'bob', Password: PASSWORD }
            : { ClientId, AuthFlow: 'USER_PASSWORD_AUTH', AuthParameters: { USERNAME: 'ann', PASSWORD } }
        const answer = await serve(context, createCognitoFace(context, { turn: () => undefined, callers: noLimits }), {
          operation,
          body: Buffer.from(JSON.stringify(input)),
          checkSignature: () => ({ accessKeyId: '' }),
          call: { requestId: 'one', address: '', userAgent: '' },
        })
        assert.deepEqual(answer.error, {
          code: 'ResourceNotFoundException',
          message: `User pool ${pool} does not exist.`,
        })
      })
    }
  })
}
