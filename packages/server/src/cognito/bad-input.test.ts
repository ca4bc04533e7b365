/** Bad input of any kind gets an error in the protocol's form: never a 5xx, never silence. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminSetUserPasswordCommand,
  type CognitoIdentityProviderClient,
  CreateGroupCommand,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
  InitiateAuthCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { type Call, COGNITO, call, errorOf, headersOf, JSON_1_1, type Reply, send, sign } from '@twinpool/testing/calls'
import { inputOf, strange, wellFormed } from '@twinpool/testing/inputs'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'
import type { Constraint, Member } from '../aws/shapes.ts'
import { constraints } from './constraints.ts'
import { operations as table } from './operations.ts'
import { type OperationName, operationNames, operations } from './shapes.generated.ts'
import { validateInput } from './validate.ts'

const KMS = 'TrentService'
const isSigned = (operation: OperationName): boolean => ['account', 'pool', 'user'].includes(table[operation].caller)

/** Asserts a client error in the form that every AWS SDK can read. */
function assertRefused(reply: Reply, what: string): asserts reply {
  const description = `${what}: ${reply.status} ${reply.text.slice(0, 200)}`
  assert.ok(reply.status >= 400 && reply.status < 500, description)
  assertInProtocol(reply, description)
}

function assertInProtocol(reply: Reply, description: string): void {
  const { __type, message, ...rest } = JSON.parse(reply.text) as Record<string, unknown>
  assert.equal(typeof __type, 'string', description)
  assert.equal(typeof message, 'string', description)
  assert.deepEqual(rest, {}, description)
  assert.equal(reply.headers['x-amzn-errortype'], `${__type}:`, description)
  assert.match(String(reply.headers['x-amzn-requestid']), /^[0-9a-f-]{36}$/, description)
  assert.equal(reply.headers['content-type'], JSON_1_1, description)
}

/** Asserts a success, a client error, or NotImplementedException. */
function assertNoFault(reply: Reply, what: string): void {
  if (reply.status === 200) return
  const description = `${what}: ${reply.status} ${reply.text.slice(0, 300)}`
  if (reply.status === 501) assert.equal(errorOf(reply), 'NotImplementedException', description)
  else assert.ok(reply.status >= 400 && reply.status < 500, description)
  assertInProtocol(reply, description)
}

/** Invalid input is refused before the store is read. */
function isValid(operation: OperationName, input: unknown): boolean {
  try {
    validateInput(operation, input)
    return true
  } catch {
    return false
  }
}

/** Runs the work over a list, sixteen items at a time, in the order of the list. */
async function all<T>(list: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...list]
  const workers = Array.from({ length: 16 }, async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
  })
  await Promise.all(workers)
}

const constraintOf = (operation: OperationName, name: string): Constraint | undefined =>
  constraints[`${operations[operation].input}.${name}`] ?? constraints[name]

/** A value of another JSON type than the member has. */
function wrongTypes(member: Member): unknown[] {
  switch (member.type) {
    case 'string':
      return [1, true, {}, [], ['x'], '\ud800', 'a\udfff']
    case 'blob':
      return [1, true, {}, [], 'not base64!']
    case 'integer':
    case 'long':
      return ['1', true, {}, [], 1.5, 1e300]
    case 'double':
    case 'timestamp':
      return ['1', true, {}, []]
    case 'boolean':
      return ['true', 1, {}, []]
    case 'list':
      return ['x', 1, true, {}]
    case 'map':
    case 'structure':
      return ['x', 1, true, []]
    case 'document':
      return []
  }
}

/** A value of the right type that a constraint of the member forbids. */
function brokenRules({ min, max, matches }: Constraint, member: Member): unknown[] {
  const values: unknown[] = []
  const isText = member.type === 'string'
  const isNumber = ['integer', 'long', 'double'].includes(member.type)
  if (isNumber && max !== undefined) values.push(max + 1)
  if (isNumber && min !== undefined) values.push(min - 1)
  if (isText && max !== undefined && max < 131_072) values.push('x'.repeat(max + 1))
  if (isText && min !== undefined && min > 0) values.push('')
  if (isText && matches) values.push(...[' ', '\u0000', 'a\nb', '\t', '{'].filter((text) => !matches(text)))
  return values
}

