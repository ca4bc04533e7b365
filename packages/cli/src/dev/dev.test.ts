/** `twinpool dev` as users run it: a process with one child process per region. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import {
  CognitoIdentityProviderClient,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
  ListUserPoolsCommand,
  SignUpCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { nextPort, type Ready } from '@twinpool/testing/dev-plane'
import { programArguments } from '@twinpool/testing/program'
import { until } from '@twinpool/testing/regions'

interface Run {
  child: ChildProcess
  /** All output so far. */
  out(): string
  errors(): string
  /** The exit code, or the signal that ended the process. */
  ended: Promise<number | string>
}

interface RegionStatus {
  state: string
  pid?: number
  endpoint: string
  links: { from: string; cut: boolean; slowMilliseconds: number; bytesPerSecond: number }[]
  health?: { status: string }
}

function run(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Run {
  const child = spawn(process.execPath, [...programArguments(), 'dev', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  })
  let out = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text
  })
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  return { child, out: () => out, errors: () => errors, ended }
}

/** Starts a plane and reads its first line. */
async function start(args: readonly string[], environment?: NodeJS.ProcessEnv): Promise<Run & { ready: Ready }> {
  const started = run(['--json', ...args], environment)
  const line = once(createInterface({ input: started.child.stdout as NodeJS.ReadableStream }), 'line')
  const [text] = (await Promise.race([
    line,
    started.ended.then((code) => assert.fail(`twinpool dev ended with ${code}: ${started.errors()}`)),
  ])) as [string]
  return { ...started, ready: JSON.parse(text) as Ready }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const statusOf = async ({ control }: Ready): Promise<Record<string, RegionStatus>> => {
  const response = await fetch(`${control}/dev/status`)
  assert.equal(response.status, 200)
  return ((await response.json()) as { regions: Record<string, RegionStatus> }).regions
}

const pidsOf = async (ready: Ready): Promise<number[]> =>
  Object.values(await statusOf(ready)).map(({ pid }) => pid as number)

describe('a development plane', () => {
  const port = nextPort()
  const temporary = mkdtempSync(join(tmpdir(), 'twinpool-test-'))
  let plane: Run & { ready: Ready }
  let ready: Ready

  before(async () => {
    plane = await start(['--ephemeral', '--port', String(port)], { TMPDIR: temporary })
    ready = plane.ready
  })
  after(async () => {
    plane?.child.kill('SIGTERM')
    await plane?.ended
    rmSync(temporary, { recursive: true, force: true })
  })

  const clientOf = (endpoint: string, region: string): CognitoIdentityProviderClient =>
    new CognitoIdentityProviderClient({ endpoint, region, credentials: { ...ready.credentials }, maxAttempts: 1 })
  const order = (region: string, action: string, settings?: unknown): Promise<Response> =>
    fetch(`${ready.control}/dev/regions/${region}/${action}`, {
      method: 'POST',
      ...(settings !== undefined && { body: JSON.stringify(settings) }),
    })
  const linksOf = async (region: string) => (await statusOf(ready))[region]?.links

  it('reports that it is ready in its first line, in the documented form', () => {
    assert.equal(plane.out().split('\n')[0], JSON.stringify(ready))
    const [west, east] = [`http://127.0.0.1:${port + 1}`, `http://127.0.0.1:${port + 2}`]
    assert.deepEqual(
      { ...ready, credentials: Object.keys(ready.credentials) },
      {
        event: 'ready',
        control: `http://127.0.0.1:${port}`,
        regions: {
          'us-west-2': { endpoint: west, metrics: `${west}/metrics` },
          'us-east-1': { endpoint: east, metrics: `${east}/metrics` },
        },
        credentials: ['accessKeyId', 'secretAccessKey'],
      },
    )
    assert.deepEqual(Object.keys(ready), ['event', 'control', 'regions', 'credentials'])
    assert.deepEqual(Object.keys(ready.regions), ['us-west-2', 'us-east-1'])
    assert.match(ready.credentials.accessKeyId, /^\w{16,128}$/)
    assert.ok(ready.credentials.secretAccessKey.length >= 32)
  })

  it('stores its data with access for its own user only', () => {
    const [directory] = readdirSync(temporary)
    const home = join(temporary, directory as string)
    for (const name of [
      '.',
      'plane.json',
      'us-west-2',
      'us-west-2/region.json',
      'us-west-2/region.db',
      'us-west-2/region.log',
    ]) {
      assert.equal(statSync(join(home, name)).mode & 0o077, 0, name)
    }
  })

  it('runs each region in its own process, healthy and linked both ways', async () => {
    // A plane is ready when its regions listen; their links are found a moment later.
    const status = await until(async () => {
      const status = await statusOf(ready)
      return Object.values(status).every(({ health }) => health?.status === 'ok') && status
    })
    const pids = await pidsOf(ready)
    assert.equal(new Set([...pids, plane.child.pid]).size, 3)
    for (const { state, pid } of Object.values(status)) {
      assert.equal(state, 'running')
      assert.ok(isAlive(pid as number))
    }
    assert.deepEqual(status['us-west-2']?.links, [
      { from: 'us-east-1', cut: false, slowMilliseconds: 0, bytesPerSecond: 0 },
    ])
    assert.deepEqual(status['us-east-1']?.links, [
      { from: 'us-west-2', cut: false, slowMilliseconds: 0, bytesPerSecond: 0 },
    ])
  })

  it('accepts calls signed with its credentials, at each region and at the router', async () => {
    for (const endpoint of [ready.control, ...Object.values(ready.regions).map((region) => region.endpoint)]) {
      for (const region of ['us-west-2', 'us-east-1']) {
        const { UserPools } = await clientOf(endpoint, region).send(new ListUserPoolsCommand({ MaxResults: 1 }))
        assert.deepEqual(UserPools, [])
      }
    }
  })

  it('keeps messages in an inbox, newest first, by address', async () => {
    const cognito = clientOf(ready.control, 'us-west-2')
    const { UserPool } = await cognito.send(
      new CreateUserPoolCommand({ PoolName: 'inbox', AutoVerifiedAttributes: ['email'] }),
    )
    const { UserPoolClient } = await cognito.send(
      new CreateUserPoolClientCommand({ UserPoolId: UserPool?.Id, ClientName: 'inbox' }),
    )
    for (const name of ['first', 'second']) {
      await cognito.send(
        new SignUpCommand({
          ClientId: UserPoolClient?.ClientId,
          Username: name,
          Password: 'Example-1-Password',
          UserAttributes: [{ Name: 'email', Value: `${name}+inbox@example.com` }],
        }),
      )
    }
    const inbox = async (query = ''): Promise<Record<string, string>[]> =>
      (await (await fetch(`${ready.control}/dev/inbox${query}`)).json()) as Record<string, string>[]
    assert.deepEqual(
      (await inbox()).map(({ to }) => to),
      ['second+inbox@example.com', 'first+inbox@example.com'],
    )
    const [message, ...others] = await inbox(`?to=${encodeURIComponent('first+inbox@example.com')}`)
    assert.deepEqual(others, [])
    assert.equal(message?.channel, 'EMAIL')
    assert.match(message?.code ?? '', /^\d{6}$/)
    assert.ok(message?.body?.includes(message.code as string))
    assert.equal(typeof message?.subject, 'string')
    assert.deepEqual(await inbox('?to=nobody%40example.com'), [])

    const keys = await fetch(`${ready.control}/${UserPool?.Id}/.well-known/jwks.json`)
    assert.equal(keys.status, 200, 'the region that has the pool answers for it')
    assert.equal(keys.headers.get('x-twinpool-region'), 'us-west-2')
    assert.ok(((await keys.json()) as { keys: unknown[] }).keys.length > 0)
  })

  /** The Accept header that Chromium sends with a navigation. */
  const accept = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
  const page = async (): Promise<string> => {
    const response = await fetch(ready.control, { headers: { accept } })
    assert.equal(response.status, 200)
    return response.text()
  }

  it('gives browsers a page: regions, endpoints, credentials, controls, and the inbox', async () => {
    const response = await fetch(ready.control, { headers: { accept } })
    assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8')
    assert.match(response.headers.get('content-security-policy') ?? '', /^default-src 'none'; style-src 'sha256-/)
    const text = await response.text()
    for (const [name, { endpoint }] of Object.entries(ready.regions)) {
      assert.match(text, new RegExp(`${name}</th><td><span class="good">running</span>, pid \\d+</td>`))
      assert.ok(text.includes(`<dt>${name}</dt><dd><code>${endpoint}</code>`), endpoint)
    }
    assert.ok(text.includes(`AWS_SECRET_ACCESS_KEY=${ready.credentials.secretAccessKey}`))
    assert.ok(text.includes(`curl -X POST ${ready.control}/dev/regions/us-west-2/kill\n`))
    const [second, first] = ['second', 'first'].map((name) =>
      text.indexOf(`<strong>${name}+inbox@example.com</strong>`),
    )
    assert.ok((second as number) > 0 && (first as number) > (second as number), 'newest first')
    assert.match(text, /Code <code class="code">\d{6}<\/code>/)

    const head = await fetch(ready.control, { method: 'HEAD', headers: { accept } })
    assert.equal(head.status, 200)
    assert.equal(await head.text(), '')
  })

  it('escapes messages, whatever a program puts into them', async () => {
    const body = JSON.stringify({
      to: '<script>to</script>',
      body: '<img src=x>',
      subject: { isEscaped: true },
      code: [1],
    })
    assert.equal((await fetch(`${ready.control}/dev/inbox`, { method: 'POST', body })).status, 204)
    const text = await page()
    assert.doesNotMatch(text, /<script|<img/)
    assert.ok(text.includes('&lt;script&gt;to&lt;/script&gt;') && text.includes('&lt;img src=x&gt;'))
  })

  it('has the page for browsers only; programs and other paths go to a region', async () => {
    for (const headers of [{}, { accept: '*/*' }, { accept: 'application/json' }]) {
      const response = await fetch(ready.control, { headers })
      assert.equal(response.status, 400)
      assert.ok(response.headers.get('x-twinpool-region'))
      assert.equal(((await response.json()) as { __type: string }).__type, 'UnknownOperationException')
    }
    const foreign: Record<string, string>[] = [
      { origin: 'https://evil.example.com' },
      { origin: 'null' },
      { host: 'evil.example.com' },
      { host: `evil.example.com:${port}` },
    ]
    for (const headers of foreign) {
      assert.equal(await statusWith({ path: '/', headers: { ...headers, accept } }), 403, JSON.stringify(headers))
    }
    const [id] =
      (await clientOf(ready.control, 'us-west-2').send(new ListUserPoolsCommand({ MaxResults: 1 }))).UserPools ?? []
    const keys = await fetch(`${ready.control}/${id?.Id}/.well-known/jwks.json`, { headers: { accept } })
    assert.equal(keys.status, 200)
    assert.match(keys.headers.get('content-type') ?? '', /json/)
  })

  it('shows on its page a link that is cut or slow', async () => {
    await order('us-west-2', 'cut')
    await until(
      async () =>
        /us-west-2<\/th><td>us-east-1<\/td><td><span class="bad">cut<\/span><\/td><td><span class="bad">not connected/.test(
          await page(),
        ),
      {
        what: 'a cut link on the page',
      },
    )
    await order('us-west-2', 'heal')
    await order('us-west-2', 'slow', { ms: 250 })
    assert.match(await page(), /us-west-2<\/th><td>us-east-1<\/td><td><span class="warn">slow: 250 ms/)
    await order('us-west-2', 'heal')
  })

  it('cuts, slows, throttles and heals the links of a region, while its API stays up', async () => {
    assert.equal((await order('us-west-2', 'cut')).status, 200)
    assert.deepEqual(await linksOf('us-west-2'), [
      { from: 'us-east-1', cut: true, slowMilliseconds: 0, bytesPerSecond: 0 },
    ])
    assert.deepEqual(await linksOf('us-east-1'), [
      { from: 'us-west-2', cut: true, slowMilliseconds: 0, bytesPerSecond: 0 },
    ])
    await clientOf(ready.regions['us-west-2']?.endpoint as string, 'us-west-2').send(
      new ListUserPoolsCommand({ MaxResults: 1 }),
    )
    assert.equal((await order('us-west-2', 'slow', { ms: 250 })).status, 200)
    assert.deepEqual(await linksOf('us-east-1'), [
      { from: 'us-west-2', cut: true, slowMilliseconds: 250, bytesPerSecond: 0 },
    ])
    assert.equal((await order('us-east-1', 'throttle', { bytesPerSecond: 9_000 })).status, 200)
    assert.deepEqual(await linksOf('us-east-1'), [
      { from: 'us-west-2', cut: true, slowMilliseconds: 250, bytesPerSecond: 9_000 },
    ])
    assert.equal((await order('us-east-1', 'heal')).status, 200)
    for (const region of ['us-west-2', 'us-east-1']) {
      const [link] = (await linksOf(region)) ?? []
      assert.deepEqual([link?.cut, link?.slowMilliseconds, link?.bytesPerSecond], [false, 0, 0])
    }
  })

  it('refuses invalid control requests, and changes nothing', async () => {
    // The replication status changes by itself, not by a control request, and health reports it.
    const atRest = async () =>
      Object.values(await statusOf(ready)).map(
        ({ replication: _, health: __, ...settled }: RegionStatus & { replication?: unknown; health?: unknown }) =>
          settled,
      )
    const before = await atRest()
    for (const settings of [undefined, {}, { ms: -1 }, { ms: 'x' }, { ms: 1e9 }, { ms: 1.5 }, [], null]) {
      assert.equal((await order('us-west-2', 'slow', settings)).status, 400, JSON.stringify(settings))
    }
    for (const settings of [undefined, {}, { bytesPerSecond: -1 }, { bytesPerSecond: 1.5 }]) {
      assert.equal((await order('us-west-2', 'throttle', settings)).status, 400, JSON.stringify(settings))
    }
    assert.equal((await order('eu-west-1', 'kill')).status, 404)
    assert.equal((await order('us-west-2', 'explode')).status, 404)
    assert.equal((await fetch(`${ready.control}/dev/regions/us-west-2/kill`)).status, 405)
    assert.equal((await fetch(`${ready.control}/dev/nothing`)).status, 404)
    assert.equal((await fetch(`${ready.control}/dev/inbox`, { method: 'POST', body: 'no message' })).status, 400)
    assert.equal(await statusWith({ path: '//' }), 400)
    assert.deepEqual(await atRest(), before)
  })

  it('refuses control requests from web pages and under foreign host names', async () => {
    const kill = '/dev/regions/us-west-2/kill'
    const foreign: Record<string, string>[] = [
      { origin: 'https://evil.example.com' },
      { origin: 'null' },
      { origin: `http://127.0.0.1:${port + 1}` },
      { host: 'evil.example.com' },
      { host: `evil.example.com:${port}` },
      { host: '127.0.0.1.evil.example.com' },
    ]
    for (const headers of foreign) {
      assert.equal(await statusWith({ method: 'POST', path: kill, headers }), 403, JSON.stringify(headers))
      assert.equal(await statusWith({ path: '/dev/inbox', headers }), 403, JSON.stringify(headers))
      assert.equal(await statusWith({ path: '/dev/status', headers }), 403, JSON.stringify(headers))
      assert.equal(await statusWith({ path: '/dev/ready', headers }), 403, JSON.stringify(headers))
    }
    assert.equal((await statusOf(ready))['us-west-2']?.state, 'running')
    assert.equal(await statusWith({ path: '/dev/status', headers: { host: `localhost:${port}` } }), 200)
  })

  it('keeps working without a killed region, which returns with its data', async () => {
    const before = (await statusOf(ready))['us-west-2']?.pid as number
    const killed = await order('us-west-2', 'kill')
    assert.equal(killed.status, 200)
    assert.equal(isAlive(before), false)
    assert.equal((await statusOf(ready))['us-west-2']?.state, 'stopped')
    assert.equal((await order('us-west-2', 'kill')).status, 200, 'killing twice does no harm')
    const text = await page()
    assert.match(text, /us-west-2<\/th><td><span class="bad">stopped<\/span><\/td><td><span class="muted">unknown/)
    assert.match(text, /us-east-1<\/th><td><span class="good">running/)

    const reply = await fetch(ready.control, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': 'AWSCognitoIdentityProviderService.SignUp',
      },
      body: '{}',
    })
    assert.equal(reply.headers.get('x-twinpool-region'), 'us-east-1')
    assert.equal(((await reply.json()) as { __type: string }).__type, 'InvalidParameterException')
    await clientOf(ready.control, 'us-west-2').send(new ListUserPoolsCommand({ MaxResults: 1 }))

    assert.equal((await order('us-west-2', 'start')).status, 200)
    const after = (await statusOf(ready))['us-west-2']
    assert.equal(after?.state, 'running')
    assert.notEqual(after?.pid, before)
    const { UserPools } = await clientOf(ready.regions['us-west-2']?.endpoint as string, 'us-west-2').send(
      new ListUserPoolsCommand({ MaxResults: 9 }),
    )
    assert.deepEqual(
      UserPools?.map(({ Name }) => Name),
      ['inbox'],
    )
    assert.equal((await order('us-west-2', 'start')).status, 200, 'starting twice does no harm')
    assert.equal((await statusOf(ready))['us-west-2']?.pid, after?.pid)
  })

  it('sets the clock of a region that is starting', async () => {
    await order('us-east-1', 'kill')
    const starting = order('us-east-1', 'start')
    await until(async () => (await statusOf(ready))['us-east-1']?.state === 'starting')
    assert.equal((await order('us-east-1', 'clock', { ms: 60_000 })).status, 200)
    assert.equal((await starting).status, 200)
    const { UserPool } = await clientOf(ready.regions['us-east-1']?.endpoint as string, 'us-east-1').send(
      new CreateUserPoolCommand({ PoolName: 'ahead' }),
    )
    assert.ok(Number(UserPool?.CreationDate) > Date.now() + 30_000)
    assert.equal((await order('us-east-1', 'clock', { ms: 0 })).status, 200)
  })

  it('reports when no region is up, and works again when one is', async () => {
    await Promise.all(['us-west-2', 'us-east-1'].map((region) => order(region, 'kill')))
    assert.equal((await fetch(ready.control, { method: 'POST', body: '{}' })).status, 503)
    assert.match(await page(), /us-east-1<\/th><td><span class="bad">stopped/)
    await Promise.all(['us-west-2', 'us-east-1'].map((region) => order(region, 'start')))
    assert.notEqual((await fetch(ready.control, { method: 'POST', body: '{}' })).status, 503)
  })

  it('another plane on its port fails with an error, and does not disturb it', async () => {
    const second = run(['--json', '--ephemeral', '--port', String(port)])
    assert.equal(await second.ended, 2)
    assert.match(second.errors(), new RegExp(`port ${port} is taken: is another plane running`))
    assert.equal(second.out(), '')
    assert.equal((await pidsOf(ready)).every(isAlive), true)
  })

  it('another plane on its region ports fails with an error, and leaves nothing behind', async () => {
    const directory = mkdtempSync(join(temporary, 'second-'))
    const second = run(['--json', '--ephemeral', '--port', String(port - 1)], { TMPDIR: directory })
    assert.equal(await second.ended, 2)
    assert.match(second.errors(), /us-east-1 did not start|us-west-2 did not start/)
    assert.match(second.errors(), /port is taken/)
    assert.equal(second.out(), '')
    assert.deepEqual(readdirSync(directory), [])
    assert.equal((await pidsOf(ready)).every(isAlive), true)
  })

  it('stops at SIGTERM with its regions, without further output or files', async () => {
    const pids = await pidsOf(ready)
    plane.child.kill('SIGTERM')
    assert.equal(await plane.ended, 0)
    assert.deepEqual(pids.filter(isAlive), [])
    assert.equal(plane.out(), `${JSON.stringify(ready)}\n`)
    assert.equal(plane.errors(), '')
    assert.deepEqual(
      readdirSync(temporary).filter((name) => !name.startsWith('second-')),
      [],
    )
  })

  function statusWith({
    method = 'GET',
    path,
    headers = {},
  }: {
    method?: string
    path: string
    headers?: Record<string, string>
  }): Promise<number | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers }, (incoming) => {
      incoming.resume()
      resolve(incoming.statusCode)
    })
    outgoing.on('error', reject)
    outgoing.end()
    return promise
  }
})

