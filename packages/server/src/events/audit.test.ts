/** The audit records of a region. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, mock } from 'node:test'
import {
  AdminGetUserCommand,
  AdminInitiateAuthCommand,
  CognitoIdentityProviderClient,
  GetUserCommand,
  InitiateAuthCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { errorOf, headersOf, send } from '@twinpool/testing/calls'
import { createClient, createPool, createUser, PASSWORD, type TestClient } from '@twinpool/testing/pools'
import { credentials, engines, type Plane, startRegions, until } from '@twinpool/testing/regions'
import { type ServedRegion, serveRegion } from '@twinpool/testing/served-region'

type Line = Record<string, unknown>

const FAILED = 20

const linesOf = (file: string): Line[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))

for (const engine of engines) {
  describe(`the audit file: ${engine}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'twinpool-audit-'))
    const file = join(directory, 'audit.jsonl')
    let plane: Plane
    let pool: string
    let client: TestClient
    let ada: string

    before(async () => {
      const limits = { failedAttemptsPerMinute: FAILED }
      const config = { audit: { file }, trustedProxies: ['127.0.0.0/8'], limits }
      plane = await startRegions({ engine, regions: ['us-west-2'], config })
      pool = await createPool(plane.primary)
      client = await createClient(plane.primary, pool)
      ada = await createUser(plane.primary, pool, { username: 'ada' })
      await createUser(plane.primary, pool, { username: 'bob' })
    })
    after(async () => {
      await plane?.stop()
      rmSync(directory, { recursive: true, force: true })
    })

    const found = (wanted: (line: Line) => boolean, count = 1): Promise<Line[]> =>
      until(() => {
        const lines = linesOf(file).filter(wanted)
        return lines.length >= count && lines
      })
    const signIn = (username: string, password = 'wrong') =>
      plane.primary.cognito.send(
        new InitiateAuthCommand({
          AuthFlow: 'USER_PASSWORD_AUTH',
          ClientId: client.id,
          AuthParameters: { USERNAME: username, PASSWORD: password },
        }),
      )

    it('has a record for each signed call: who, from where, what, on which pool and user, with which outcome', async () => {
      const { $metadata } = await plane.primary.cognito.send(
        new AdminGetUserCommand({ UserPoolId: pool, Username: 'ada' }),
      )
      const [line] = await found(({ operation }) => operation === 'AdminGetUser')
      const { time, instance, origin, subject, ...rest } = line ?? assert.fail()
      assert.deepEqual(rest, {
        event: 'call',
        region: 'us-west-2',
        requestId: $metadata.requestId,
        operation: 'AdminGetUser',
        outcome: 'ok',
        accessKeyId: credentials.accessKeyId,
        address: '127.0.0.1',
        pool,
        sub: ada,
      })
      assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
      assert.match(String(instance), /:\d+$/)
      for (const pseudonym of [origin, subject]) assert.match(String(pseudonym), /^[\w-]{22}$/)
      const [createdPool] = await found(({ operation }) => operation === 'CreateUserPool')
      const [createdUser] = await found(({ operation }) => operation === 'AdminCreateUser')
      assert.deepEqual([createdPool?.pool, createdUser?.sub], [pool, ada])
    })

    it('has refused calls, without a name that the signature does not prove', async () => {
      const stranger = new CognitoIdentityProviderClient({
        region: 'us-west-2',
        endpoint: plane.primary.endpoint,
        credentials: { accessKeyId: credentials.accessKeyId, secretAccessKey: 'another-secret-0123456789' },
        maxAttempts: 1,
      })
      await assert.rejects(stranger.send(new AdminGetUserCommand({ UserPoolId: pool, Username: 'ada' })))
      stranger.destroy()
      const [line] = await found(({ outcome }) => outcome === 'InvalidSignatureException')
      assert.deepEqual([line?.operation, line?.accessKeyId, line?.sub], ['AdminGetUser', null, null])
    })

    it('has calls whose body was refused', async () => {
      const body = 'x'.repeat(20_000)
      const { status } = await send(plane.primary.endpoint, { headers: headersOf('AdminDeleteUser'), body })
      assert.equal(status, 413)
      const [line] = await found(({ outcome }) => outcome === 'RequestEntityTooLargeException')
      assert.deepEqual(
        [line?.operation, line?.accessKeyId, line?.address, typeof line?.requestId],
        ['AdminDeleteUser', null, '127.0.0.1', 'string'],
      )
    })

    it('has refused sign-ins under pseudonyms: equal for the same user and address, whatever the call', async () => {
      await assert.rejects(signIn('ada'))
      await assert.rejects(signIn('ada'))
      await assert.rejects(signIn('nobody'))
      const lines = await found(({ event }) => event === 'sign-in-refused', 3)
      const [first, second, third] = lines
      assert.deepEqual(
        Object.keys(first ?? {}),
        'time event region instance requestId pool client reason origin subject'.split(' '),
      )
      assert.deepEqual([first?.pool, first?.client, first?.reason], [pool, client.id, 'NotAuthorizedException'])
      assert.equal(first?.subject, second?.subject)
      assert.notEqual(first?.subject, third?.subject)
      assert.equal(first?.origin, third?.origin)
      const [call] = await found(({ operation }) => operation === 'AdminGetUser')
      assert.deepEqual([call?.subject, call?.origin], [first?.subject, first?.origin])
      const text = lines.map((line) => JSON.stringify(line)).join()
      for (const secret of [ada, '127.0.0.1', 'ada', 'wrong']) assert.ok(!text.includes(secret), secret)
    })

    /** The error of an unsigned sign-in from an address, and its record. */
    const refusalFrom = async (address: string, headers: Record<string, string>, input: object = {}) => {
      const reply = await send(plane.primary.endpoint, {
        headers: { ...headersOf('InitiateAuth'), 'x-forwarded-for': address, ...headers },
        body: JSON.stringify({
          AuthFlow: 'USER_PASSWORD_AUTH',
          ClientId: client.id,
          AuthParameters: { USERNAME: 'nobody', PASSWORD: 'wrong' },
          ...input,
        }),
      })
      const [line] = await found(
        ({ event, requestId }) => event === 'sign-in-refused' && requestId === reply.headers['x-amzn-requestid'],
      )
      assert.equal(line?.reason, errorOf(reply))
      return line
    }

    it('has the sign-ins that the limit by address refuses', async () => {
      const reasons = []
      for (let at = 0; at < FAILED + 2; at += 1) reasons.push((await refusalFrom('198.51.100.1', {}))?.reason)
      const tooMany = 'TooManyRequestsException'
      assert.deepEqual(reasons, [...Array(FAILED).fill('UserNotFoundException'), tooMany, tooMany])
    })

    it('has the sign-ins that are refused because no more failures can be counted', async () => {
      const full = mock.method(plane.primary.region.context.throttling, 'hasRoom', () => false)
      const line = await refusalFrom('198.51.100.2', {}, { AuthParameters: { USERNAME: 'bob', PASSWORD: 'wrong' } })
      full.mock.restore()
      assert.deepEqual([line?.reason, line?.pool, line?.client], ['TooManyRequestsException', pool, client.id])
    })

    it('has the sign-ins that are refused before their client or their input is known', async () => {
      const unknown = await refusalFrom('198.51.100.3', {}, { ClientId: 'none' })
      assert.deepEqual([unknown?.reason, unknown?.pool, unknown?.client], ['ResourceNotFoundException', null, 'none'])
      const refusals = [
        await refusalFrom('198.51.100.3', {}, { AuthFlow: 'none' }),
        await refusalFrom('198.51.100.3', {}, { Session: 'x'.repeat(400_000) }),
        await refusalFrom('198.51.100.3', { 'content-type': 'text/plain' }),
      ]
      assert.deepEqual(
        refusals.map((line) => [line?.reason, line?.pool, line?.client]),
        ['InvalidParameterException', 'RequestEntityTooLargeException', 'SerializationException'].map((reason) => [
          reason,
          null,
          null,
        ]),
      )
    })

    it('ties the refused sign-in of an administrator to the call by the request id', async () => {
      const refused = plane.primary.cognito.send(
        new AdminInitiateAuthCommand({
          UserPoolId: pool,
          AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
          ClientId: client.id,
          AuthParameters: { USERNAME: 'ada', PASSWORD: 'wrong' },
        }),
      )
      await assert.rejects(refused)
      const [call] = await found(({ operation }) => operation === 'AdminInitiateAuth')
      const [signIn] = await found(
        ({ event, requestId }) => event === 'sign-in-refused' && requestId === call?.requestId,
      )
      assert.deepEqual([signIn?.subject, call?.sub, call?.outcome], [call?.subject, ada, 'NotAuthorizedException'])
    })

    it('has no record of unsigned calls that succeed, and no secret', async () => {
      const { AuthenticationResult: tokens } = await signIn('ada', PASSWORD)
      await plane.primary.cognito.send(new GetUserCommand({ AccessToken: tokens?.AccessToken }))
      await plane.primary.cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username: 'ada' }))
      await found(({ operation }) => operation === 'AdminGetUser', 2)
      const text = readFileSync(file, 'utf8')
      assert.doesNotMatch(text, /"GetUser"|"InitiateAuth"/)
      for (const secret of [PASSWORD, credentials.secretAccessKey, tokens?.AccessToken as string]) {
        assert.ok(!text.includes(secret), secret)
      }
    })

    it('is written under its name again after it was renamed and reopened', async () => {
      renameSync(file, `${file}.1`)
      await plane.primary.region.reopen()
      await plane.primary.cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username: 'ada' }))
      await until(() => existsSync(file) && linesOf(file).length > 0, { what: 'the new file' })
    })
  })
}