for (const engine of engines) {
  describe(`bad input: ${engine}`, () => {
    let plane: Plane
    let endpoint: string

    let known: Record<string, unknown>

    /** For requests that are refused before the store is read: they do not depend on the engine, so they run on the first engine only. */
    const itOnce = engine === engines[0] ? it : () => undefined

    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
      endpoint = plane.primary.endpoint
      known = await peopled(plane.primary.cognito)
    })
    after(() => plane.stop())

    const invoke = async (operation: OperationName, input: unknown): Promise<Reply> =>
      isSigned(operation)
        ? call(endpoint, operation, input)
        : send(endpoint, { headers: headersOf(operation), body: JSON.stringify(input) })

    /** Asserts that a valid request still succeeds. */
    const assertAlive = async (): Promise<void> => {
      const reply = await call(endpoint, 'TagResource', {})
      assert.equal(errorOf(reply), 'InvalidParameterException')
      assert.equal((await send(endpoint, { method: 'GET', path: '/health' })).status, 200)
    }

    itOnce('every operation refuses an input that lacks a required member', async () => {
      const cases = operationNames.flatMap((operation) =>
        Object.entries(inputOf(operation))
          .filter(([, member]) => member.required)
          .map(([name]) => ({ operation, name })),
      )
      assert.ok(cases.length > 200)
      await all(cases, async ({ operation, name }) => {
        for (const absent of [undefined, null]) {
          const reply = await invoke(operation, { ...wellFormed(operation), [name]: absent })
          assertRefused(reply, `${operation} without ${name}`)
          assert.equal(errorOf(reply), 'InvalidParameterException', `${operation} without ${name}: ${reply.text}`)
        }
      })
    })

    itOnce('an operation refuses a resource that does not exist with an error of its model', async () => {
      const cases = operationNames.filter((name) => table[name].handler !== undefined && name !== 'CreateUserPool')
      await all(cases, async (operation) => {
        const reply = await invoke(operation, wellFormed(operation))
        if (reply.status === 200) return
        const modelled: readonly string[] = operations[operation].errors
        assert.ok(modelled.includes(String(errorOf(reply))), `${operation}: ${reply.text}`)
      })
    })

    itOnce('every member of every operation refuses values of other types', async () => {
      const cases = operationNames.flatMap((operation) =>
        Object.entries(inputOf(operation)).flatMap(([name, member]) =>
          wrongTypes(member).map((value) => ({ operation, name, value })),
        ),
      )
      assert.ok(cases.length > 1_000)
      await all(cases, async ({ operation, name, value }) => {
        const what = `${operation} with ${name} ${JSON.stringify(value)}`
        const reply = await invoke(operation, { ...wellFormed(operation), [name]: value })
        assertRefused(reply, what)
        assert.equal(errorOf(reply), 'SerializationException', `${what}: ${reply.text}`)
      })
    })

    itOnce(
      'every member of every operation refuses values that are too long, too short, too great, too small, malformed',
      async () => {
        const cases = operationNames.flatMap((operation) =>
          Object.entries(inputOf(operation)).flatMap(([name, member]) => {
            const rules = constraintOf(operation, name)
            const values = member.enum !== undefined ? ['NO_SUCH_VALUE', ''] : rules ? brokenRules(rules, member) : []
            return values.map((value) => ({ operation, name, value }))
          }),
        )
        assert.ok(cases.length > 500)
        await all(cases, async ({ operation, name, value }) => {
          const what = `${operation} with ${name} ${JSON.stringify(value).slice(0, 100)}`
          const reply = await invoke(operation, { ...wellFormed(operation), [name]: value })
          assertRefused(reply, what)
          assert.equal(errorOf(reply), 'InvalidParameterException', `${what}: ${reply.text}`)
        })
      },
    )

    it('no strange value in any member is our fault', async () => {
      const cases = operationNames
        .flatMap((operation) =>
          Object.entries(inputOf(operation)).flatMap(([name, member]) =>
            strange
              .filter((value) => typeof value === typeOf(member) || member.type === 'document')
              .map((value) => ({ operation, value, name, input: { ...wellFormed(operation, known), [name]: value } })),
          ),
        )
        .filter(({ operation, input }) => engine === engines[0] || isValid(operation, input))
      assert.ok(cases.length > 1_000)
      await all(cases, async ({ operation, name, value, input }) => {
        const reply = await invoke(operation, input)
        assertNoFault(reply, `${operation} with ${name} ${JSON.stringify(value)?.slice(0, 60)}`)
      })
      await assertAlive()
    })

    itOnce('strings without a constraint of their own still have a length limit', async () => {
      const reply = await invoke('SignUp', {
        ...wellFormed('SignUp', known),
        ClientMetadata: { a: 'x'.repeat(131_073) },
      })
      assertRefused(reply, 'ClientMetadata')
      assert.equal(errorOf(reply), 'InvalidParameterException')
    })

    itOnce('every operation refuses bodies that are not JSON objects', async () => {
      const bodies: (string | Buffer)[] = [
        '[]',
        '"text"',
        '1',
        'true',
        'null',
        '{',
        '{"UserPoolId":',
        '{"UserPoolId":"us-west-2_a"',
        '{"a":1}}',
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":1e999999}{',
        "{'a':1}",
        '{a:1}',
        '{"a":1,}',
        '<xml/>',
        'Action=ListUserPools',
        '\u0000',
        Buffer.of(0xff, 0xfe, 0x7b, 0x7d),
        Buffer.concat([Buffer.from('{"UserPoolId":"'), Buffer.of(0xc3, 0x28), Buffer.from('"}')]),
        Buffer.concat([Buffer.from('{"UserPoolId":"'), Buffer.of(0xed, 0xa0, 0x80), Buffer.from('"}')]),
      ]
      const cases = operationNames.flatMap((operation, at) => {
        // All bodies with a few operations, a few bodies with all operations.
        const some = at % 20 === 0 ? bodies : [bodies[at % bodies.length], bodies[(at * 7 + 1) % bodies.length]]
        return some.map((body) => ({ operation, body: body as string | Buffer }))
      })
      await all(cases, async ({ operation, body }) => {
        const headers = headersOf(operation)
        const reply = await send(endpoint, {
          headers: isSigned(operation) ? await sign(endpoint, { headers, body }) : headers,
          body,
        })
        assertRefused(reply, `${operation} with ${body}`)
        assert.equal(errorOf(reply), 'SerializationException', `${operation} with ${body}: ${reply.text}`)
      })
    })

    itOnce('an empty body is an empty input', async () => {
      for (const operation of ['SignUp', 'DescribeUserPool', 'ListUserPools'] as const) {
        const headers = headersOf(operation)
        const reply = await send(endpoint, { headers: await sign(endpoint, { headers, body: '' }) })
        assert.equal(errorOf(reply), 'InvalidParameterException')
      }
    })

    itOnce('deep, broad and large bodies within the limit do not stop the region', async () => {
      const deep = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth)
      const bodies = [
        deep('[', ']', 500_000),
        deep('{"a":', '}', 300_000).replace('}', '1}'),
        `{"ClientMetadata":${deep('{"a":', '}', 100_000).replace('}', '1}')}}`,
        `{"UserAttributes":${deep('[', ']', 200_000)}}`,
        `{"Credential":${deep('[', ']', 200_000)},"AccessToken":"a"}`,
        `{"UserAttributes":[${Array.from({ length: 100_000 }, () => '{}').join(',')}]}`,
        JSON.stringify({
          ClientMetadata: Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`k${at}`, 1])),
        }),
        `{${Array.from({ length: 100_000 }, (_, at) => `"k${at}":1`).join(',')}}`,
        `{"Username":"${'\\ud800'.repeat(300_000)}"}`,
        `{"Username":${'9'.repeat(1_000_000)}}`,
        `{"Username":"${'é'.repeat(1_000_000)}"}`,
        `{"__proto__":{"ClientId":"a","Username":"b","Password":"c"}}`,
        `{"constructor":{"prototype":{"ClientId":"a"}}}`,
      ]
      for (const operation of ['SignUp', 'CompleteWebAuthnRegistration'] as const) {
        for (const body of bodies) {
          const started = performance.now()
          const reply = await send(endpoint, { headers: headersOf(operation), body })
          assertRefused(reply, `${operation} with ${body.slice(0, 40)}`)
          assert.ok(performance.now() - started < 5_000, `${operation} with ${body.slice(0, 40)} took too long`)
        }
      }
      await assertAlive()
    })

    itOnce('a body that is too large is refused, with or without a Content-Length', async () => {
      const body = Buffer.alloc(5 * 1024 * 1024, 'x')
      const announced = await raw(endpoint, [
        head({ ...headersOf('SignUp'), 'content-length': String(body.length) }),
        body,
      ])
      assertRefused(announced, 'announced')
      assert.equal(announced.status, 413)
      const size = Buffer.from(`${body.length.toString(16)}\r\n`)
      const chunked = await raw(endpoint, [
        head({ ...headersOf('SignUp'), 'transfer-encoding': 'chunked' }),
        size,
        body,
        '\r\n0\r\n\r\n',
      ])
      assertRefused(chunked, 'chunked')
      assert.equal(chunked.status, 413)
      await assertAlive()
    })

    itOnce('a body whose Content-Length is too large is refused before it is sent', async () => {
      const reply = await raw(endpoint, [head({ ...headersOf('SignUp'), 'content-length': '99999999999' })])
      assertRefused(reply, 'announced and not sent')
      assert.equal(reply.status, 413)
    })

    itOnce('a body that ends early is refused, and the region goes on', async () => {
      const reply = await raw(endpoint, [head({ ...headersOf('SignUp'), 'content-length': '1000' }), '{"ClientId"'], {
        end: true,
      })
      assert.ok(reply.status === 0 || (reply.status >= 400 && reply.status < 500), String(reply.status))
      await cutOff(endpoint, [head({ ...headersOf('SignUp'), 'content-length': '1000' }), '{"ClientId"'])
      await cutOff(endpoint, [head({ ...headersOf('SignUp'), 'transfer-encoding': 'chunked' }), 'ff\r\n{"Cl'])
      await assertAlive()
    })

    itOnce('targets that name no operation are refused', async () => {
      const targets = [
        undefined,
        '',
        '.',
        'SignUp',
        `${COGNITO}`,
        `${COGNITO}.`,
        `${COGNITO}.NoSuchOperation`,
        `${COGNITO}.signup`,
        `${COGNITO}.SignUp.SignUp`,
        `${COGNITO}.__proto__`,
        `${COGNITO}.constructor`,
        `${COGNITO}.toString`,
        `${COGNITO}.hasOwnProperty`,
        `${COGNITO}.${'x'.repeat(5_000)}`,
        `${COGNITO}. SignUp`,
        `AWSCognitoIdentityService.GetId`,
        `DynamoDB_20120810.ListTables`,
        `${COGNITO.toLowerCase()}.SignUp`,
        `${KMS}.`,
        `${KMS}.NoSuchOperation`,
        `${KMS}.__proto__`,
        `${KMS}.constructor`,
        'TwinpoolService.NoSuchOperation',
      ]
      for (const target of targets) {
        const headers = { 'content-type': JSON_1_1, ...(target !== undefined && { 'x-amz-target': target }) }
        for (const body of ['{}', '', 'x']) {
          const reply = await send(endpoint, { headers: await sign(endpoint, { headers, body }), body })
          assertRefused(reply, String(target))
          assert.equal(errorOf(reply), 'UnknownOperationException', `${target}: ${reply.text}`)
        }
      }
    })

    itOnce('other content types are refused', async () => {
      for (const type of [
        'text/plain',
        'application/xml',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
        'x',
      ]) {
        const reply = await send(endpoint, {
          headers: { ...headersOf('SignUp'), 'content-type': type },
          body: JSON.stringify(wellFormed('SignUp')),
        })
        assertRefused(reply, type)
        assert.equal(errorOf(reply), 'SerializationException', type)
      }
      for (const type of [JSON_1_1, `${JSON_1_1}; charset=utf-8`, 'application/json', 'Application/X-Amz-JSON-1.1']) {
        const reply = await send(endpoint, { headers: { ...headersOf('SignUp'), 'content-type': type }, body: '{}' })
        assert.equal(errorOf(reply), 'InvalidParameterException', type)
      }
    })

    it('other methods and paths are refused', async () => {
      const calls: Call[] = [
        ...['GET', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND'].map((method) => ({ method })),
        ...['/x', '//', '/%00', '/%ff', '/..%2f..%2fetc/passwd', `/${'x'.repeat(4_000)}`, '/?a=%', '/health/x'].flatMap(
          (path) => ['GET', 'POST'].map((method) => ({ method, path })),
        ),
        { method: 'POST', path: '/health' },
        { method: 'GET', path: '/us-west-2_None00000/.well-known/jwks.json' },
        { method: 'GET', path: '/__proto__/.well-known/openid-configuration' },
      ]
      for (const request of calls) {
        const reply = await send(endpoint, { ...request, headers: headersOf('SignUp'), body: '' })
        assert.ok(
          reply.status >= 400 && reply.status < 500,
          `${request.method} ${request.path}: ${reply.status} ${reply.text}`,
        )
        JSON.parse(reply.text)
      }
    })

    itOnce('bytes that are not HTTP are refused', async () => {
      for (const text of [
        '\r\n\r\n',
        'hello\r\n\r\n',
        'POST / HTTP/9.9\r\n\r\n',
        'POST / HTTP/1.1\r\n\r\n',
        `GET /${'x'.repeat(80_000)}`,
      ]) {
        const { status } = await raw(endpoint, [text], { end: true })
        assert.ok(status === 0 || (status >= 400 && status < 500), `${text.slice(0, 20)}: ${status}`)
      }
      const smuggled = await raw(endpoint, [
        head({ ...headersOf('SignUp'), 'content-length': '2', 'transfer-encoding': 'chunked' }),
        '{}',
      ])
      assert.equal(smuggled.status, 400)
      await assertAlive()
    })

    it('duplicate headers do not change the outcome', async () => {
      const headers = headersOf('SignUp')
      const twice: Call[] = [
        { headers: { ...headers, 'x-amz-target': [`${COGNITO}.SignUp`, `${COGNITO}.DeleteUserPool`] }, body: '{}' },
        { headers: { ...headers, 'x-amz-target': [`${COGNITO}.DeleteUserPool`, `${COGNITO}.SignUp`] }, body: '{}' },
        { headers: { ...headers, 'content-type': [JSON_1_1, 'text/xml'] }, body: '{}' },
      ]
      for (const request of twice) assertRefused(await send(endpoint, request), JSON.stringify(request))

      const body = JSON.stringify(wellFormed('DescribeUserPool'))
      const signed = await sign(endpoint, { headers: headersOf('DescribeUserPool'), body })
      for (const name of ['x-amz-date', 'x-amz-target', 'authorization']) {
        const doubled = { ...signed, [name]: [signed[name] as string, signed[name] as string] }
        assertRefused(await send(endpoint, { headers: doubled, body }), `${name} twice`)
      }
    })

    it('every signed operation refuses calls without a signature and calls signed by an unknown key', async () => {
      const signedOperations = operationNames.filter(isSigned)
      assert.ok(signedOperations.length > 80)
      await all(signedOperations, async (operation) => {
        const body = JSON.stringify(wellFormed(operation))
        const unsigned = await send(endpoint, { headers: headersOf(operation), body })
        assertRefused(unsigned, operation)
        assert.equal(errorOf(unsigned), 'MissingAuthenticationTokenException')
        const stranger = await call(endpoint, operation, body, {
          credentials: { accessKeyId: 'AKIASTRANGER00000000', secretAccessKey: 'whatever-it-may-be' },
        })
        assert.equal(errorOf(stranger), 'UnrecognizedClientException')
        const guess = await call(endpoint, operation, body, {
          credentials: { accessKeyId: 'AKIATWINPOOLTESTING0', secretAccessKey: 'a-guess' },
        })
        assert.equal(errorOf(guess), 'InvalidSignatureException')
      })
    })

    it('a signature is valid only for its own call, region and time', async () => {
      const body = JSON.stringify(wellFormed('DescribeUserPool'))
      const headers = headersOf('DescribeUserPool')
      const good = await sign(endpoint, { headers, body })
      const refusedAs = async (name: string, request: Call): Promise<void> => {
        const reply = await send(endpoint, request)
        assertRefused(reply, JSON.stringify(request).slice(0, 300))
        assert.equal(errorOf(reply), name, `${JSON.stringify(request.headers)}: ${reply.text}`)
      }
      assert.equal(errorOf(await send(endpoint, { headers: good, body })), 'ResourceNotFoundException')

      const invalid = (request: Call) => refusedAs('InvalidSignatureException', request)
      await invalid({ headers: good, body: body.replace('Example99', 'Example98') })
      await invalid({ headers: { ...good, 'x-amz-target': `${COGNITO}.DeleteUserPool` }, body })
      await invalid({ headers: { ...good, 'content-type': 'application/json' }, body })
      await invalid({ headers: { ...good, host: 'cognito-idp.us-west-2.amazonaws.com' }, body })
      await invalid({ headers: good, body, path: '/?x=1' })
      for (const minutes of [-6, 6, -60 * 24 * 365]) {
        const date = new Date(Date.now() + minutes * 60_000)
        await invalid({ headers: await sign(endpoint, { headers, body }, { date }), body })
      }
      await invalid({ headers: await sign(endpoint, { headers, body }, { region: 'eu-west-1' }), body })
      await invalid({ headers: await sign(endpoint, { headers, body }, { service: 'kms' }), body })

      const authorization = good.authorization as string
      const withAuthorization = (value: string): Call => ({ headers: { ...good, authorization: value }, body })
      for (const value of [
        'AWS4-HMAC-SHA256',
        'AWS4-HMAC-SHA256 ,,,===,,,',
        'Basic QUtJQTp4',
        'Bearer abc',
        authorization.replace('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA1'),
        authorization.replace(/, Signature=.*/, ''),
        authorization.replace(/SignedHeaders=[^,]*/, 'SignedHeaders='),
        authorization.replace(/SignedHeaders=[^,]*/, 'SignedHeaders=Host;X Y'),
        authorization.replace('/aws4_request', ''),
      ]) {
        await refusedAs('IncompleteSignatureException', withAuthorization(value))
      }
      for (const value of [
        authorization.replace(/Signature=.*/, 'Signature=0'),
        authorization.replace(/Signature=.*/, `Signature=${'0'.repeat(64)}`),
        authorization.replace(/Signature=.*/, `Signature=${'z'.repeat(5_000)}`),
        authorization.replace('aws4_request', 'aws5_request'),
        authorization.replace(/SignedHeaders=[^,]*/, 'SignedHeaders=host'),
        authorization.replace(/\/\d{8}\//, '/19700101/'),
      ]) {
        await refusedAs('InvalidSignatureException', withAuthorization(value))
      }
      for (const date of ['', 'now', '20261301T000000Z', '99999999T999999Z', '2026-01-01T00:00:00Z']) {
        const reply = await send(endpoint, { headers: { ...good, 'x-amz-date': date }, body })
        assertRefused(reply, `x-amz-date ${date}`)
      }
      await refusedAs('UnrecognizedClientException', {
        headers: await sign(
          endpoint,
          { headers, body },
          { credentials: { accessKeyId: 'AKIATWINPOOLTESTING0', secretAccessKey: 'x', sessionToken: 'token' } },
        ),
        body,
      })
    })

    it('KMS refuses bad requests in the same form', async () => {
      const kms = async (operation: string, body: string, service = 'kms'): Promise<Reply> => {
        const headers = { 'content-type': JSON_1_1, 'x-amz-target': `${KMS}.${operation}` }
        return send(endpoint, { headers: await sign(endpoint, { headers, body }, { service }), body })
      }
      for (const body of [
        '[]',
        '{',
        '{"KeyId":1}',
        '{"KeyId":{}}',
        '{}',
        '{"KeyId":""}',
        '{"KeyId":"\\ud800"}',
        '{"KeyId":"\\u0000"}',
      ]) {
        for (const operation of ['DescribeKey', 'Decrypt', 'Encrypt', 'ReplicateKey', 'ScheduleKeyDeletion']) {
          assertRefused(await kms(operation, body), `${operation} ${body}`)
        }
      }
      assert.equal(errorOf(await kms('ListKeys', '{}', 'cognito-idp')), 'InvalidSignatureException')
      assert.equal(
        errorOf(await send(endpoint, { headers: { 'x-amz-target': `${KMS}.ListKeys` }, body: '{}' })),
        'MissingAuthenticationTokenException',
      )
    })

    it('a valid call succeeds after all of this', async () => {
      await assertAlive()
    })
  })
}

