/** Stores and regions of other versions. The stores of older versions are recorded in tests/upgrade by record.ts. */
import assert from 'node:assert/strict'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { AdminGetUserCommand, InitiateAuthCommand } from '@aws-sdk/client-cognito-identity-provider'
import type { RegionConfigInput } from '@twinpool/server'
import { migrate, type Step, steps } from '@twinpool/server/internal/store/migrations'
import { openPostgres } from '@twinpool/server/internal/store/postgres'
import { openSqlite } from '@twinpool/server/internal/store/sqlite'
import { createUser } from '@twinpool/testing/pools'
import { credentials, engines, freePorts, until } from '@twinpool/testing/regions'
import { loneConfig, type ServedRegion, serveRegion } from '@twinpool/testing/served-region'
import { createServiceCaller } from '@twinpool/toolkit'
import { sql } from 'kysely'
import { readRecorded, recordings, restore, type StoreOf } from './recordings.ts'

const open = (store: StoreOf) => (store.engine === 'sqlite' ? openSqlite(store.file) : openPostgres(store.url))

for (const engine of engines) {
  for (const recording of recordings) {
    describe(`a store of ${recording}, on ${engine}`, () => {
      const undo: (() => Promise<void> | void)[] = []
      after(async () => {
        for (const step of undo.reverse()) await step()
      })

      it('opens: users can sign in with their passwords and be changed', async () => {
        const { masterKey, pool, client, username, password } = readRecorded(recording)
        const store = await restore(recording, engine, undo)
        const region = await serveRegion({ config: { store, keys: { provider: 'local', masterKey } } })
        undo.push(() => region.stop())
        const { AuthenticationResult } = await region.cognito.send(
          new InitiateAuthCommand({
            ClientId: client,
            AuthFlow: 'USER_PASSWORD_AUTH',
            AuthParameters: { USERNAME: username, PASSWORD: password },
          }),
        )
        assert.ok(AuthenticationResult?.IdToken)
        const user = await region.cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username: username }))
        assert.equal(user.UserAttributes?.find(({ Name }) => Name === 'email')?.Value, 'ada@example.com')
        await createUser(region, pool, { username: 'grace' })
        assert.equal((await region.health()).code, 200)
      })

      it('is migrated by a later version, all steps or none, and is then refused by this version', async () => {
        const { masterKey } = readRecorded(recording)
        const store = await restore(recording, engine, undo)
        const later: Step = async (db) => {
          await sql`create table later (name text primary key)`.execute(db)
          await sql`insert into later (name) select distinct key from changes`.execute(db)
        }
        const broken: Step = async () => {
          throw new Error('no')
        }
        const inner = open(store)
        const versions = async (): Promise<number[]> =>
          (await sql<{ version: number }>`select version from schema_version`.execute(inner.reader)).rows.map(
            ({ version }) => version,
          )
        const recorded = await versions()
        await assert.rejects(migrate(inner, [...steps, later, broken]), /no/)
        assert.deepEqual(await versions(), recorded)
        await assert.rejects(sql`select name from later`.execute(inner.reader))

        await migrate(inner, [...steps, later])
        assert.deepEqual(await versions(), [steps.length + 1])
        const { rows } = await sql`select name from later`.execute(inner.reader)
        assert.ok(rows.length > 0)
        await inner.close()
        await assert.rejects(
          serveRegion({ config: { store, keys: { provider: 'local', masterKey } } }),
          new RegExp(
            `the store has schema version ${steps.length + 1}, this Twinpool knows ${steps.length}: use a newer Twinpool`,
          ),
        )
      })
    })
  }
}

describe('two regions, one with another wire format', () => {
  let west: ServedRegion
  let east: ServedRegion
  let format: string | undefined = '1.older'
  /** A proxy that marks every request of the east as one of another wire format. */
  const disguise = createServer((incoming, outgoing) => {
    const { pathname, search } = new URL(incoming.url ?? '/', west.endpoint)
    const headers = { ...incoming.headers, ...(format && { 'x-twinpool-format': format }) }
    const onward = request(
      new URL(pathname + search, west.endpoint),
      { method: incoming.method, headers },
      (response) => {
        outgoing.writeHead(response.statusCode ?? 502, response.headers)
        response.pipe(outgoing)
      },
    )
    onward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  })

  before(async () => {
    disguise.listen(0, '127.0.0.1')
    const ports = await freePorts(2)
    const [{ store: _, ...ofWest }, { store: __, ...ofEast }] = (await Promise.all(
      ports.map((port, at) =>
        loneConfig({ region: at === 0 ? 'us-west-2' : 'us-east-1', listen: { port }, issuerBase: 'http://id.test' }),
      ),
    )) as [RegionConfigInput, RegionConfigInput]
    west = await serveRegion({ config: { ...ofWest, peers: { 'us-east-1': { endpoint: ofEast.endpoint as string } } } })
    const replication = `http://127.0.0.1:${(disguise.address() as AddressInfo).port}`
    east = await serveRegion({
      config: { ...ofEast, peers: { 'us-west-2': { endpoint: ofWest.endpoint as string, replication } } },
    })
  })
  after(async () => {
    await east?.stop()
    await west?.stop()
    disguise.close()
    disguise.closeAllConnections()
  })

  const linkOfEast = async (): Promise<{ Connected: boolean; Problem?: string } | undefined> => {
    const askEast = createServiceCaller({ region: 'us-east-1', endpoint: east.endpoint, credentials })
    const { Peers } = await askEast<{ Peers: { Connected: boolean; Problem?: string }[] }>('GetReplicationStatus', {})
    return Peers[0]
  }

  it('do not replicate, and both report why', async () => {
    await until(() => /"event":"replication-refused".*"reason":"format"/.test(west.log), {
      what: 'the reason in the west',
    })
    await until(() => /"event":"peer-lost".*"problem":"format".*another wire format/.test(east.log), {
      what: 'the reason in the east',
    })
    await until(async () => (await linkOfEast())?.Problem === 'format', { what: 'the reason in the status' })
    assert.equal((await linkOfEast())?.Connected, false)
  })

  it('replicate as soon as both use the same format', async () => {
    format = undefined
    await until(async () => (await linkOfEast())?.Connected, { what: 'the link' })
    assert.equal((await linkOfEast())?.Problem, undefined)
  })
})
