/** A link between two live regions that is cut, silent, connected to another cluster, or between clocks that differ. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createRegion, parseConfig, type Region } from '@twinpool/server'
import { credentials, freePorts, until } from '@twinpool/testing/regions'
import { createServiceCaller } from '@twinpool/toolkit/internal/service-call'
import { type LinkProxy, startLinkProxy } from 'twinpool/internal/link-proxy'
import { systemClock } from '../clock.ts'
import { readLogState } from '../store/changes.ts'
import { ONLY } from '../store/kinds.ts'
import type { Replica } from '../store/merge.ts'
import { FORMAT } from './messages.ts'
import { createPeer, type PeerProblem } from './peer.ts'
import { createProver, PROOF_HEADER } from './proof.ts'

const SECRET = randomBytes(32).toString('base64')
const pool = 'us-west-2_link'
/** More than the time window of a proof. */
const SKEW_MILLISECONDS = 3_600_000

interface Told {
  Peers: { Region: string; Connected: boolean; Problem?: PeerProblem }[]
}

describe('a link', () => {
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-test-'))
  const regions: Region[] = []
  let ports: number[]
  let proxy: LinkProxy

  const start = async (
    name: string,
    {
      port,
      peer,
      secret = SECRET,
      skew = 0,
    }: { port: number; peer: [string, number, number]; secret?: string; skew?: number },
  ): Promise<Region> => {
    const [peerName, peerPort, linkPort] = peer
    const config = parseConfig({
      region: name,
      listen: { port },
      issuerBase: 'http://id.test',
      store: { engine: 'sqlite', file: join(directory, `${name}-${randomBytes(4).toString('hex')}.db`) },
      credentials: [credentials],
      keys: { provider: 'local', masterKey: randomBytes(32).toString('base64') },
      cluster: { secret },
      peers: {
        [peerName]: { endpoint: `http://127.0.0.1:${peerPort}`, replication: `http://127.0.0.1:${linkPort}` },
      },
      log: { level: 'silent' },
    })
    const region = await createRegion(config, { clock: { ...systemClock, now: () => systemClock.now() + skew } })
    // A peer may call as soon as the region listens: a greeting without the id of the log would make it copy everything again.
    assert.notEqual(
      (await readLogState(region.context.store.engine)).id,
      '',
      'the log has an id before the region listens',
    )
    await region.start()
    regions.push(region)
    return region
  }
  const peerOf = async (name: string, port: number): Promise<Told['Peers'][number] | undefined> => {
    const ask = createServiceCaller({ endpoint: `http://127.0.0.1:${port}`, region: name, credentials })
    return (await ask<Told>('GetReplicationStatus', {})).Peers[0]
  }

  let primary: Region
  let secondary: Region

  before(async () => {
    ports = await freePorts(4)
    const [west, east] = ports as [number, number]
    proxy = await startLinkProxy({ targetPort: west })
    // An hour apart: more than the time window of a proof.
    primary = await start('us-west-2', { port: west, peer: ['us-east-1', east, east], skew: SKEW_MILLISECONDS })
    secondary = await start('us-east-1', { port: east, peer: ['us-west-2', west, proxy.port] })
    await primary.context.store.write(async (tx) => {
      await tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: 'us-west-2', epoch: 1 }) })
      await tx.put('pool', { pool, key: ONLY, body: '{}' })
      const replica: Replica = { region: 'us-east-1', status: 'CREATING', version: 1 }
      await tx.share('replica', { pool, key: 'us-east-1', body: JSON.stringify(replica) })
    })
  })
  after(async () => {
    for (const region of regions) await region.stop()
    await proxy.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const writeGroup = (key: string) => primary.context.store.write((tx) => tx.put('group', { pool, key, body: '{}' }))
  const arrived = (key: string) => until(() => secondary.context.store.find('group', { pool, key }), { what: key })

  it('works between clocks that are an hour apart', async () => {
    await writeGroup('before')
    await arrived('before')
    const lag = await secondary.fetch(new Request('http://localhost/metrics'))
    const [, seconds] = /twinpool_replication_lag_seconds\{[^}]*\} ([\d.]+)/.exec(await lag.text()) ?? []
    assert.ok(Number(seconds) < 10, `${seconds} s`)
  })

  it('notices that it is cut, and resumes at its position when it is restored', async () => {
    proxy.cut()
    await until(async () => (await peerOf('us-east-1', ports[1] as number))?.Connected === false)
    await writeGroup('during')
    assert.equal(await secondary.context.store.find('group', { pool, key: 'during' }), undefined)
    proxy.heal()
    await arrived('during')
  })

  it('is kept while a message arrives more slowly than the time after which a silent link is given up', async () => {
    const lost = async (): Promise<number> =>
      Number(
        /twinpool_events_total\{[^}]*event="peer-lost"[^}]*\} (\d+)/.exec(
          await (await secondary.fetch(new Request('http://localhost/metrics'))).text(),
        )?.[1] ?? 0,
      )
    const before = await lost()
    proxy.throttle(40_000)
    await primary.context.store.write((tx) => tx.put('group', { pool, key: 'large', body: 'x'.repeat(160_000) }))
    await arrived('large')
    assert.equal(await lost(), before)
    proxy.throttle(0)
  })

  it('is given up if it is open but silent', async () => {
    proxy.slow(600_000)
    await until(async () => (await peerOf('us-east-1', ports[1] as number))?.Problem === 'silent')
    await writeGroup('silent')
    proxy.slow(0)
    await arrived('silent')
  })

  it('refuses requests without a proof, on every path', async () => {
    const base = `http://127.0.0.1:${ports[0]}`
    for (const path of [
      'feed',
      'inventory',
      `outline?pool=${pool}`,
      `page?pool=${pool}&stage=user`,
      'clock',
      'keys',
      'status',
    ]) {
      const response = await fetch(`${base}/replication/${path}`, { headers: { 'x-twinpool-format': FORMAT } })
      assert.equal(response.status, 401, path)
      await response.body?.cancel()
    }
    for (const path of ['ack', 'key']) {
      const response = await fetch(`${base}/replication/${path}`, { method: 'POST', body: '{}' })
      assert.equal(response.status, 401, path)
    }
  })

  it('refuses a body that is not a JSON object, on every path', async () => {
    const prover = createProver({
      secrets: [SECRET],
      region: 'us-east-1',
      clock: systemClock,
      throttling: { once: async () => true },
    })
    for (const path of ['/replication/ack', '/replication/key']) {
      for (const body of ['', 'no JSON', '{', 'null', '7', '"text"']) {
        const { header } = prover.prove(
          'us-west-2',
          { method: 'POST', path, body },
          { secret: SECRET, now: systemClock.now() + SKEW_MILLISECONDS },
        )
        const headers = { 'x-twinpool-format': FORMAT, [PROOF_HEADER]: header }
        const response = await fetch(`http://127.0.0.1:${ports[0]}${path}`, { method: 'POST', headers, body })
        assert.equal(response.status, 400, `${path} ${body}`)
        assert.deepEqual(await response.json(), { reason: 'body' })
      }
    }
  })

  it('refuses a peer of another cluster, and sends it no data', async () => {
    const [west, , third] = ports as [number, number, number]
    await start('us-east-1', {
      port: third,
      peer: ['us-west-2', west, west],
      secret: randomBytes(32).toString('base64'),
    })
    const status = await until(async () => {
      const peer = await peerOf('us-east-1', third)
      return peer?.Problem && peer
    })
    assert.deepEqual([status.Connected, status.Problem], [false, 'secret'])
  })

  it('does not trust a server that cannot prove that it knows the secret, nor follow one of another version', async () => {
    const peer = createPeer({
      region: 'us-west-2',
      base: `http://127.0.0.1:${ports[3]}`,
      clock: systemClock,
      prover: createProver({
        secrets: [SECRET],
        region: 'us-east-1',
        clock: systemClock,
        throttling: { once: async () => true },
      }),
    })
    const receiver = createProver({
      secrets: [SECRET],
      region: 'us-west-2',
      clock: systemClock,
      throttling: { once: async () => true },
    })
    let proven = false
    const stranger = createServer(async (request, response) => {
      const { method = '', url: path = '' } = request
      const status = proven ? 409 : 200
      const body = JSON.stringify({ rows: [], next: null })
      if (proven) {
        const check = await receiver.check(request.headers['x-twinpool-proof'] as string, { method, path, body: '' })
        response.setHeader('x-twinpool-answer', receiver.proveResponse(check, { status, now: systemClock.now(), body }))
      }
      response.writeHead(status).end(body)
    })
    stranger.listen(ports[3], '127.0.0.1')
    await until(() => (stranger.address() as AddressInfo | null) !== null)
    await assert.rejects(peer.inventory(undefined), { problem: 'impostor' })
    await assert.rejects(peer.clock(), { problem: 'impostor' })
    proven = true
    await assert.rejects(peer.inventory(undefined), { problem: 'format' })
    stranger.close()
    stranger.closeAllConnections()
  })
})