/** A pool with a client and a signed-in user, so that calls get past the first checks. */
async function peopled(cognito: CognitoIdentityProviderClient): Promise<Record<string, unknown>> {
  const { UserPool } = await cognito.send(new CreateUserPoolCommand({ PoolName: 'bad-input' }))
  const UserPoolId = UserPool?.Id
  const { UserPoolClient } = await cognito.send(
    new CreateUserPoolClientCommand({
      UserPoolId,
      ClientName: 'bad-input',
      ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'],
    }),
  )
  const [ClientId, Username, Password] = [UserPoolClient?.ClientId, 'example-user', 'Example-1-Password']
  await cognito.send(new AdminCreateUserCommand({ UserPoolId, Username, MessageAction: 'SUPPRESS' }))
  await cognito.send(new AdminSetUserPasswordCommand({ UserPoolId, Username, Password, Permanent: true }))
  await cognito.send(new CreateGroupCommand({ UserPoolId, GroupName: 'example-group' }))
  const { AuthenticationResult } = await cognito.send(
    new InitiateAuthCommand({
      ClientId,
      AuthFlow: 'USER_PASSWORD_AUTH',
      AuthParameters: { USERNAME: Username, PASSWORD: Password },
    }),
  )
  return {
    UserPoolId,
    ClientId,
    Username,
    Password,
    PreviousPassword: Password,
    AccessToken: AuthenticationResult?.AccessToken,
    RefreshToken: AuthenticationResult?.RefreshToken,
    Token: AuthenticationResult?.RefreshToken,
  }
}

