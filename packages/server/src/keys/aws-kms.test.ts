import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  AdminSetUserPasswordCommand,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import {
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  KMS,
  ListKeysCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms'
import { getRequestListener } from '@hono/node-server'
import { people } from '@twinpool/testing/people'
import { credentials, engines, type Plane, startRegions, until } from '@twinpool/testing/regions'
import { systemClock } from '../clock.ts'
import { type AwsKms, type AwsKmsConfig, createAwsKms } from './aws-kms.ts'
import { KeyUnavailableError } from './provider.ts'

const REGION = 'us-west-2'
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const Password = 'Passw0rd!'
const context = { 'twinpool:user-pool': 'us-west-2_abc' }

/** A clock whose monotonic time can be advanced. */
const aheadClock = () => {
  const clock = { ...systemClock, ahead: 0, monotonic: () => systemClock.monotonic() + clock.ahead }
  return clock
}

type Behaviour = 'well' | 'gone' | 'silent' | 'throttling' | 'broken' | 'nonsense'

/** A region with a local key ring that plays AWS KMS, behind a proxy that can fail in several ways. */
async function startKms() {
  const plane = await startRegions({ regions: [REGION] })
  const serve = getRequestListener((request: Request) => plane.primary.region.fetch(request), {
    overrideGlobalObjects: false,
  })
  const refusals = {
    throttling: [400, '{"__type":"ThrottlingException","message":"Rate exceeded"}'],
    broken: [500, '{"__type":"KMSInternalException","message":"An internal error occurred."}'],
    nonsense: [200, '<html>Please sign in to this network</html>'],
  } as const
  const server = createServer((request, response) => {
    door.asked.push(String(request.headers['x-amz-target']).replace('TrentService.', ''))
    if (door.is === 'well') return void serve(request, response)
    if (door.is === 'gone') return void request.socket.destroy()
    if (door.is === 'silent') return undefined
    const [status, body] = refusals[door.is]
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(body)
    return undefined
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const door = {
    is: 'well' as Behaviour,
    /** Names of the operations that were called, newest last. */
    asked: [] as string[],
    endpoint,
    admin: plane.primary.kms,
    createKey: async (settings: { MultiRegion?: boolean } = {}): Promise<string> => {
      const { KeyMetadata } = await plane.primary.kms.send(new CreateKeyCommand(settings))
      return KeyMetadata?.Arn as string
    },
    disable: (KeyId: string) => plane.primary.kms.send(new DisableKeyCommand({ KeyId })),
    enable: (KeyId: string) => plane.primary.kms.send(new EnableKeyCommand({ KeyId })),
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await plane.stop()
    },
  }
  return door
}

for (const engine of engines) {
  describe(`a region whose keys AWS KMS holds, on ${engine}`, () => {
    const clock = aheadClock()
    const ofProcess = { id: process.env.AWS_ACCESS_KEY_ID, secret: process.env.AWS_SECRET_ACCESS_KEY }
    let kms: Awaited<ReturnType<typeof startKms>>
    let plane: Plane
    let serviceKeyArn: string

    before(async () => {
      process.env.AWS_ACCESS_KEY_ID = credentials.accessKeyId
      process.env.AWS_SECRET_ACCESS_KEY = credentials.secretAccessKey
      kms = await startKms()
      serviceKeyArn = await kms.createKey()
      const keys = { provider: 'aws-kms', endpoint: kms.endpoint, serviceKeyArn } as const
      plane = await startRegions({ engine, regions: [REGION], clock, config: { keys } })
    })
    after(async () => {
      await plane?.stop()
      await kms?.stop()
      restore('AWS_ACCESS_KEY_ID', ofProcess.id)
      restore('AWS_SECRET_ACCESS_KEY', ofProcess.secret)
    })
    afterEach(async () => {
      kms.is = 'well'
      clock.ahead += 5_001
      await provider().recheck()
    })

    const provider = () => plane.primary.region.context.keyProvider as AwsKms
    const cognito = () => plane.primary.cognito
    // No connection is kept: a restart of the region would close it.
    const get = (path: string) => fetch(`${plane.primary.endpoint}${path}`, { headers: { connection: 'close' } })
    const health = async () => {
      const response = await get('/health')
      const { checks } = (await response.json()) as { checks: { keys: { ok: boolean; detail?: string } } }
      return { status: response.status, keys: checks.keys }
    }
    const metric = async (name: string) => {
      const text = await (await get('/metrics')).text()
      const line = text.split('\n').find((each) => each.startsWith(name))
      return line === undefined ? 0 : Number(line.split(' ').at(-1))
    }
    const events = (event: string) => metric(`twinpool_events_total{event="${event}"`)

    async function makePool(KmsKeyArn?: string) {
      const { UserPool } = await cognito().send(
        new CreateUserPoolCommand({
          PoolName: 'people',
          ...(KmsKeyArn && { KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn } }),
        }),
      )
      const UserPoolId = UserPool?.Id as string
      const { UserPoolClient } = await cognito().send(
        new CreateUserPoolClientCommand({
          UserPoolId,
          ClientName: 'app',
          ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'],
        }),
      )
      await cognito().send(new AdminCreateUserCommand({ UserPoolId, Username: 'ann', MessageAction: 'SUPPRESS' }))
      await cognito().send(new AdminSetUserPasswordCommand({ UserPoolId, Username: 'ann', Password, Permanent: true }))
      const signIn = async () => {
        const { signIn, getUser } = people({ cognito: cognito() })
        const tokens = await signIn({ id: UserPoolClient?.ClientId as string }, { username: 'ann', password: Password })
        return getUser(tokens.AccessToken)
      }
      const look = () => cognito().send(new AdminGetUserCommand({ UserPoolId, Username: 'ann' }))
      return { UserPoolId, signIn, look }
    }
    const stands = { name: 'InternalErrorException', message: 'The KMS key of the user pool cannot be used.' }

    test('pools work under the service key and under a key of their own', async () => {
      for (const arn of [undefined, await kms.createKey(), await kms.createKey({ MultiRegion: true })]) {
        const pool = await makePool(arn)
        assert.equal((await pool.signIn()).Username, 'ann')
      }
      assert.deepEqual(await health(), { status: 200, keys: { ok: true } })
    })

    test('a pool cannot be given a key that does not exist or is disabled', async () => {
      const make = (KmsKeyArn: string) =>
        cognito().send(
          new CreateUserPoolCommand({
            PoolName: 'people',
            KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn },
          }),
        )
      const gone = serviceKeyArn.replace(/[^/]+$/, randomUUID())
      await assert.rejects(make(gone), { name: 'InvalidParameterException', message: 'The KMS key does not exist.' })
      const disabled = await kms.createKey()
      await kms.disable(disabled)
      await assert.rejects(make(disabled), {
        name: 'InvalidParameterException',
        message: 'The KMS key is not enabled.',
      })
    })

    test('requests do not call KMS once a pool is in use, not even after the caches were cleared', async () => {
      const { signIn, look } = await makePool(await kms.createKey())
      await signIn()
      const asked = kms.asked.length
      await signIn()
      const other = await kms.createKey()
      const disabledPool = await makePool(other)
      await kms.disable(other)
      await provider().recheck()
      await assert.rejects(disabledPool.look(), stands)
      const before = kms.asked.length
      assert.ok(before > asked)
      await look()
      await signIn()
      assert.equal(kms.asked.length, before)
    })

    test('a disabled key stops its own pool only, at the next recheck; enabled again, the pool works', async () => {
      const arn = await kms.createKey()
      const [pool, other] = [await makePool(arn), await makePool()]
      const refused = await events('key-refused')
      await kms.disable(arn)
      await provider().recheck()
      await assert.rejects(pool.look(), stands)
      await assert.rejects(pool.signIn(), stands)
      assert.equal((await other.signIn()).Username, 'ann')
      assert.equal(await events('key-refused'), refused + 1)
      assert.equal((await health()).status, 200)
      await kms.enable(arn)
      clock.ahead += 5_001
      assert.equal((await pool.signIn()).Username, 'ann')
    })

    test('requests to a pool whose key is disabled do not call KMS each time', async () => {
      const arn = await kms.createKey()
      const { look } = await makePool(arn)
      await kms.disable(arn)
      await provider().recheck()
      await assert.rejects(look(), stands)
      const asked = kms.asked.length
      for (let time = 0; time < 5; time += 1) await assert.rejects(look(), stands)
      assert.equal(kms.asked.length, asked)
    })

    test('a key pending deletion stops its pool', async () => {
      const arn = await kms.createKey()
      const { look } = await makePool(arn)
      await look()
      await kms.admin.send(new ScheduleKeyDeletionCommand({ KeyId: arn, PendingWindowInDays: 7 }))
      await provider().recheck()
      await assert.rejects(look(), stands)
    })

    test('the health check reports a disabled service key', async () => {
      await kms.disable(serviceKeyArn)
      try {
        await provider().recheck()
        clock.ahead += 10_001
        assert.deepEqual(await health(), {
          status: 503,
          keys: { ok: false, detail: 'the service key is disabled or deleted' },
        })
      } finally {
        await kms.enable(serviceKeyArn)
        clock.ahead += 10_001
      }
      assert.deepEqual(await health(), { status: 200, keys: { ok: true } })
    })

    test('in an outage, pools in use work for 12 hours with an alarm, then stop, and work again when KMS is back', async () => {
      const [own, service] = [await makePool(await kms.createKey()), await makePool()]
      await own.signIn()
      await service.signIn()
      const [lost, back] = [await events('key-service-lost'), await events('key-service-back')]
      assert.equal(await metric('twinpool_key_service_outage_seconds'), 0)

      kms.is = 'gone'
      await provider().recheck()
      assert.equal(await events('key-service-lost'), lost + 1)
      clock.ahead += 11 * HOUR
      await provider().recheck()
      assert.equal(await events('key-service-lost'), lost + 1)
      assert.equal((await own.signIn()).Username, 'ann')
      assert.equal((await service.signIn()).Username, 'ann')
      const during = await health()
      assert.equal(during.status, 200)
      assert.match(
        during.keys.detail ?? '',
        /has not responded for 396\d\d s \(ECONNRESET\); data keys in memory stay usable for (3600|35\d\d) s/,
      )
      assert.ok((await metric('twinpool_key_service_outage_seconds')) >= 11 * 3600)

      clock.ahead += HOUR
      await provider().recheck()
      await assert.rejects(own.signIn(), stands)
      await assert.rejects(service.look(), stands)
      const afterwards = await health()
      assert.equal(afterwards.status, 503)
      assert.match(afterwards.keys.detail ?? '', /^AWS KMS is unavailable for the key .*: ECONNRESET$/)

      kms.is = 'well'
      await provider().recheck()
      assert.equal((await own.signIn()).Username, 'ann')
      assert.equal((await service.signIn()).Username, 'ann')
      assert.deepEqual(await health(), { status: 200, keys: { ok: true } })
      assert.equal(await events('key-service-back'), back + 1)
      assert.equal(await metric('twinpool_key_service_outage_seconds'), 0)
    })

    test('a key that was disabled during an outage stops its pool when KMS is back', async () => {
      const arn = await kms.createKey()
      const { look } = await makePool(arn)
      await look()
      kms.is = 'broken'
      await provider().recheck()
      await kms.disable(arn)
      await look()
      kms.is = 'well'
      await provider().recheck()
      await assert.rejects(look(), stands)
    })

    test('a region that starts in an outage reports it, and works as soon as KMS is back', async () => {
      const { signIn } = await makePool(await kms.createKey())
      kms.is = 'gone'
      await plane.primary.restart()
      await until(async () => (await events('key-service-lost')) === 1)
      await assert.rejects(signIn(), stands)
      assert.equal((await health()).status, 503)
      kms.is = 'well'
      clock.ahead += 5_001
      assert.equal((await signIn()).Username, 'ann')
    })

    test('its KMS API reports that AWS KMS holds the keys', async () => {
      await assert.rejects(plane.primary.kms.send(new ListKeysCommand({})), {
        name: 'NotImplementedException',
        message: 'The keys of this region are in AWS KMS: call AWS KMS instead.',
      })
    })
  })
}

