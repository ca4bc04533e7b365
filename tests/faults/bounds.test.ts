/** Calls of callers without credentials have bounds that are known before they are paid. The full attacks: `npm run attack`. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { COGNITO, errorOf, headersOf, JSON_1_1, type Reply, send, sign } from '@twinpool/testing/calls'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser } from '@twinpool/testing/pools'
import { headOf, openConnections } from '@twinpool/testing/raw-connections'
import { until } from '@twinpool/testing/regions'
import { type ServedRegion, serveRegion } from '@twinpool/testing/served-region'

const MEGABYTE = 1024 * 1024
const CONNECTIONS = 20

describe('the bounds of a region', () => {
  let region: ServedRegion
  let client: string
  let token: string

  before(async () => {
    const limits = { connections: CONNECTIONS, bodyBytes: 20 * MEGABYTE, progressSeconds: 1 }
    region = await serveRegion({ config: { limits } })
    const pool = await createPool(region)
    client = (await createClient(region, pool)).id
    await createUser(region, pool, { username: 'ada' })
    token = (await people(region).signIn({ id: client }, { username: 'ada' })).AccessToken
  })
  after(() => region.stop())

  const call = (operation: string, body: string): Promise<Reply> =>
    send(region.endpoint, { headers: headersOf(operation), body })
  const getUser = (AccessToken: string): Promise<Reply> => call('GetUser', JSON.stringify({ AccessToken }))
  const checkServing = async (): Promise<void> => {
    // A kept connection may have been closed for new ones: a client makes the call again.
    const { status } = await getUser(token).catch(() => getUser(token))
    assert.equal(status, 200)
    assert.equal((await region.health().catch(() => region.health())).code, 200)
  }

  it('a token has one spelling', async () => {
    assert.equal((await getUser(token)).status, 200)
    const last = token.at(-1) as string
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    // The last character of a signature has bits that decoders ignore.
    const sameBits = alphabet[alphabet.indexOf(last) ^ 1] as string
    for (const spelling of [`${token}=`, `${token}==`, `${token}A`, `${token.slice(0, -1)}${sameBits}`]) {
      assert.equal(errorOf(await getUser(spelling)), 'NotAuthorizedException', spelling.slice(-5))
    }
    assert.equal(errorOf(await getUser(`${token}${'='.repeat(16_384)}`)), 'InvalidParameterException')
    assert.equal((await getUser(`${token}${'='.repeat(MEGABYTE)}`)).status, 413)
  })

  it('a body that is larger than its operation allows is refused before it is sent', async () => {
    for (const [operation, bytes] of [
      ['GetUser', 120_000],
      ['SignUp', 300_000],
      ['DescribeUserPool', 10_000],
      ['NoSuchOperation', 20_000],
    ] as const) {
      const head = Buffer.from(headOf({ ...headersOf(operation), 'content-length': String(bytes) }))
      const [socket] = (await openConnections(region.endpoint, 1, head)) as [Socket]
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk
      })
      await until(() => text.includes('RequestEntityTooLargeException'), { what: `a refusal of ${operation}` })
      assert.match(text, /^HTTP\/1\.1 413 /)
      socket.destroy()
    }
  })

  it('a signed call with invalid credentials is refused by its headers, before a large body is sent', async () => {
    const headers = { ...headersOf('CreateUserPool'), 'content-length': String(MEGABYTE) }
    const [socket] = (await openConnections(region.endpoint, 1, Buffer.from(headOf(headers)))) as [Socket]
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    await once(socket, 'close')
    assert.match(text, /^HTTP\/1\.1 4.*MissingAuthenticationTokenException/s)
  })

  it('the depth and the number of values are bounded before a body is parsed', async () => {
    const depth = 30
    const deep = `{"ClientMetadata":${'['.repeat(depth)}${']'.repeat(depth)}}`
    assert.match((await call('SignUp', deep)).text, /nested too deeply/)
    assert.match((await call('SignUp', '['.repeat(200_000))).text, /nested too deeply/)
    const many = JSON.stringify({ UserAttributes: Array.from({ length: 60_000 }, () => 1) })
    assert.match((await call('SignUp', many)).text, /too many values/)
    const unknown = JSON.stringify(Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`k${at}`, 1])))
    assert.match((await call('SignUp', unknown)).text, /too many values/)
    // Brackets and commas in a text are no values.
    const text = JSON.stringify({ ClientId: client, Username: 'a"[[[,,,'.repeat(5_000), Password: 'x' })
    assert.equal(errorOf(await call('SignUp', text)), 'InvalidParameterException')
    await checkServing()
  })

  it('a list above its maximum is refused with one complaint', async () => {
    const UserAttributes = Array.from({ length: 201 }, () => ({}))
    const { text } = await call('SignUp', JSON.stringify({ ClientId: client, Username: 'a', UserAttributes }))
    const { message } = JSON.parse(text) as { message: string }
    assert.match(message, /^1 validation error detected: .*'userAttributes'.*less than or equal to 200$/)
  })

  it('bodies without progress are ended, and a small call is served in between', async () => {
    // Signed operations have the largest bodies. The headers are those of a caller who knows an access key id.
    const body = Buffer.alloc(1.5 * MEGABYTE, ' ')
    const headers = await sign(region.endpoint, { headers: headersOf('CreateManagedLoginBranding'), body })
    const head = headOf({ ...headers, 'content-length': String(body.length) })
    const parts = Buffer.concat([Buffer.from(head), body.subarray(1)])
    const sockets = await openConnections(region.endpoint, 6, parts)
    for (const socket of sockets) socket.resume()
    await until(() => sockets.some(({ closed }) => closed), { what: 'the end of one' })
    await checkServing()
    await until(() => sockets.every(({ closed }) => closed), { what: 'the end of all that make no progress' })
  })

  for (const [what, words] of [
    ['without a request', ''],
    ['with half a head', 'POST / HTTP/1.1\r\nhost: lo'],
    ['with half a body', `${headOf({ ...headersOf('SignUp'), 'content-length': '1000' })}{"a":`],
    ['with unread responses', 'GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(4)],
  ] as const) {
    it(`connections ${what} are closed for new ones`, async () => {
      const sockets = await openConnections(region.endpoint, 3 * CONNECTIONS, Buffer.from(words))
      try {
        await checkServing()
        for (const socket of sockets) socket.resume()
        await until(() => sockets.filter(({ closed }) => closed).length >= 2 * CONNECTIONS, { what: 'the close' })
      } finally {
        for (const socket of sockets) socket.destroy()
      }
      await checkServing()
    })
  }

  it('a connection has a few requests at once', async () => {
    const body = JSON.stringify({ AccessToken: token })
    const one = `${headOf({ ...headersOf('GetUser'), 'content-length': String(body.length) })}${body}`
    const [socket] = (await openConnections(region.endpoint, 1, Buffer.from(one.repeat(100)))) as [Socket]
    socket.resume()
    await once(socket, 'close')
    await checkServing()
  })

  it('long and many headers are refused', async () => {
    const long = await send(region.endpoint, { headers: { ...headersOf('GetUser'), 'x-long': 'x'.repeat(20_000) } })
    assert.equal(long.status, 431)
    const target = { 'content-type': JSON_1_1, 'x-amz-target': `${COGNITO}.${'x'.repeat(10_000)}` }
    const { text } = await send(region.endpoint, { headers: target, body: '{}' })
    assert.ok(text.length < 500)
  })
})
