/** The PostgreSQL of a replica region fails over to a standby that lacks the last transactions, behind a proxy. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { AdminCreateUserCommand } from '@aws-sdk/client-cognito-identity-provider'
import { type PostgresPair, startPostgresPair } from '@twinpool/testing/postgres-pair'
import { credentials, engines, freePorts, until } from '@twinpool/testing/regions'
import { createReplicatedPool } from '@twinpool/testing/replicas'
import { type ServedRegion, serveRegion } from '@twinpool/testing/served-region'
import { createServiceCaller } from '@twinpool/toolkit/internal/service-call'
import { type LinkProxy, startLinkProxy } from 'twinpool/internal/link-proxy'

const [WEST, EAST] = ['us-west-2', 'us-east-1'] as const
const SETTLED = { seconds: 30 }

interface Status {
  Peers: { Position?: number; AcknowledgedPosition?: number }[]
}

describe('the PostgreSQL of a replica is promoted without the last transactions', {
  skip: !engines.includes('postgres') && 'no PostgreSQL is asked for',
}, () => {
  let pair: PostgresPair
  let proxy: LinkProxy
  let leadsTo: number
  let west: ServedRegion
  let east: ServedRegion
  let pool: string

  before(async () => {
    pair = await startPostgresPair()
    await pair.createDatabase('east')
    leadsTo = pair.primaryPort
    proxy = await startLinkProxy({ targetPort: () => leadsTo })
    const [westPort, eastPort] = (await freePorts(2)) as [number, number]
    const secret = randomBytes(32).toString('base64')
    const config = (name: string, port: number, peer: string, peerPort: number) => ({
      region: name,
      listen: { port },
      issuerBase: 'http://id.test',
      keys: { provider: 'local' as const, masterKey: randomBytes(32).toString('base64') },
      cluster: { secret },
      peers: { [peer]: { endpoint: `http://127.0.0.1:${peerPort}` } },
      log: { level: 'info' as const },
    })
    // The primary forgets at once what the replica has acknowledged.
    west = await serveRegion({
      config: { ...config(WEST, westPort, EAST, eastPort), replication: { trimSeconds: 1 } },
    })
    const url = pair.urlOf('east', proxy.port)
    east = await serveRegion({
      config: {
        ...config(EAST, eastPort, WEST, westPort),
        store: { engine: 'postgres', url, connections: 6, statementSeconds: 2 },
      },
    })
    pool = await createReplicatedPool({ primary: west, secondary: east, regions: [west, east] })
  })
  after(async () => {
    if (process.env.TWINPOOL_TEST_LOG) process.stderr.write([west, east].map((one) => one?.log).join(''))
    await Promise.all([west, east].map((served) => served?.stop()))
    await proxy?.close()
    await pair?.stop()
  })

  const ask = <T>({ endpoint, name }: ServedRegion, operation: string) =>
    createServiceCaller({ endpoint, region: name, credentials })<T>(operation, { UserPoolId: pool })
  const areEqual = async (): Promise<boolean> => {
    const sums = await Promise.all(
      [west, east].map((served) =>
        ask<{ Checksum: string }>(served, 'GetDirectoryChecksum').then(
          ({ Checksum }) => Checksum,
          () => undefined,
        ),
      ),
    )
    return sums[0] !== undefined && sums[0] === sums[1]
  }
  const create = async (...names: string[]): Promise<void> => {
    for (const Username of names) {
      await west.cognito.send(new AdminCreateUserCommand({ UserPoolId: pool, Username, MessageAction: 'SUPPRESS' }))
    }
  }
  const untilEqual = () => until(areEqual, { ...SETTLED, what: 'equal directories' })
  const connectionsTo = async (port: number): Promise<number> =>
    (await pair.query(port, `select 1 as one from pg_stat_activity where application_name ~ '^twinpool'`)).length

  it('after the peer has trimmed what was acknowledged, the pools are copied again, without any further write', async () => {
    await pair.attach()
    leadsTo = pair.primaryPort
    await untilEqual()
    await pair.detach()
    await create('one', 'two', 'three')
    await untilEqual()
    await until(
      async () => {
        const { Peers } = await ask<Status>(west, 'GetReplicationStatus')
        const { Peers: peersOfEast } = await ask<Status>(east, 'GetReplicationStatus')
        return Peers[0]?.AcknowledgedPosition === peersOfEast[0]?.Position
      },
      { ...SETTLED, what: 'the acknowledgement' },
    )
    await pair.kill()
    await pair.promote()
    leadsTo = pair.primaryPort
    await untilEqual()
  })

  it('beside the old server: every connection leaves it, and none returns to it', async () => {
    await pair.attach()
    leadsTo = pair.primaryPort
    await untilEqual()
    await pair.detach()
    await create('four')
    await untilEqual()
    const old = pair.primaryPort
    await pair.promote()
    leadsTo = pair.primaryPort
    assert.ok((await connectionsTo(old)) > 1)
    await pair.query(
      old,
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name ~ '^twinpool' limit 1`,
    )
    await until(async () => (await connectionsTo(old)) === 0, { ...SETTLED, what: 'the old server to be left' })
    await untilEqual()

    leadsTo = old
    await pair.query(
      pair.primaryPort,
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name ~ '^twinpool'`,
    )
    await until(
      async () => /was replaced by a server at timeline/.test((await east.health()).checks.store?.detail ?? ''),
      { ...SETTLED, what: 'the refusal of the old server' },
    )
    leadsTo = pair.primaryPort
    await until(async () => (await east.health()).code === 200, { ...SETTLED, what: 'health' })
    await create('five')
    await untilEqual()
  })
})
