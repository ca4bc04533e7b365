import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { CognitoIdentityProviderClient, DescribeUserPoolCommand } from '@aws-sdk/client-cognito-identity-provider'
import { KMSClient, ListKeysCommand } from '@aws-sdk/client-kms'
import { CognitoError } from '../errors.ts'
import { createSignatureCheck, type SignedRequest } from './sigv4.ts'

const credentials = { accessKeyId: 'AKIATWINPOOLTESTING0', secretAccessKey: 'a-secret-for-tests-alone-0123456789' }
const region = 'us-west-2'

/** Captures requests as the official SDK signs them. */
const recorded: SignedRequest[] = []
const server = createServer(async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const url = new URL(request.url ?? '/', 'http://localhost')
  recorded.push({
    method: request.method ?? '',
    path: url.pathname,
    query: url.search.slice(1),
    headers: headersOf(request.headers),
    body: Buffer.concat(chunks),
  })
  response.setHeader('content-type', 'application/x-amz-json-1.1').end('{}')
})
const headersOf = (headers: IncomingHttpHeaders): Headers => new Headers(headers as Record<string, string>)

interface Settings {
  region?: string
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }
}

async function record(service: 'kms' | 'cognito-idp', settings: Settings = {}): Promise<SignedRequest> {
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const all = { region, endpoint, credentials, maxAttempts: 1, ...settings }
  if (service === 'kms') {
    const client = new KMSClient(all)
    await client.send(new ListKeysCommand({ Limit: 10 }))
    client.destroy()
  } else {
    const client = new CognitoIdentityProviderClient(all)
    await client.send(new DescribeUserPoolCommand({ UserPoolId: 'us-west-2_abcdefghi' }))
    client.destroy()
  }
  return recorded.pop() as SignedRequest
}

const timeOf = ({ headers }: SignedRequest): number => {
  const [, y, mo, d, h, mi, s] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(headers.get('x-amz-date') ?? '') ?? []
  return Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s))
}

const known = new Map([[credentials.accessKeyId, credentials.secretAccessKey]])

const check = (
  request: SignedRequest,
  { now = timeOf(request), anyRegion = false, services = ['kms', 'cognito-idp'] } = {},
) => createSignatureCheck({ credentials: known, clock: { now: () => now }, region, services, anyRegion })(request)

const withHeaders = (request: SignedRequest, changes: Record<string, string | null>): SignedRequest => {
  const headers = new Headers(request.headers as Headers)
  for (const [name, value] of Object.entries(changes)) value === null ? headers.delete(name) : headers.set(name, value)
  return { ...request, headers }
}

const editAuthorization = (request: SignedRequest, edit: (text: string) => string): SignedRequest =>
  withHeaders(request, { authorization: edit(request.headers.get('authorization') ?? '') })

const refusedAs = (code: string, message: string | RegExp) => (error: unknown) => {
  assert.ok(error instanceof CognitoError)
  assert.equal(error.code, code)
  if (typeof message === 'string') assert.equal(error.message, message)
  else assert.match(error.message, message)
  return true
}
const MISMATCH = refusedAs(
  'InvalidSignatureException',
  /^The request signature we calculated does not match the signature you provided\. /,
)