describe('the end of a development plane', () => {
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-test-'))
  after(() => rmSync(directory, { recursive: true, force: true }))

  it('SIGINT stops it and its data is kept; SIGKILL leaves no region behind', async () => {
    const args = ['--data', join(directory, 'kept'), '--port', String(nextPort())]
    const first = await start(args)
    const firstPids = await pidsOf(first.ready)
    const cognito = new CognitoIdentityProviderClient({
      endpoint: first.ready.control,
      region: 'us-west-2',
      credentials: { ...first.ready.credentials },
    })
    await cognito.send(new CreateUserPoolCommand({ PoolName: 'kept' }))
    first.child.kill('SIGINT')
    assert.equal(await first.ended, 0)
    assert.deepEqual(firstPids.filter(isAlive), [])
    assert.ok(existsSync(join(directory, 'kept', 'plane.json')))

    const second = await start(args)
    const secondPids = await pidsOf(second.ready)
    assert.deepEqual(second.ready, first.ready, 'the same credentials, endpoints and control')
    const { UserPools } = await cognito.send(new ListUserPoolsCommand({ MaxResults: 9 }))
    assert.deepEqual(
      UserPools?.map(({ Name }) => Name),
      ['kept'],
    )
    second.child.kill('SIGKILL')
    assert.equal(await second.ended, 'SIGKILL')
    await until(() => secondPids.filter(isAlive).length === 0, { what: 'the end of the regions' })
  })

  it('SIGKILL while its regions start leaves none behind', async () => {
    const port = nextPort()
    const home = join(directory, 'early')
    const early = run(['--json', '--data', home, '--port', String(port)])
    await until(() => existsSync(join(home, 'us-east-1', 'region.log')), { what: 'the start of the regions' })
    early.child.kill('SIGKILL')
    await early.ended
    await until(() => processesAbout(home).length === 0, { what: 'the end of the regions' })
  })

  it('SIGTERM while its regions start stops it too', async () => {
    const port = nextPort()
    const home = join(directory, 'stopped-early')
    const early = run(['--json', '--data', home, '--port', String(port)])
    await until(() => existsSync(join(home, 'us-east-1', 'region.log')), { what: 'the start of the regions' })
    early.child.kill('SIGTERM')
    assert.equal(await early.ended, 0)
    assert.deepEqual(processesAbout(home), [])
  })
})

