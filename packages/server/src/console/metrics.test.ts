/** What operators and load balancers read of a region: metrics, health, logs, with and without a management port. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import {
  AdminGetUserCommand,
  type CognitoIdentityProviderClient,
  CreateUserPoolCommand,
  InitiateAuthCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { debianTools } from '@twinpool/testing/debian'
import { readMetric } from '@twinpool/testing/metrics'
import { createClient, createUser } from '@twinpool/testing/pools'
import { openConnections } from '@twinpool/testing/raw-connections'
import { engines, freePorts, startRegions, until } from '@twinpool/testing/regions'
import { type ServedRegion, serveRegion } from '@twinpool/testing/served-region'

const PEER = 'us-east-1'
/** Accepts signed calls for `us-west-2`, and has a peer that does not exist. */
const config = {
  issuerBase: 'http://id.test',
  peers: { [PEER]: { endpoint: 'http://127.0.0.1:9' } },
}

/** Sends bytes, and returns everything that arrives until the connection is closed. */
async function exchange(endpoint: string, words: string): Promise<string> {
  const { hostname, port } = new URL(endpoint)
  const socket = connect({ host: hostname, port: Number(port) })
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.write(words)
  await once(socket, 'close')
  return text
}

const linesOf = ({ log }: ServedRegion): Record<string, unknown>[] =>
  log
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))

describe('a region whose peer is dead', () => {
  let region: ServedRegion
  let cognito: CognitoIdentityProviderClient
  before(async () => {
    region = await serveRegion({ config })
    cognito = region.cognito
  })
  after(() => region?.stop())

  it('serves, and its health is 200 with the reason why it is degraded', async () => {
    await region.logged(/"event":"peer-lost"/)
    const health = await region.health()
    assert.deepEqual([health.code, health.status], [200, 'degraded'])
    assert.match(
      health.checks.replication?.detail ?? '',
      /^us-east-1 is not connected \(unreachable\), the lag is \d+ s$/,
    )
    assert.ok(await cognito.send(new CreateUserPoolCommand({ PoolName: 'p' })))
  })

  it('has a lag that grows, and no connection, in its metrics', async () => {
    const lag = () => region.metric('twinpool_replication_lag_seconds', { peer: PEER })
    const first = await lag()
    await until(async () => (await lag()) >= first + 1, { what: 'a lag that grows' })
    const text = await (await fetch(`${region.endpoint}/metrics`)).text()
    assert.match(text, /^twinpool_peer_connected\{peer="us-east-1",region="us-west-2"\} 0$/m)
    assert.match(text, /^twinpool_healthy\{check="replication",region="us-west-2"\} 0$/m)
  })

  it('warns once, with the name of the level, the event and the process', async () => {
    const lost = linesOf(region).filter(({ event }) => event === 'peer-lost')
    assert.equal(lost.length, 1)
    const { level, region: name, instance, peer, problem } = lost[0] ?? {}
    assert.deepEqual([level, name, peer, problem], ['warn', 'us-west-2', PEER, 'unreachable'])
    assert.match(String(instance), new RegExp(`^.+:${region.process.pid}$`))
    assert.equal(await region.metric('twinpool_events_total', { event: 'peer-lost' }), 1)
  })

  it('has health, metrics and a count of warnings that have not happened yet', async () => {
    const text = await (await fetch(`${region.endpoint}/metrics`)).text()
    assert.match(text, /^twinpool_events_total\{event="store-full",region="us-west-2"\} 0$/m)
    assert.match(text, /^twinpool_build_info\{version="[\d.]+",node="[\d.]+",region="us-west-2"\} 1$/m)
    for (const resource of ['calls', 'passwords', 'connections']) {
      assert.ok((await region.metric('twinpool_resource_limit', { resource })) > 0, resource)
    }
    assert.ok((await region.metric('twinpool_resource_in_use', { resource: 'connections' })) > 0)
    assert.doesNotMatch(text, /certificate_expiry.* 0$/m)
  })

  it('responds to HTTP/1.0 without a Host', async () => {
    for (const words of ['GET /health HTTP/1.0\r\n\r\n', 'GET /health HTTP/1.0\r\nHost:\r\n\r\n']) {
      const response = await exchange(region.endpoint, words)
      assert.match(response, /^HTTP\/1.1 200 OK\r\n[\s\S]*"status":"degraded"/)
    }
  })

  it('has the id that the caller got, and the address of the caller, on each line of a request', async () => {
    const { UserPool } = await cognito.send(new CreateUserPoolCommand({ PoolName: 'lines' }))
    const pool = UserPool?.Id as string
    const client = await createClient(region, pool)
    await createUser(region, pool, { username: 'ada' })
    const refused = cognito.send(
      new InitiateAuthCommand({
        AuthFlow: 'USER_PASSWORD_AUTH',
        ClientId: client.id,
        AuthParameters: { USERNAME: 'ada', PASSWORD: 'wrong' },
      }),
    )
    const error = await refused.then(
      () => assert.fail('a wrong password'),
      (thrown: { $metadata: { requestId?: string } }) => thrown,
    )
    await region.logged(/sign-in-refused/)
    const line = linesOf(region).find(({ event }) => event === 'sign-in-refused')
    assert.equal(line?.requestId, error.$metadata.requestId)
    assert.equal(line?.address, '127.0.0.1')
    assert.ok(linesOf(region).every(({ event, instance, level }) => event && instance && typeof level === 'string'))
  })
})