describe('the audit file of a process', () => {
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-audit-'))
  const file = join(directory, 'audit.jsonl')
  let region: ServedRegion | undefined
  after(async () => {
    await region?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  it('is complete when the process has stopped', async () => {
    const served = await serveRegion({ config: { audit: { file } } })
    for (let n = 0; n < 20; n += 1) await createPool(served)
    await served.stop()
    assert.equal(linesOf(file).filter(({ operation }) => operation === 'CreateUserPool').length, 20)
  })

  it('is opened again at SIGHUP after it was renamed, and no record is lost', {
    skip: process.platform === 'win32' && 'Windows has no SIGHUP',
  }, async () => {
    const [current, renamed] = [join(directory, 'rotated.jsonl'), join(directory, 'rotated.jsonl.1')]
    const served = await serveRegion({ config: { audit: { file: current } } })
    for (let n = 0; n < 10; n += 1) {
      await createPool(served)
      if (n !== 4) continue
      renameSync(current, renamed)
      served.process.kill('SIGHUP')
      await until(() => existsSync(current), { what: 'the file under its name' })
    }
    await served.stop()
    const pools = [renamed, current].map(
      (path) => linesOf(path).filter(({ operation }) => operation === 'CreateUserPool').length,
    )
    assert.equal((pools[0] as number) + (pools[1] as number), 10)
    assert.ok((pools[1] as number) >= 1, String(pools))
  })

  it('that cannot be opened prevents the start', async () => {
    const missing = { audit: { file: join(directory, 'none', 'audit.jsonl') } }
    await assert.rejects(serveRegion({ config: missing }), /the region cannot start: ENOENT.*audit\.jsonl/)
  })

  it('on a full disk does not fail calls: health is degraded, an event and metrics say so', {
    skip: !existsSync('/dev/full') && 'this system has no /dev/full',
  }, async () => {
    const full = join(directory, 'full')
    symlinkSync('/dev/full', full)
    region = await serveRegion({ config: { audit: { file: full } } })
    await createPool(region)
    await region.logged(/"level":"error".*"event":"audit-lost".*ENOSPC/)
    const health = await region.health()
    assert.deepEqual([health.code, health.status], [200, 'degraded'])
    assert.match(health.checks.audit?.detail ?? '', /ENOSPC/)
    assert.ok((await region.metric('twinpool_resource_in_use', { resource: 'audit-queue-bytes' })) > 0)
    assert.equal(await region.metric('twinpool_audit_records_total'), 1)
  })
})
