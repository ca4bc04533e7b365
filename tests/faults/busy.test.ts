import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CreateUserPoolCommand, ListUserPoolsCommand } from '@aws-sdk/client-cognito-identity-provider'
import { ListKeysCommand } from '@aws-sdk/client-kms'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'
import { CONNECTIONS } from '@twinpool/testing/stores'

describe('a region whose PostgreSQL connections are all in use', { skip: !engines.includes('postgres') }, () => {
  let plane: Plane
  before(async () => {
    plane = await startRegions({ engine: 'postgres', regions: ['us-west-2'] })
  })
  after(() => plane?.stop())
  const list = () => plane.primary.cognito.send(new ListUserPoolsCommand({ MaxResults: 1 }))

  it('refuses calls with TooManyRequestsException in bounded time, and accepts calls again afterwards', async () => {
    const { engine } = plane.primary.region.context.store
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const held = Array.from({ length: CONNECTIONS }, () => engine.transaction(() => released, { unlogged: true }))
    await Promise.all([
      assert.rejects(list(), { name: 'TooManyRequestsException', message: 'Rate exceeded' }),
      assert.rejects(plane.primary.kms.send(new ListKeysCommand({})), { name: 'ThrottlingException' }),
    ])
    release()
    await Promise.all(held)
    assert.deepEqual((await list()).UserPools, [])
  })

  it('serves reads while writes have used up their share, and refuses the writes above it', async () => {
    const { store } = plane.primary.region.context
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const held = Array.from({ length: CONNECTIONS * 0.75 }, () => store.transaction(() => released))
    const write = plane.primary.cognito.send(new CreateUserPoolCommand({ PoolName: 'p' }))
    const refused = assert.rejects(write, { name: 'TooManyRequestsException', message: 'Rate exceeded' })
    assert.deepEqual((await list()).UserPools, [])
    await refused
    release()
    await Promise.all(held)
    await plane.primary.cognito.send(new CreateUserPoolCommand({ PoolName: 'p' }))
  })
})