describe('a management port', () => {
  let region: ServedRegion
  let management: string
  before(async () => {
    const [port] = (await freePorts(1)) as [number]
    management = `http://127.0.0.1:${port}`
    region = await serveRegion({ config: { ...config, management: { port } } })
  })
  after(() => region?.stop())

  it('has the metrics, the details of health, and the page', async () => {
    assert.match(await (await fetch(`${management}/metrics`)).text(), /^twinpool_build_info/m)
    const { checks } = (await (await fetch(`${management}/health`)).json()) as { checks: object }
    assert.deepEqual(Object.keys(checks), ['store', 'keys', 'load', 'replication', 'replicas', 'audit'])
    const page = await fetch(`${management}/`, { headers: { accept: 'text/html' } })
    assert.match(await page.text(), /<h1>Twinpool in us-west-2<\/h1>/)
  })

  it('leaves only the status of health on the port of the API', async () => {
    const health = await fetch(`${region.endpoint}/health`)
    assert.equal(health.status, 200)
    assert.deepEqual(await health.json(), { status: 'degraded', region: 'us-west-2' })
    for (const path of ['/metrics', '/']) {
      const response = await fetch(region.endpoint + path, { headers: { accept: 'text/html' } })
      assert.equal(response.status, 400, path)
    }
  })

  it('that is taken prevents the start, with a message that names it', async () => {
    const taken = { management: { port: Number(new URL(management).port) } }
    await assert.rejects(serveRegion({ config: taken }), /the port is taken: choose another in management\.port/)
  })

  it('closes connections without progress for new ones', async () => {
    const sockets = await openConnections(management, 200)
    for (const socket of sockets) socket.resume()
    // The first attempt may use a connection of an earlier test, which is closed as well.
    const isServed = () =>
      fetch(`${management}/health`).then(
        ({ ok }) => ok,
        () => false,
      )
    await until(isServed, { what: 'a new connection', seconds: 5 })
    await until(() => sockets.filter(({ closed }) => closed).length >= 100, { what: 'the close', seconds: 5 })
    for (const socket of sockets) socket.destroy()
  })

  it('serves no calls', async () => {
    const response = await fetch(management, {
      method: 'POST',
      headers: { 'x-amz-target': 'AWSCognitoIdentityProviderService.InitiateAuth' },
      body: '{}',
    })
    assert.equal(((await response.json()) as { __type: string }).__type, 'UnknownOperationException')
  })
})

const prometheus = await debianTools(['prometheus'])

describe('the metrics', { skip: typeof prometheus === 'string' && prometheus }, () => {
  for (const engine of engines) {
    it(`pass promtool's check: ${engine}`, async () => {
      assert.ok(typeof prometheus !== 'string')
      const plane = await startRegions({ engine })
      try {
        await assert.rejects(
          plane.primary.cognito.send(new AdminGetUserCommand({ UserPoolId: 'us-west-2_none', Username: 'x' })),
        )
        const has = async (metric: string) => (await readMetric(plane.primary.endpoint, metric)) !== undefined
        await until(() => has('twinpool_replication_backlog_seconds'), { what: 'a peer that follows' })
        await until(() => has('twinpool_clock_skew_uncertainty_seconds'), { what: 'a measured clock' })
        const text = await (await fetch(`${plane.primary.endpoint}/metrics`)).text()
        const check = execFile('promtool', ['check', 'metrics'], { env: prometheus.env })
        let words = ''
        check.stderr?.on('data', (chunk) => {
          words += chunk
        })
        check.stdin?.end(text)
        const [code] = await once(check, 'close')
        assert.deepEqual([code, words], [0, ''])
        const stores = /^twinpool_resource_limit\{resource="store-connections"/m.test(text)
        assert.equal(stores, engine === 'postgres')
      } finally {
        await plane.stop()
      }
    })
  }
})