describe('invalid options of a development plane', { concurrency: 3 }, () => {
  const refusals: Record<string, [string[], RegExp]> = {
    'an invalid port': [['--port', 'x'], /--port takes a whole number/],
    'no free port numbers for the regions': [['--port', '65535'], /--port takes a whole number/],
    'an invalid region': [['--regions', 'west'], /"west" is not a region name/],
    'a region named twice': [['--regions', 'us-west-2,us-west-2'], /names a region twice/],
    'three regions in `aws` parity': [['--regions', 'us-west-2,us-east-1,eu-west-1'], /require --parity extended/],
    'an unknown parity': [['--parity', 'gcp'], /--parity takes one of/],
    'both --data and --ephemeral': [['--data', 'x', '--ephemeral'], /exclude each other/],
    'an unknown store': [['--ephemeral', '--store', 'mysql', '--port', String(nextPort())], /--store takes sqlite/],
    'an unreachable PostgreSQL': [
      ['--ephemeral', '--store', 'postgres://u:hidden@127.0.0.1:1/x', '--port', String(nextPort())],
      /the PostgreSQL of --store cannot be used/,
    ],
    'a misspelt option': [['--prot', '1'], /--prot/],
  }
  for (const [what, [args, message]] of Object.entries(refusals)) {
    it(`are refused with one sentence: ${what}`, async () => {
      const { ended, errors, out } = run(args)
      assert.equal(await ended, 2)
      assert.match(errors(), message)
      assert.match(errors(), /^twinpool dev: /)
      assert.doesNotMatch(errors(), /\n {4}at |hidden/)
      assert.equal(out(), '')
    })
  }

  it('a region port in use by another program is named in the error', async () => {
    const port = nextPort()
    // The region that did start connects to this port, and breaks the connection when it is stopped.
    const other = createServer((socket) => socket.on('error', () => {}).destroy()).listen(port + 2, '127.0.0.1')
    await once(other, 'listening')
    try {
      const { ended, errors } = run(['--ephemeral', '--port', String(port)])
      assert.equal(await ended, 2)
      assert.match(errors(), /region us-east-1 did not start:[\s\S]*port is taken/)
    } finally {
      other.close()
    }
  })
})

/** Command lines of the processes that have a directory as an argument. */
function processesAbout(directory: string): string[] {
  return execFileSync('ps', ['-A', '-ww', '-o', 'stat=,args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(directory) && !line.startsWith('Z'))
}
