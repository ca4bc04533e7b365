import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { ListUserPoolsCommand } from '@aws-sdk/client-cognito-identity-provider'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'

describe('a region whose PostgreSQL connections are all in use', { skip: !engines.includes('postgres') }, () => {
  let plane: Plane
  before(async () => {
    plane = await startRegions({ engine: 'postgres', regions: ['us-west-2'] })
  })
  after(() => plane?.stop())

  it('refuses calls with TooManyRequestsException in bounded time, and accepts calls again afterwards', async () => {
    const { store } = plane.primary.region.context
    const list = () => plane.primary.cognito.send(new ListUserPoolsCommand({ MaxResults: 1 }))
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const held = Array.from({ length: 8 }, () => store.transaction(() => released))
    await assert.rejects(list(), { name: 'TooManyRequestsException', message: 'Rate exceeded' })
    release()
    await Promise.all(held)
    assert.deepEqual((await list()).UserPools, [])
  })
})