function typeOf(member: Member): string {
  if (member.type === 'string' || member.type === 'blob') return 'string'
  if (member.type === 'boolean') return 'boolean'
  return ['list', 'map', 'structure'].includes(member.type) ? 'object' : 'number'
}

const head = (headers: Record<string, string>): string =>
  `POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`

/** Sends bytes and reads the response until the server closes the connection; status 0 if there is no response. */
async function raw(
  endpoint: string,
  parts: readonly (string | Buffer)[],
  { end = false }: { end?: boolean } = {},
): Promise<Reply> {
  const { hostname, port } = new URL(endpoint)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.setTimeout(15_000, () => socket.destroy(new Error('silence')))
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  let failure: NodeJS.ErrnoException | undefined
  socket.on('error', (error) => {
    failure = error
  })
  for (const part of parts) socket.write(part)
  if (end) socket.end()
  await once(socket, 'close').catch(() => {})
  if (failure?.message === 'silence') throw failure
  const text = Buffer.concat(chunks).toString('utf8')
  const at = text.indexOf('\r\n\r\n')
  const [first = '', ...lines] = text.slice(0, at).split('\r\n')
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 0),
    headers: Object.fromEntries(
      lines.map((line) => line.split(/: (.*)/s, 2)).map(([name = '', value]) => [name.toLowerCase(), value]),
    ),
    text: text.slice(at + 4),
  }
}

/** Sends bytes and resets the connection once they are written. */
async function cutOff(endpoint: string, parts: readonly string[]): Promise<void> {
  const { hostname, port } = new URL(endpoint)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.on('error', () => {})
  await once(socket, 'connect')
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.write(parts.join(''), () => resolve())
  await promise
  socket.resetAndDestroy()
  await once(socket, 'close')
}