describe('keys of AWS KMS', () => {
  const running: AwsKms[] = []
  let kms: Awaited<ReturnType<typeof startKms>>
  let arn: string
  before(async () => {
    kms = await startKms()
    arn = await kms.createKey()
  })
  after(() => kms.stop())
  afterEach(async () => {
    kms.is = 'well'
    for (const one of running.splice(0)) await one.stop()
  })

  interface Reported {
    event: string
    [detail: string]: unknown
  }

  const open = (settings: Partial<AwsKmsConfig> = {}) => {
    const clock = aheadClock()
    const reported: Reported[] = []
    const changed: string[] = []
    const provider = createAwsKms({
      client: new KMS({ region: REGION, endpoint: kms.endpoint, credentials: { ...credentials }, maxAttempts: 1 }),
      clock,
      events: {
        keyRefused: (of) => void reported.push({ event: 'refused', ...of }),
        keyServiceLost: (of) => void reported.push({ event: 'lost', ...of }),
        keyServiceBack: (of) => void reported.push({ event: 'back', ...of }),
        keyServiceOutage: () => {},
        noted: (event) => void reported.push({ event }),
      },
      region: REGION,
      serviceKeyArn: arn,
      unwrappedForMinutes: 10,
      ...settings,
    })
    provider.onChange((arn) => void changed.push(arn))
    running.push(provider)
    return { provider, clock, reported, changed }
  }

  /** A client whose calls fail on demand. */
  const clientThat = (fails: (command: string | undefined, arn: string | undefined) => Error | undefined) => {
    const client = new KMS({ region: REGION, endpoint: kms.endpoint, credentials: { ...credentials }, maxAttempts: 1 })
    client.middlewareStack.add(
      (next, { commandName }) =>
        (args) => {
          const problem = fails(commandName, (args.input as { KeyId?: string }).KeyId)
          return problem ? Promise.reject(problem) : next(args)
        },
      { step: 'initialize' },
    )
    return client
  }
  const error = (name: string) => Object.assign(new Error(name), { name })

  test('a data key that one process wrapped unwraps in another, with the same context only', async () => {
    const [one, other] = [open().provider, open().provider]
    const { plain, wrapped } = await one.generateDataKey(arn, { a: '1', b: '2' })
    assert.equal(plain.length, 32)
    assert.deepEqual(await other.unwrap(arn, wrapped, { b: '2', a: '1' }), plain)
    await assert.rejects(other.unwrap(arn, wrapped, { a: '1' }), KeyUnavailableError)
    const again = await other.wrap(arn, plain, context)
    assert.deepEqual(await one.unwrap(arn, again, context), plain)
    assert.deepEqual(await one.unwrap(arn, wrapped, { a: '1', b: '2' }), plain)
  })

  test('a wrapped data key that does not open is no refusal of the key', async () => {
    const { provider, reported, changed } = open()
    const { plain, wrapped } = await provider.generateDataKey(arn, context)
    const altered = Buffer.from(wrapped)
    altered[altered.length - 1] = (altered.at(-1) as number) ^ 1
    await assert.rejects(provider.unwrap(arn, altered, context), /wrapped data key cannot be unwrapped with the key/)
    assert.deepEqual(await provider.unwrap(arn, wrapped, context), plain)
    assert.deepEqual([reported, changed, provider.outage?.()], [[], [], undefined])
  })

  test('a key is found by its ARN in this region; a multi-Region key lists its regions', async () => {
    const { provider } = open()
    assert.deepEqual(await provider.find(arn), { arn, enabled: true, multiRegion: false, regions: [REGION] })
    const multiRegion = await kms.createKey({ MultiRegion: true })
    assert.deepEqual(await provider.find(multiRegion), {
      arn: multiRegion,
      enabled: true,
      multiRegion: true,
      regions: [REGION],
    })
    assert.equal(await provider.find(multiRegion.replace(REGION, 'us-east-1')), undefined)
    assert.equal(await provider.find(arn.replace(/[^/]+$/, randomUUID())), undefined)
  })

  test('the regions of a replica key are those of its primary and of all replicas', async () => {
    const metadata = {
      KeyId: 'mrk-1',
      KeyState: 'Enabled',
      KeySpec: 'SYMMETRIC_DEFAULT',
      KeyUsage: 'ENCRYPT_DECRYPT',
      MultiRegion: true,
      MultiRegionConfiguration: {
        MultiRegionKeyType: 'REPLICA',
        PrimaryKey: { Region: 'us-east-1' },
        ReplicaKeys: [{ Region: REGION }, { Region: 'eu-west-1' }],
      },
    } as const
    const found = async (KeyMetadata: object) =>
      open({
        client: Object.assign(
          clientThat(() => undefined),
          { describeKey: async () => ({ KeyMetadata }) },
        ),
      }).provider.find(arn)
    assert.deepEqual((await found(metadata))?.regions, ['us-east-1', REGION, 'eu-west-1'])
    assert.equal((await found({ ...metadata, KeyState: 'Updating' }))?.enabled, true)
    assert.equal((await found({ ...metadata, KeyState: 'Creating' }))?.enabled, false)
    assert.equal((await found({ ...metadata, KeySpec: 'RSA_2048' }))?.enabled, false)
  })

  for (const name of ['AccessDeniedException', 'DisabledException', 'KMSInvalidStateException', 'NotFoundException']) {
    test(`${name} is a refusal: data keys in memory are dropped at once`, async () => {
      const client = clientThat((command) => (command === 'DecryptCommand' ? error(name) : undefined))
      const { provider, reported, changed } = open({ client })
      const { wrapped } = await provider.generateDataKey(arn, context)
      await provider.recheck()
      assert.deepEqual(changed, [arn])
      assert.deepEqual(reported, [{ event: 'refused', arn, reason: name }])
      await assert.rejects(provider.unwrap(arn, wrapped, context), KeyUnavailableError)
      assert.equal(provider.outage?.(), undefined)
    })
  }

  const outages: [Behaviour, string][] = [
    ['gone', 'ECONNRESET'],
    ['silent', 'NoAnswerError'],
    ['throttling', 'ThrottlingException'],
    ['broken', 'KMSInternalException'],
    ['nonsense', 'SyntaxError'],
  ]
  for (const [behaviour, cause] of outages) {
    test(`a KMS that is ${behaviour} is an outage: data keys in memory stay usable until the limit`, async () => {
      const { provider, clock, reported, changed } = open()
      const { plain, wrapped } = await provider.generateDataKey(arn, context)
      // The deadline of a call to a silent KMS.
      if (behaviour === 'silent') clock.wait = (_, signal) => systemClock.wait(20, signal)

      kms.is = behaviour
      await provider.recheck()
      assert.equal(provider.outage?.()?.cause, cause)
      assert.deepEqual(
        reported.map(({ event }) => event),
        ['lost'],
      )
      clock.ahead += 9 * MINUTE
      await provider.recheck()
      assert.deepEqual(await provider.unwrap(arn, wrapped, context), plain)
      assert.deepEqual(changed, [])
      clock.ahead += 2 * MINUTE
      await provider.recheck()
      assert.deepEqual(changed, [arn])
      assert.equal(provider.outage?.()?.secondsLeft, 0)
      await assert.rejects(provider.unwrap(arn, wrapped, context), KeyUnavailableError)
    })
  }

  test('the bound holds even without rechecks', async () => {
    const { provider, clock } = open()
    const { wrapped } = await provider.generateDataKey(arn, context)
    kms.is = 'gone'
    clock.ahead += 11 * MINUTE
    await assert.rejects(provider.unwrap(arn, wrapped, context), KeyUnavailableError)
  })

  test('in an outage, at most one request in five seconds waits for KMS', async () => {
    const { provider, clock } = open()
    const { wrapped } = await open().provider.generateDataKey(arn, context)
    kms.is = 'gone'
    const asked = kms.asked.length
    for (let time = 0; time < 5; time += 1)
      await assert.rejects(provider.unwrap(arn, wrapped, context), KeyUnavailableError)
    assert.equal(kms.asked.length, asked + 1)
    clock.ahead += 5_001
    await assert.rejects(provider.unwrap(arn, wrapped, context), KeyUnavailableError)
    assert.equal(kms.asked.length, asked + 2)
  })

  test('an outage of one key store concerns its key only, and the alarm lasts until the store is back', async () => {
    const other = await kms.createKey()
    const away = { is: true }
    const client = clientThat((command, asked) =>
      away.is && command === 'DecryptCommand' && asked === other ? error('KeyUnavailableException') : undefined,
    )
    const { provider, reported } = open({ client })
    const { wrapped } = await provider.generateDataKey(other, context)
    await provider.recheck()
    await provider.generateDataKey(arn, context)
    await provider.recheck()
    await provider.unwrap(other, wrapped, context)
    assert.deepEqual(
      reported.map(({ event }) => event),
      ['lost'],
    )
    away.is = false
    await provider.recheck()
    assert.deepEqual(
      reported.map(({ event }) => event),
      ['lost', 'back'],
    )
  })

  test('when KMS throttles rechecks halfway, every key still gets its turn', async () => {
    const answered = new Set<string>()
    const budget = { left: Number.POSITIVE_INFINITY }
    const client = clientThat((command, asked) => {
      budget.left -= 1
      if (budget.left < 0) return error('ThrottlingException')
      if (command === 'DecryptCommand') answered.add(asked as string)
      return undefined
    })
    const { provider, clock } = open({ client })
    const arns = [arn, ...(await Promise.all(Array.from({ length: 30 }, () => kms.createKey())))]
    for (const one of arns) await provider.generateDataKey(one, context)
    for (let round = 0; round < 4; round += 1) {
      clock.ahead += MINUTE
      budget.left = 10
      await provider.recheck()
    }
    assert.equal(answered.size, arns.length)
    assert.notEqual(provider.outage?.(), undefined)
    budget.left = 100
    await provider.recheck()
    assert.equal(provider.outage?.(), undefined)
  })

  test('it rechecks each minute from its start to its stop', async () => {
    const waits: (() => void)[] = []
    const clock = {
      ...systemClock,
      wait: (milliseconds: number, signal?: AbortSignal) => {
        if (milliseconds !== MINUTE) return systemClock.wait(milliseconds, signal)
        const { promise, resolve, reject } = Promise.withResolvers<void>()
        signal?.addEventListener('abort', reject)
        waits.push(resolve)
        return promise
      },
    }
    const { provider } = open({ clock })
    const asked = kms.asked.length
    provider.start()
    for (let round = 1; round <= 3; round += 1) {
      await until(() => waits.length === round)
      assert.deepEqual(
        kms.asked.slice(asked),
        Array.from({ length: round }, () => 'DescribeKey'),
      )
      waits.at(-1)?.()
    }
    await until(() => waits.length === 4)
    await provider.stop()
    assert.equal(waits.length, 4)
  })

  test('a stop during a recheck does not wait for it and raises no alarm', async () => {
    const { provider, reported } = open()
    kms.is = 'silent'
    const asked = kms.asked.length
    provider.start()
    await until(() => kms.asked.length > asked)
    const began = performance.now()
    await provider.stop()
    assert.ok(performance.now() - began < 1_000)
    assert.deepEqual(reported, [])
  })

  test('without the AWS SDK a region with local keys starts, and one with AWS KMS names the missing package', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'twinpool-test-'))
    const source = `
      import { registerHooks } from 'node:module'
      registerHooks({
        resolve: (specifier, context, next) => {
          if (!specifier.startsWith('@aws-sdk/')) return next(specifier, context)
          throw Object.assign(new Error('Cannot find package ' + specifier), { code: 'ERR_MODULE_NOT_FOUND' })
        },
      })
      const { createRegion, parseConfig } = await import(${JSON.stringify(pathToFileURL(`${import.meta.dirname}/../index.ts`).href)})
      const common = {
        region: 'us-west-2',
        store: { engine: 'sqlite', file: ${JSON.stringify(join(directory, 'region.db'))} },
        credentials: [{ accessKeyId: 'AKIATWINPOOLTESTING0', secretAccessKey: 'x'.repeat(32) }],
        cluster: { secret: ${JSON.stringify(randomBytes(32).toString('base64'))} },
        log: { level: 'silent' },
      }
      const local = { provider: 'local', masterKey: Buffer.alloc(32).toString('base64') }
      await (await createRegion(parseConfig({ ...common, keys: local }))).fetch(new Request('http://localhost/health'))
      const kms = { provider: 'aws-kms', serviceKeyArn: ${JSON.stringify(arn)} }
      const store = { engine: 'sqlite', file: ${JSON.stringify(join(directory, 'other.db'))} }
      await createRegion(parseConfig({ ...common, store, keys: kms })).then(
        () => console.log('started'),
        (error) => console.log(error.message),
      )
      process.exit()`
    const flags = ['--conditions=twinpool-source', '--input-type=module', '--eval', source]
    const { stdout } = await promisify(execFile)(process.execPath, flags).finally(() =>
      rmSync(directory, { recursive: true }),
    )
    assert.match(stdout, /needs the package @aws-sdk\/client-kms: install it/)
  })
})

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name]
  else process.env[name] = value
}