describe('signature version 4', () => {
  before(async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    server.listen(0, '127.0.0.1', resolve)
    await promise
  })
  after(() => {
    server.close()
    server.closeAllConnections()
  })

  test('calls signed by the official SDK are accepted, also repeatedly', async () => {
    for (const service of ['kms', 'cognito-idp'] as const) {
      const request = await record(service)
      assert.deepEqual(check(request), { accessKeyId: credentials.accessKeyId })
      assert.deepEqual(check(request), { accessKeyId: credentials.accessKeyId })
    }
  })

  test('the example of the AWS documentation has the signature that the documentation shows', () => {
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html, the IAM ListUsers example of the test suite
    const request = {
      method: 'GET',
      path: '/',
      query: 'Version=2010-05-08&Action=ListUsers',
      headers: new Headers({
        host: 'iam.amazonaws.com',
        'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
        'x-amz-date': '20150830T123600Z',
        authorization:
          'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
      }),
      body: Buffer.alloc(0),
    }
    const check = createSignatureCheck({
      credentials: new Map([['AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY']]),
      clock: { now: () => Date.UTC(2015, 7, 30, 12, 36) },
      region: 'us-east-1',
      services: ['iam'],
    })
    assert.deepEqual(check(request), { accessKeyId: 'AKIDEXAMPLE' })
    assert.throws(() => check({ ...request, query: 'Version=2010-05-08&Action=ListRoles' }), MISMATCH)
    assert.throws(() => check({ ...request, path: '/%zz' }), MISMATCH)
    assert.throws(() => check({ ...request, query: '%zz=%' }), MISMATCH)
  })

  test('a changed body, header, path, method or signature is refused', async () => {
    const request = await record('cognito-idp')
    const tampered: SignedRequest[] = [
      { ...request, body: Buffer.from('{"UserPoolId":"us-west-2_otherpool"}') },
      { ...request, body: Buffer.alloc(0) },
      { ...request, method: 'PUT' },
      { ...request, path: '/x' },
      { ...request, query: 'a=b' },
      withHeaders(request, { 'x-amz-target': 'AWSCognitoIdentityProviderService.DeleteUserPool' }),
      withHeaders(request, { host: 'example.com' }),
      withHeaders(request, { 'content-type': 'text/plain' }),
      editAuthorization(request, (text) => text.replace(/Signature=.{4}/, 'Signature=0000')),
      editAuthorization(request, (text) => text.replace(/Signature=.*/, 'Signature=abc')),
      editAuthorization(request, (text) => text.replace(/Signature=.*/, `Signature=${'0'.repeat(64)}`)),
    ]
    for (const attempt of tampered) assert.throws(() => check(attempt), MISMATCH)
    const unsigned = { ...request, body: Buffer.from('{}') }
    assert.throws(() => check(withHeaders(unsigned, { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' })), MISMATCH)
  })

  test('an old signature has expired, and one from the future is not current', async () => {
    const request = await record('kms')
    const signed = timeOf(request)
    const iso = (time: number): string => new Date(time).toISOString().replace(/[-:]|\.\d+/g, '')
    const minute = 60_000
    check(request, { now: signed + 5 * minute })
    check(request, { now: signed - 5 * minute })
    const late = signed + 6 * minute
    assert.throws(
      () => check(request, { now: late }),
      refusedAs(
        'InvalidSignatureException',
        `Signature expired: ${iso(signed)} is now earlier than ${iso(late - 5 * minute)} (${iso(late)} - 5 min.)`,
      ),
    )
    const early = signed - 6 * minute
    assert.throws(
      () => check(request, { now: early }),
      refusedAs(
        'InvalidSignatureException',
        `Signature not yet current: ${iso(signed)} is still later than ${iso(early + 5 * minute)} (${iso(early)} + 5 min.)`,
      ),
    )
  })

  test('an unknown key, a wrong secret and a session token are refused', async () => {
    const secretAccessKey = credentials.secretAccessKey
    const unknown = await record('kms', { credentials: { accessKeyId: 'AKIANOBODYKNOWSTHIS0', secretAccessKey } })
    const message = 'The security token included in the request is invalid.'
    assert.throws(() => check(unknown), refusedAs('UnrecognizedClientException', message))
    const token = await record('kms', { credentials: { ...credentials, sessionToken: 'token' } })
    assert.throws(() => check(token), refusedAs('UnrecognizedClientException', message))
    const wrong = await record('kms', { credentials: { ...credentials, secretAccessKey: `${secretAccessKey}!` } })
    assert.throws(() => check(wrong), MISMATCH)
  })

  test('the scope must name this region and this service', async () => {
    const east = await record('kms', { region: 'us-east-1' })
    assert.throws(
      () => check(east),
      refusedAs('InvalidSignatureException', 'Credential should be scoped to a valid region. '),
    )
    assert.deepEqual(check(east, { anyRegion: true }), { accessKeyId: credentials.accessKeyId })
    const kms = await record('kms')
    assert.throws(
      () => check(kms, { services: ['cognito-idp'] }),
      refusedAs('InvalidSignatureException', "Credential should be scoped to correct service: 'cognito-idp'. "),
    )
    const terminated = editAuthorization(kms, (text) => text.replace('aws4_request', 'aws5_request'))
    assert.throws(() => check(terminated), refusedAs('InvalidSignatureException', /valid terminator: 'aws4_request'/))
    const dated = editAuthorization(kms, (text) => text.replace(/\/\d{8}\//, '/20200101/'))
    assert.throws(
      () => check(dated),
      refusedAs('InvalidSignatureException', /^Date in Credential scope does not match/),
    )
  })

  test('missing and malformed parts are named', async () => {
    const request = await record('kms')
    assert.throws(
      () => check(withHeaders(request, { authorization: null })),
      refusedAs('MissingAuthenticationTokenException', 'Missing Authentication Token'),
    )
    const incomplete: [SignedRequest, RegExp][] = [
      [
        withHeaders(request, { authorization: 'Basic dXNlcjpwYXNz' }),
        /requires 'Credential' parameter\. .*'Signature'.*'SignedHeaders'/,
      ],
      [withHeaders(request, { authorization: 'AWS4-HMAC-SHA256' }), /requires 'Credential' parameter/],
      [
        editAuthorization(request, (text) => text.replace('SignedHeaders', 'Other')),
        /^Authorization header requires 'SignedHeaders' parameter\. \(Hashed/,
      ],
      [editAuthorization(request, (text) => text.replace('/aws4_request', '')), /exactly 5 slash-delimited elements/],
      [
        editAuthorization(request, (text) => text.replace('SignedHeaders=', 'SignedHeaders=ä b;')),
        /SignedHeaders must be/,
      ],
      [withHeaders(request, { 'x-amz-date': null }), /either a 'X-Amz-Date' or a 'Date' header/],
      [withHeaders(request, { 'x-amz-date': '20261399T999999Z' }), /ISO-8601 'basic format'/],
      [withHeaders(request, { 'x-amz-date': 'yesterday' }), /ISO-8601 'basic format'/],
    ]
    for (const [attempt, message] of incomplete) {
      assert.throws(() => check(attempt, { now: 0 }), refusedAs('IncompleteSignatureException', message))
    }
    for (const name of ['host', 'x-amz-target', 'x-amz-date']) {
      const attempt = editAuthorization(request, (text) => text.replace(new RegExp(`([=;])${name};?`), '$1'))
      assert.throws(() => check(attempt), refusedAs('InvalidSignatureException', /must be a 'SignedHeader'/))
    }
  })

  test('no error message repeats a secret, a signature or the Authorization header', async () => {
    const request = await record('kms')
    const signature = /Signature=(.*)$/.exec(request.headers.get('authorization') ?? '')?.[1] as string
    for (const attempt of [
      { ...request, body: Buffer.from('x') },
      editAuthorization(request, (text) => text.replace('SignedHeaders', 'Other')),
    ]) {
      assert.throws(
        () => check(attempt),
        (error) => {
          assert.ok(error instanceof CognitoError)
          return !error.message.includes(signature) && !error.message.includes(credentials.secretAccessKey)
        },
      )
    }
  })
})
