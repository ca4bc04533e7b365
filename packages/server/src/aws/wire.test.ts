/** The HTTP side of the API: headers, encodings, browsers, connections. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import {
  AdminGetUserCommand,
  CreateGroupCommand,
  CreateUserPoolCommand,
  DescribeUserPoolCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { call, errorOf, headersOf, JSON_1_1, type Reply, send } from '@twinpool/testing/calls'
import { wellFormed } from '@twinpool/testing/inputs'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const limits = { headersSeconds: 0.3, requestSeconds: 0.6, idleSeconds: 5 }

for (const engine of engines) {
  describe(`the wire: ${engine}`, () => {
    let plane: Plane
    let endpoint: string
    let pool: string

    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'], config: { limits } })
      endpoint = plane.primary.endpoint
      const { UserPool } = await plane.primary.cognito.send(new CreateUserPoolCommand({ PoolName: 'wire' }))
      pool = UserPool?.Id as string
    })
    after(() => plane.stop())

    const group = (operation: string, GroupName: string): Promise<Reply> =>
      call(endpoint, operation, { UserPoolId: pool, GroupName })

    it('successes and errors have the content type of the protocol and a unique request id', async () => {
      const good = await group('CreateGroup', 'a')
      const bad = await group('CreateGroup', 'a')
      assert.equal(good.status, 200)
      assert.equal(errorOf(bad), 'GroupExistsException')
      for (const { headers } of [good, bad]) {
        assert.equal(headers['content-type'], JSON_1_1)
        assert.match(String(headers['x-amzn-requestid']), UUID)
        assert.ok(headers.date)
      }
      assert.notEqual(good.headers['x-amzn-requestid'], bad.headers['x-amzn-requestid'])
      assert.equal(good.headers['x-amzn-errortype'], undefined)
      assert.equal(bad.headers['x-amzn-errortype'], 'GroupExistsException:')
    })

    it('no response may be cached', async () => {
      for (const { headers } of [await group('GetGroup', 'a'), await group('GetGroup', 'none')]) {
        assert.equal(headers['cache-control'], 'no-store')
      }
    })

    it('an error has exactly __type and message; the header repeats the message as plain text', async () => {
      const { status, text, headers } = await call(endpoint, 'DescribeUserPool', { UserPoolId: 'us-west-2_Nobody000' })
      assert.equal(status, 400)
      assert.deepEqual(JSON.parse(text), {
        __type: 'ResourceNotFoundException',
        message: 'User pool us-west-2_Nobody000 does not exist.',
      })
      assert.equal(headers['x-amzn-errormessage'], 'User pool us-west-2_Nobody000 does not exist.')
    })

    it('a message with any text is returned, in body and header', async () => {
      for (const name of ['a\r\nset-cookie: x=y', 'Müller 😀', '\u0000', '%', 'x'.repeat(20_000)]) {
        const reply = await call(endpoint, 'CreateUserPool', { PoolName: `{${name}}` })
        assert.equal(errorOf(reply), 'InvalidParameterException')
        assert.equal(reply.headers['set-cookie'], undefined)
        assert.match(String(reply.headers['x-amzn-errormessage']), /^[\x20-\x7e]{1,300}$/)
      }
    })

    it('an error message does not repeat secret input', async () => {
      const Password = 'a secret that nobody may read again '.repeat(10)
      const { text, headers } = await send(endpoint, {
        headers: headersOf('SignUp'),
        body: JSON.stringify({ ...wellFormed('SignUp'), Password }),
      })
      assert.equal(JSON.parse(text).__type, 'InvalidParameterException')
      assert.doesNotMatch(text + String(headers['x-amzn-errormessage']), /secret/)
    })

    it('operations without output return an empty body', async () => {
      await group('CreateGroup', 'gone')
      const reply = await group('DeleteGroup', 'gone')
      assert.deepEqual([reply.status, reply.text], [200, ''])
      assert.equal(reply.headers['content-type'], JSON_1_1)
    })

    it('times are numbers, in seconds; undefined members are left out', async () => {
      const started = Date.now() / 1_000
      await group('CreateGroup', 'timed')
      const { Group } = JSON.parse((await group('GetGroup', 'timed')).text)
      assert.equal(typeof Group.CreationDate, 'number')
      assert.ok(Math.abs(Group.CreationDate - started) < 60)
      assert.deepEqual(Object.keys(Group).sort(), ['CreationDate', 'GroupName', 'LastModifiedDate', 'UserPoolId'])
    })

    it('the SDK reads times as dates and errors as its own classes', async () => {
      const { cognito } = plane.primary
      const { UserPool } = await cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool }))
      assert.ok(UserPool?.CreationDate instanceof Date)
      const thrown = await cognito
        .send(new AdminGetUserCommand({ UserPoolId: pool, Username: 'nobody' }))
        .catch((error: unknown) => error)
      const { UserNotFoundException } = await import('@aws-sdk/client-cognito-identity-provider')
      assert.ok(thrown instanceof UserNotFoundException)
      assert.equal(thrown.message, 'User does not exist.')
      assert.match(thrown.$metadata.requestId ?? '', UUID)
    })

    it('members that are not in the model are ignored', async () => {
      const reply = await call(endpoint, 'CreateGroup', { UserPoolId: pool, GroupName: 'b', NoSuchMember: { a: [1] } })
      assert.equal(reply.status, 200)
    })

    it('a signature on an unsigned operation is ignored', async () => {
      const reply = await send(endpoint, {
        headers: { ...headersOf('SignUp'), authorization: 'AWS4-HMAC-SHA256 nonsense' },
        body: '{}',
      })
      assert.equal(errorOf(reply), 'InvalidParameterException')
    })

    it('a page of any origin may call the API, without cookies', async () => {
      const wanted = [
        ...['content-type', 'x-amz-target', 'x-amz-user-agent', 'cache-control', 'amz-sdk-invocation-id'],
        ...['amz-sdk-request', 'authorization', 'x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256'],
        ...['traceparent', 'tracestate', 'baggage', 'x-amzn-trace-id'],
      ]
      const { status, headers, text } = await send(endpoint, {
        method: 'OPTIONS',
        headers: {
          origin: 'https://app.example.com',
          'access-control-request-method': 'POST',
          'access-control-request-headers': wanted.join(','),
        },
      })
      assert.deepEqual([status, text], [204, ''])
      assert.equal(headers['access-control-allow-origin'], '*')
      assert.equal(headers['access-control-allow-credentials'], undefined)
      assert.match(String(headers['access-control-allow-methods']), /POST/)
      const allowed = String(headers['access-control-allow-headers'])
        .toLowerCase()
        .split(/\s*,\s*/)
      assert.deepEqual(
        wanted.filter((name) => !allowed.includes(name)),
        [],
      )
      assert.ok(Number(headers['access-control-max-age']) > 0)
    })

    it('a page of any origin may read every response: success, error, too large, unknown', async () => {
      const origin = 'https://app.example.com'
      const replies = [
        await send(endpoint, { headers: { ...headersOf('SignUp'), origin }, body: '{}' }),
        await send(endpoint, { headers: { ...headersOf('SignUp'), origin }, body: '{' }),
        await send(endpoint, { headers: { ...headersOf('NoSuchOperation'), origin }, body: '{}' }),
        await send(endpoint, { headers: { ...headersOf('SignUp'), origin }, body: `"${'x'.repeat(4_200_000)}"` }),
      ]
      assert.deepEqual(
        replies.map(({ status }) => status),
        [400, 400, 400, 413],
      )
      for (const { headers } of replies) {
        assert.equal(headers['access-control-allow-origin'], '*')
        const exposed = String(headers['access-control-expose-headers']).toLowerCase()
        for (const name of ['x-amzn-errortype', 'x-amzn-requestid', 'x-amzn-errormessage', 'date']) {
          assert.ok(exposed.includes(name), name)
        }
      }
    })

    it('one connection carries many calls', async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      const ports = new Set<number | undefined>()
      for (let n = 0; n < 5; n += 1) {
        const outgoing = request(endpoint, { method: 'POST', agent, headers: headersOf('SignUp') })
        outgoing.end('{}')
        const [incoming] = await once(outgoing, 'response')
        ports.add(incoming.socket.localPort)
        incoming.resume()
        await once(incoming, 'end')
      }
      agent.destroy()
      assert.equal(ports.size, 1)
    })

    it('pipelined calls are answered in order', async () => {
      const one = (operation: string, connection: string): string =>
        `POST / HTTP/1.1\r\nhost: x\r\nconnection: ${connection}\r\nx-amz-target: AWSCognitoIdentityProviderService.${operation}\r\ncontent-length: 2\r\n\r\n{}`
      const text = await talk(endpoint, [
        one('SignUp', 'keep-alive') + one('NoSuchOperation', 'keep-alive') + one('InitiateAuth', 'close'),
      ])
      const types = [...text.matchAll(/x-amzn-errortype: (\w+)/g)].map(([, type]) => type)
      assert.deepEqual(types, ['InvalidParameterException', 'UnknownOperationException', 'InvalidParameterException'])
    })

    it('a connection whose headers never end is closed', async () => {
      const text = await talk(endpoint, ['POST / HTTP/1.1\r\nhost: x\r\nx-slow: '], (socket) => socket.write('a'))
      assert.match(text, /^HTTP\/1\.1 408 /)
    })

    it('a connection whose body never ends is closed', async () => {
      const head = `POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: AWSCognitoIdentityProviderService.SignUp\r\ncontent-length: 900\r\n\r\n`
      const text = await talk(endpoint, [head], (socket) => socket.write(' '))
      assert.match(text, /^(HTTP\/1\.1 4\d\d |$)/)
    })

    it('a connection without requests is closed', async () => {
      assert.match(await talk(endpoint, []), /^(HTTP\/1\.1 408 |$)/)
    })

    it('many slow connections do not delay other callers', async () => {
      const slow = Array.from({ length: 100 }, () => talk(endpoint, ['POST / HTTP/1.1\r\nhost: x\r\n']))
      const started = performance.now()
      assert.equal((await group('GetGroup', 'a')).status, 200)
      assert.ok(performance.now() - started < 5_000)
      await Promise.all(slow)
      assert.equal((await group('GetGroup', 'a')).status, 200)
    })

    it('metrics count calls by operation and outcome, and no unknown operation names', async () => {
      await plane.primary.cognito.send(new CreateGroupCommand({ UserPoolId: pool, GroupName: 'counted' }))
      await send(endpoint, { headers: headersOf('MadeUpByACaller'), body: '{}' })
      const { text, headers } = await send(endpoint, { method: 'GET', path: '/metrics' })
      assert.match(String(headers['content-type']), /^text\/plain/)
      assert.match(text, /operation="CreateGroup",outcome="ok"/)
      assert.doesNotMatch(text, /MadeUpByACaller/)
    })
  })
}

/** Sends bytes, repeats `keepOn` at intervals, and returns the received text once the server has closed the connection. */
async function talk(
  endpoint: string,
  parts: readonly string[],
  keepOn: (socket: ReturnType<typeof connect>) => void = () => {},
): Promise<string> {
  const { hostname, port } = new URL(endpoint)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.setEncoding('utf8')
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', () => {})
  // In pieces, as an attacker who wants to hold a connection would.
  const trickle = setInterval(() => socket.writable && keepOn(socket), 50)
  const deadline = setTimeout(() => socket.destroy(new Error('never ended')), 15_000)
  let late = false
  socket.on('error', (error) => {
    late ||= error.message === 'never ended'
  })
  for (const part of parts) socket.write(part)
  await once(socket, 'close').catch(() => {})
  clearInterval(trickle)
  clearTimeout(deadline)
  assert.ok(!late, 'the connection was never ended')
  return text
}
