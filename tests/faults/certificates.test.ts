/** Client certificates of the replication paths, and their CA after SIGHUP, on a real process. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { first, second, type TestCertificate } from '@twinpool/testing/certificates'
import { freePorts, until } from '@twinpool/testing/regions'
import { type ServedRegion, serveRegion } from '@twinpool/testing/served-region'

/** The paths check a proof too, which the callers of this test do not have. */
const [REFUSED, LET_IN] = [403, 401]

describe('the client certificate of the replication paths', () => {
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-fault-'))
  const fileOf = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  const own = {
    certificateFile: fileOf('own.pem', first.certificate),
    keyFile: fileOf('own.key', first.key),
  }
  const clientCaFile = fileOf('clients.pem', first.ca)
  let region: ServedRegion
  let port: number
  const serve = async (tls: object): Promise<void> => {
    port = (await freePorts(1))[0] as number
    region = await serveRegion({
      config: { listen: { port }, endpoint: `https://127.0.0.1:${port}`, tls: { ...own, ...tls } },
    })
  }
  after(() => rmSync(directory, { recursive: true, force: true }))

  const statusOf = (client?: TestCertificate, path = '/replication/clock'): Promise<number | undefined> => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
    const identity = client && { cert: client.certificate, key: client.key }
    request({ host: '127.0.0.1', port, path, ca: first.ca, agent: false, ...identity }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end()
    return promise
  }
  const reload = async (tls: object): Promise<string> => {
    const events = () => region.log.split('\n').filter((line) => line.includes('"event":"reloaded"'))
    const before = events().length
    writeFileSync(region.configFile, JSON.stringify({ ...region.config, tls: { ...own, ...tls } }))
    region.process.kill('SIGHUP')
    await until(() => events().length > before, { what: 'reloaded' })
    return events().at(-1) as string
  }

  describe('of a region with `tls.clientCaFile`', () => {
    before(() => serve({ clientCaFile }))
    after(() => region?.stop())

    it('is required of every spelling of the path, and of no other path', async () => {
      for (const client of [undefined, second]) {
        for (const path of [
          '/replication/clock',
          '/%72eplication/clock',
          '/replication/./feed',
          '/x/../replication/key',
        ]) {
          assert.equal(await statusOf(client, path), REFUSED, path)
        }
        for (const path of ['//replication/clock', '/REPLICATION/clock', '/replication%2fclock']) {
          assert.equal(await statusOf(client, path), 400, path)
        }
        assert.equal(await statusOf(client, '/health'), 200)
      }
      assert.equal(await statusOf(first), LET_IN)
    })

    it('is of the new CA after SIGHUP, and stays so if the member is removed, which needs a restart', async () => {
      assert.doesNotMatch(await reload({ clientCaFile: fileOf('others.pem', second.ca) }), /needRestart/)
      assert.deepEqual([await statusOf(first), await statusOf(second)], [REFUSED, LET_IN])
      assert.match(await reload({}), /"needRestart":\["tls\.clientCaFile"\]/)
      assert.deepEqual([await statusOf(), await statusOf(first), await statusOf(second)], [REFUSED, REFUSED, LET_IN])
    })
  })

  describe('of a region without', () => {
    before(() => serve({}))
    after(() => region?.stop())

    it('is required after a restart only, which the event says', async () => {
      assert.equal(await statusOf(), LET_IN)
      assert.match(await reload({ clientCaFile }), /"needRestart":\["tls\.clientCaFile"\]/)
      assert.equal(await statusOf(), LET_IN)
    })
  })
})
