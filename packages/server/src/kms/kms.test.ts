import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, afterEach, before, describe, test } from 'node:test'
import * as sdk from '@aws-sdk/client-kms'
import {
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateMacCommand,
  GetKeyPolicyCommand,
  KMSClient,
  KMSServiceException,
  ListAliasesCommand,
  ListKeysCommand,
  PutKeyPolicyCommand,
  ReplicateKeyCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { type ServiceRequest, type ServiceResponse, serve } from '../aws/serve.ts'
import { createSignatureCheck } from '../aws/sigv4.ts'
import { systemClock } from '../clock.ts'
import { KeyExchangeError } from '../keys/local/key-exchange.ts'
import { createLocalKeyRing, type LocalKeyRing } from '../keys/local/ring.ts'
import { createKmsFace } from './face.ts'
import { notImplemented, operations } from './operations.ts'

const engines = ['sqlite', ...(process.env.TWINPOOL_TEST_POSTGRES ? (['postgres'] as const) : [])] as const
const credentials = { accessKeyId: 'AKIATWINPOOLTESTING0', secretAccessKey: 'a-secret-for-tests-alone-0123456789' }
const accountId = '000000000000'
const DAY = 86_400_000
const WEST = 'us-west-2'
const EAST = 'us-east-1'

interface RunningFace {
  client: KMSClient
  ring: LocalKeyRing
  serve(request: Omit<ServiceRequest, 'call'>): Promise<ServiceResponse>
  stop(): Promise<void>
}

for (const engine of engines) {
  describe(`the KMS face on ${engine}`, () => {
    const clock = { ...systemClock, now: () => Date.now() + clock.ahead, ahead: 0 }
    const faces = new Map<string, RunningFace>()
    const down = new Set<string>()
    const failures: unknown[] = []
    const face = (region: string): RunningFace => faces.get(region) as RunningFace
    // biome-ignore lint/suspicious/noExplicitAny: every command of the SDK
    const send = (region: string, command: any): Promise<any> => face(region).client.send(command)
    const west = (command: unknown) => send(WEST, command)

    async function start(region: string): Promise<RunningFace> {
      const testStore: TestStore = await openTestStore(engine, { clock, region })
      const ring = createLocalKeyRing({
        store: testStore.store,
        clock,
        region,
        accountId,
        secrets: { masterKeys: [randomBytes(32)], clusterSecrets: ['a secret that all regions of the cluster have'] },
        exchange: {
          offer: async (to, message) => {
            if (down.has(to)) throw new KeyExchangeError('unreachable', to)
            if (!faces.has(to)) throw new KeyExchangeError('unknown-region', to)
            await face(to).ring.accept(message)
          },
          held: async () => undefined,
        },
      })
      await ring.ensureServiceKey()
      const events = { requested: () => {}, failed: ({ error }: { error: unknown }) => void failures.push(error) }
      const service = createKmsFace({ keyRing: ring, clock, region, accountId })
      const answer: RunningFace['serve'] = (request) =>
        serve({ clock, events }, service, { ...request, call: { requestId: 'request', address: '', userAgent: '' } })
      const known = new Map([[credentials.accessKeyId, credentials.secretAccessKey]])
      const server = createServer(async (request, response) => {
        const chunks: Buffer[] = []
        for await (const chunk of request) chunks.push(chunk as Buffer)
        const body = Buffer.concat(chunks)
        const headers = new Headers(request.headers as Record<string, string>)
        const signed = { method: 'POST', path: '/', query: '', headers, body }
        const { status, body: text } = await answer({
          operation: (headers.get('x-amz-target') ?? '').replace('TrentService.', ''),
          body,
          checkSignature: () =>
            createSignatureCheck({ credentials: known, clock: systemClock, region, services: ['kms'] })(signed),
        })
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(text)
      })
      const { promise, resolve } = Promise.withResolvers<void>()
      server.listen(0, '127.0.0.1', resolve)
      await promise
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const client = new KMSClient({ region, endpoint, credentials, maxAttempts: 1 })
      return {
        client,
        ring,
        serve: answer,
        stop: async () => {
          client.destroy()
          server.close()
          server.closeAllConnections()
          await testStore.close()
        },
      }
    }

    before(async () => {
      for (const region of [WEST, EAST]) faces.set(region, await start(region))
    })
    after(async () => {
      for (const { stop } of faces.values()) await stop()
    })
    afterEach(() => {
      clock.ahead = 0
      down.clear()
      assert.deepEqual(failures.splice(0), [])
    })

    const refusedAs = (name: string, message?: string | RegExp) => (error: unknown) => {
      assert.ok(error instanceof KMSServiceException, String(error))
      assert.equal(error.name, name)
      if (message instanceof RegExp) assert.match(error.message, message)
      else if (message !== undefined) assert.equal(error.message, message)
      return true
    }
    const createKey = async (
      input: sdk.CreateKeyCommandInput = {},
    ): Promise<sdk.KeyMetadata & { KeyId: string; Arn: string }> =>
      (await west(new CreateKeyCommand(input))).KeyMetadata

    test('every operation of the SDK works or returns NotImplementedException', async () => {
      const names = Object.keys(sdk).flatMap((name) =>
        name.endsWith('Command') && name !== '$Command' ? [name.slice(0, -'Command'.length)] : [],
      )
      assert.deepEqual([...Object.keys(operations), ...notImplemented].sort(), names.sort())
      await assert.rejects(
        west(new GenerateMacCommand({ KeyId: 'x', Message: Buffer.from('x'), MacAlgorithm: 'HMAC_SHA_256' })),
        (error: KMSServiceException) =>
          error.name === 'NotImplementedException' && error.$metadata.httpStatusCode === 501,
      )
    })

    test('a key is described as AWS KMS describes it', async () => {
      const before = Math.floor(Date.now() / 1000)
      const metadata = await createKey({ Description: 'for a pool', Tags: [{ TagKey: 'team', TagValue: 'login' }] })
      const { KeyId, CreationDate, CurrentKeyMaterialId, ...rest } = metadata
      assert.match(CurrentKeyMaterialId ?? '', /^[0-9a-f]{64}$/)
      assert.match(KeyId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      assert.ok(CreationDate instanceof Date && CreationDate.getTime() / 1000 >= before)
      assert.deepEqual(rest, {
        AWSAccountId: accountId,
        Arn: `arn:aws:kms:${WEST}:${accountId}:key/${KeyId}`,
        Enabled: true,
        Description: 'for a pool',
        KeyUsage: 'ENCRYPT_DECRYPT',
        KeyState: 'Enabled',
        Origin: 'AWS_KMS',
        KeyManager: 'CUSTOMER',
        CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
        KeySpec: 'SYMMETRIC_DEFAULT',
        EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
        MultiRegion: false,
      })
      await west(new CreateAliasCommand({ AliasName: `alias/${KeyId}`, TargetKeyId: KeyId }))
      const names = [KeyId, metadata.Arn, `alias/${KeyId}`, `arn:aws:kms:${WEST}:${accountId}:alias/${KeyId}`]
      for (const name of names) {
        assert.deepEqual((await west(new DescribeKeyCommand({ KeyId: name }))).KeyMetadata, metadata)
      }
    })

    test('a multi-Region key is replicated, and each region decrypts the ciphertexts of the other', async () => {
      const primary = await createKey({ MultiRegion: true })
      assert.match(primary.KeyId, /^mrk-[0-9a-f]{32}$/)
      assert.deepEqual(primary.MultiRegionConfiguration, {
        MultiRegionKeyType: 'PRIMARY',
        PrimaryKey: { Arn: primary.Arn, Region: WEST },
        ReplicaKeys: [],
      })
      const Tags = [{ TagKey: 'of', TagValue: 'the replica' }]
      const made = await west(
        new ReplicateKeyCommand({ KeyId: primary.KeyId, ReplicaRegion: EAST, Description: 'east', Tags }),
      )
      const replicaArn = primary.Arn.replace(WEST, EAST)
      const configuration = {
        MultiRegionKeyType: 'REPLICA',
        PrimaryKey: { Arn: primary.Arn, Region: WEST },
        ReplicaKeys: [{ Arn: replicaArn, Region: EAST }],
      }
      assert.equal(made.ReplicaKeyMetadata.Arn, replicaArn)
      assert.deepEqual(made.ReplicaKeyMetadata.MultiRegionConfiguration, configuration)
      assert.deepEqual(made.ReplicaTags, Tags)
      assert.equal(JSON.parse(made.ReplicaPolicy).Id, 'key-default-1')
      const replica = (await send(EAST, new DescribeKeyCommand({ KeyId: replicaArn }))).KeyMetadata
      assert.deepEqual(replica, made.ReplicaKeyMetadata)
      const described = (await west(new DescribeKeyCommand({ KeyId: primary.KeyId }))).KeyMetadata
      assert.deepEqual(described.MultiRegionConfiguration, { ...configuration, MultiRegionKeyType: 'PRIMARY' })

      const Plaintext = Buffer.from('sealed in the west')
      const EncryptionContext = { pool: 'one', purpose: 'test' }
      const { CiphertextBlob } = await west(new EncryptCommand({ KeyId: primary.KeyId, Plaintext, EncryptionContext }))
      const opened = await send(EAST, new DecryptCommand({ CiphertextBlob, EncryptionContext }))
      assert.equal(Buffer.from(opened.Plaintext).toString(), 'sealed in the west')
      assert.equal(opened.KeyId, replicaArn)

      await assert.rejects(
        west(new ReplicateKeyCommand({ KeyId: primary.KeyId, ReplicaRegion: EAST })),
        refusedAs('AlreadyExistsException'),
      )
      await assert.rejects(
        west(new ReplicateKeyCommand({ KeyId: primary.KeyId, ReplicaRegion: WEST })),
        refusedAs('AlreadyExistsException'),
      )
      await assert.rejects(
        west(new ReplicateKeyCommand({ KeyId: primary.KeyId, ReplicaRegion: 'eu-west-1' })),
        refusedAs('UnsupportedOperationException'),
      )
      await assert.rejects(
        send(EAST, new ReplicateKeyCommand({ KeyId: primary.KeyId, ReplicaRegion: WEST })),
        refusedAs('UnsupportedOperationException'),
      )
      const single = await createKey()
      await assert.rejects(
        west(new ReplicateKeyCommand({ KeyId: single.KeyId, ReplicaRegion: EAST })),
        refusedAs('UnsupportedOperationException'),
      )
    })

    test('replicating to an unreachable region fails with a server error, and can be retried', async () => {
      const { KeyId } = await createKey({ MultiRegion: true })
      down.add(EAST)
      await assert.rejects(
        west(new ReplicateKeyCommand({ KeyId, ReplicaRegion: EAST })),
        (error: KMSServiceException) => {
          assert.equal(error.$metadata.httpStatusCode, 500)
          return refusedAs('KMSInternalException', `The region ${EAST} cannot be reached. Try again later.`)(error)
        },
      )
      assert.equal(failures.splice(0).length, 1)
      down.clear()
      await west(new ReplicateKeyCommand({ KeyId, ReplicaRegion: EAST }))
    })

    test('keys and aliases are listed in pages', async () => {
      const made = new Set<string>()
      for (let at = 0; at < 5; at += 1) {
        const { KeyId } = await createKey()
        made.add(KeyId)
        await west(new CreateAliasCommand({ AliasName: `alias/page/${at}`, TargetKeyId: KeyId }))
      }
      const keys: string[] = []
      for (let Marker: string | undefined, more = true; more; ) {
        const page = await west(new ListKeysCommand({ Limit: 2, Marker }))
        assert.ok(page.Keys.length <= 2 && page.Truncated === (page.NextMarker !== undefined))
        for (const { KeyId, KeyArn } of page.Keys) {
          assert.equal(KeyArn, `arn:aws:kms:${WEST}:${accountId}:key/${KeyId}`)
          keys.push(KeyId)
        }
        Marker = page.NextMarker
        more = page.Truncated
      }
      assert.equal(new Set(keys).size, keys.length)
      assert.ok([...made].every((id) => keys.includes(id)))
      const first = await west(new ListAliasesCommand({ Limit: 3 }))
      const rest = await west(new ListAliasesCommand({ Marker: first.NextMarker }))
      const names = [...first.Aliases, ...rest.Aliases].map(({ AliasName }) => AliasName)
      assert.deepEqual(names, [...names].sort())
      assert.equal(rest.Truncated, false)
      const [KeyId] = made
      const own = await west(new ListAliasesCommand({ KeyId }))
      assert.deepEqual(
        own.Aliases.map(({ AliasArn, TargetKeyId }: sdk.AliasListEntry) => [AliasArn, TargetKeyId]),
        [[`arn:aws:kms:${WEST}:${accountId}:alias/page/0`, KeyId]],
      )
      for (const Marker of ['!!', Buffer.from('\0').toString('base64url')]) {
        await assert.rejects(west(new ListKeysCommand({ Marker })), refusedAs('InvalidMarkerException'))
        await assert.rejects(west(new ListAliasesCommand({ Marker })), refusedAs('InvalidMarkerException'))
      }
      await assert.rejects(
        west(new ListKeysCommand({ Limit: 0 })),
        refusedAs('ValidationException', /'limit' failed to satisfy constraint/),
      )
    })

    test('data is encrypted and decrypted with its context', async () => {
      const { KeyId, Arn } = await createKey()
      const other = await createKey()
      const Plaintext = randomBytes(4096)
      const EncryptionContext = { a: '1', b: '2' }
      const sealed = await west(new EncryptCommand({ KeyId, Plaintext, EncryptionContext }))
      assert.deepEqual([sealed.KeyId, sealed.EncryptionAlgorithm], [Arn, 'SYMMETRIC_DEFAULT'])
      const { CiphertextBlob } = sealed
      const opened = await west(new DecryptCommand({ CiphertextBlob, EncryptionContext: { b: '2', a: '1' } }))
      assert.deepEqual([opened.KeyId, Buffer.from(opened.Plaintext)], [Arn, Plaintext])
      await west(new DecryptCommand({ CiphertextBlob, EncryptionContext, KeyId: Arn }))
      const wrong: [object, string][] = [
        [{ CiphertextBlob }, 'InvalidCiphertextException'],
        [{ CiphertextBlob, EncryptionContext: { a: '1', b: '3' } }, 'InvalidCiphertextException'],
        [{ CiphertextBlob: Buffer.from('nonsense'), EncryptionContext }, 'InvalidCiphertextException'],
        [{ CiphertextBlob: CiphertextBlob.subarray(0, -1), EncryptionContext }, 'InvalidCiphertextException'],
        [{ CiphertextBlob, EncryptionContext, KeyId: other.KeyId }, 'IncorrectKeyException'],
        [{ CiphertextBlob, EncryptionContext, KeyId: 'alias/nobody' }, 'NotFoundException'],
        [{ CiphertextBlob, EncryptionContext, EncryptionAlgorithm: 'RSAES_OAEP_SHA_1' }, 'InvalidKeyUsageException'],
        [{ CiphertextBlob, EncryptionContext, GrantTokens: ['x'] }, 'InvalidGrantTokenException'],
        [{ CiphertextBlob, EncryptionContext, DryRun: true }, 'DryRunOperationException'],
        [{ EncryptionContext }, 'ValidationException'],
      ]
      for (const [input, name] of wrong) await assert.rejects(west(new DecryptCommand(input as never)), refusedAs(name))
      await assert.rejects(
        west(new EncryptCommand({ KeyId, Plaintext: randomBytes(4097) })),
        refusedAs('ValidationException', /'plaintext'/),
      )
    })

    test('data keys have the requested size, in the clear and encrypted', async () => {
      const { KeyId } = await createKey()
      const sizes: [object, number][] = [
        [{ KeySpec: 'AES_128' }, 16],
        [{ KeySpec: 'AES_256' }, 32],
        [{ NumberOfBytes: 64 }, 64],
      ]
      for (const [size, bytes] of sizes) {
        const { Plaintext, CiphertextBlob } = await west(new GenerateDataKeyCommand({ KeyId, ...size }))
        assert.equal(Plaintext.length, bytes)
        const opened = await west(new DecryptCommand({ CiphertextBlob }))
        assert.deepEqual(Buffer.from(opened.Plaintext), Buffer.from(Plaintext))
      }
      const sealed = await west(new GenerateDataKeyWithoutPlaintextCommand({ KeyId, KeySpec: 'AES_256' }))
      assert.equal(sealed.Plaintext, undefined)
      assert.equal((await west(new DecryptCommand({ CiphertextBlob: sealed.CiphertextBlob }))).Plaintext.length, 32)
      for (const size of [{}, { KeySpec: 'AES_256', NumberOfBytes: 32 } as const]) {
        await assert.rejects(
          west(new GenerateDataKeyCommand({ KeyId, ...size })),
          refusedAs('ValidationException', 'Please specify either number of bytes or key spec.'),
        )
      }
      await assert.rejects(
        west(new GenerateDataKeyCommand({ KeyId, NumberOfBytes: 1025 })),
        refusedAs('ValidationException'),
      )
    })

    test('a disabled key cannot be used until it is enabled', async () => {
      const { KeyId, Arn } = await createKey()
      const Plaintext = Buffer.from('x')
      const { CiphertextBlob } = await west(new EncryptCommand({ KeyId, Plaintext }))
      await west(new DisableKeyCommand({ KeyId }))
      const { KeyMetadata } = await west(new DescribeKeyCommand({ KeyId }))
      assert.deepEqual([KeyMetadata.Enabled, KeyMetadata.KeyState], [false, 'Disabled'])
      for (const command of [
        new EncryptCommand({ KeyId, Plaintext }),
        new DecryptCommand({ CiphertextBlob }),
        new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }),
      ]) {
        await assert.rejects(west(command), refusedAs('DisabledException', `${Arn} is disabled.`))
      }
      await west(new EnableKeyCommand({ KeyId }))
      await west(new DecryptCommand({ CiphertextBlob }))
    })

    test('a key pending deletion refuses everything except cancellation, and is deleted at its deletion date', async () => {
      const { KeyId, Arn } = await createKey()
      const pending = await west(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }))
      assert.deepEqual([pending.KeyId, pending.KeyState, pending.PendingWindowInDays], [Arn, 'PendingDeletion', 7])
      assert.ok(Math.abs(pending.DeletionDate.getTime() - Date.now() - 7 * DAY) < 60_000)
      for (const command of [
        new EncryptCommand({ KeyId, Plaintext: Buffer.from('x') }),
        new EnableKeyCommand({ KeyId }),
        new DisableKeyCommand({ KeyId }),
        new ScheduleKeyDeletionCommand({ KeyId }),
        new CreateAliasCommand({ AliasName: 'alias/late', TargetKeyId: KeyId }),
      ]) {
        await assert.rejects(west(command), refusedAs('KMSInvalidStateException', `${Arn} is pending deletion.`))
      }
      assert.equal((await west(new CancelKeyDeletionCommand({ KeyId }))).KeyId, Arn)
      await assert.rejects(
        west(new CancelKeyDeletionCommand({ KeyId })),
        refusedAs('KMSInvalidStateException', `${Arn} is not pending deletion.`),
      )
      assert.equal((await west(new DescribeKeyCommand({ KeyId }))).KeyMetadata.KeyState, 'Disabled')
      for (const PendingWindowInDays of [6, 31]) {
        await assert.rejects(
          west(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays })),
          refusedAs('ValidationException'),
        )
      }
      assert.equal((await west(new ScheduleKeyDeletionCommand({ KeyId }))).PendingWindowInDays, 30)
      clock.ahead = 30 * DAY + 1000
      await assert.rejects(
        west(new DescribeKeyCommand({ KeyId })),
        refusedAs('NotFoundException', `Key '${Arn}' does not exist`),
      )
    })

    test('a primary key with replicas waits for the deletion of its replicas', async () => {
      const { KeyId, Arn } = await createKey({ MultiRegion: true })
      await west(new ReplicateKeyCommand({ KeyId, ReplicaRegion: EAST }))
      const pending = await west(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }))
      assert.deepEqual([pending.KeyState, pending.DeletionDate], ['PendingReplicaDeletion', undefined])
      const { KeyMetadata } = await west(new DescribeKeyCommand({ KeyId }))
      assert.deepEqual([KeyMetadata.PendingDeletionWindowInDays, KeyMetadata.DeletionDate], [7, undefined])
      await assert.rejects(
        west(new EnableKeyCommand({ KeyId })),
        refusedAs('KMSInvalidStateException', `${Arn} is pending replica deletion.`),
      )
      await send(EAST, new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }))
      clock.ahead = 7 * DAY + 1000
      await face(EAST).ring.sweep()
      const later = (await west(new DescribeKeyCommand({ KeyId }))).KeyMetadata
      assert.equal(later.KeyState, 'PendingDeletion')
      assert.ok(later.DeletionDate.getTime() > clock.now() + 6 * DAY)
    })

    test('policies are stored as they were put, and checked', async () => {
      const { KeyId } = await createKey()
      const given = await west(new GetKeyPolicyCommand({ KeyId, PolicyName: 'default' }))
      assert.equal(given.PolicyName, 'default')
      assert.deepEqual(JSON.parse(given.Policy).Statement[0].Principal, { AWS: `arn:aws:iam::${accountId}:root` })
      const statement = {
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${accountId}:role/admin` },
        Action: ['kms:Put*'],
        Resource: '*',
      }
      const policy = (changes: object): string =>
        JSON.stringify({ Version: '2012-10-17', Statement: [{ ...statement, ...changes }] })
      await west(new PutKeyPolicyCommand({ KeyId, Policy: policy({}) }))
      assert.equal((await west(new GetKeyPolicyCommand({ KeyId }))).Policy, policy({}))
      const lockedOut = policy({ Action: 'kms:Encrypt' })
      const malformed = [
        'not JSON',
        '[]',
        '{}',
        '{"Version":"2012-10-17","Statement":[]}',
        JSON.stringify({ Version: '1999-01-01', Statement: statement }),
        policy({ Effect: 'Perhaps' }),
        policy({ Resource: undefined }),
        policy({ Principal: { AWS: 'arn:aws:iam::111122223333:root' } }),
        lockedOut,
      ]
      for (const Policy of malformed) {
        await assert.rejects(
          west(new PutKeyPolicyCommand({ KeyId, Policy })),
          refusedAs('MalformedPolicyDocumentException'),
          Policy,
        )
        await assert.rejects(
          west(new CreateKeyCommand({ Policy })),
          refusedAs('MalformedPolicyDocumentException'),
          Policy,
        )
      }
      await west(new PutKeyPolicyCommand({ KeyId, Policy: lockedOut, BypassPolicyLockoutSafetyCheck: true }))
      await assert.rejects(
        west(new PutKeyPolicyCommand({ KeyId, Policy: policy({ Sid: 'x'.repeat(33_000) }) })),
        refusedAs('LimitExceededException'),
      )
      await assert.rejects(
        west(new GetKeyPolicyCommand({ KeyId, PolicyName: 'other' })),
        refusedAs('NotFoundException', 'No such policy exists'),
      )
    })

    test('invalid keys and names are refused as AWS KMS refuses them', async () => {
      const { KeyId, Arn } = await createKey()
      await west(new CreateAliasCommand({ AliasName: 'alias/taken', TargetKeyId: Arn }))
      const aliasArn = `arn:aws:kms:${WEST}:${accountId}:alias`
      const unknown = '00000000-0000-4000-8000-000000000000'
      const service = (await face(WEST).ring.ensureServiceKey()).split('/')[1] as string
      const refusals: [unknown, string, (string | RegExp)?][] = [
        [new CreateKeyCommand({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' }), 'UnsupportedOperationException'],
        [
          new CreateKeyCommand({ KeyUsage: 'SIGN_VERIFY' }),
          'ValidationException',
          'KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT',
        ],
        [
          new CreateKeyCommand({ KeySpec: 'SYMMETRIC_DEFAULT', CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT' }),
          'ValidationException',
        ],
        [new CreateKeyCommand({ Origin: 'EXTERNAL' }), 'UnsupportedOperationException'],
        [new CreateKeyCommand({ KeySpec: 'AES' as never }), 'ValidationException', /enum value set/],
        [
          new CreateKeyCommand({
            Tags: [
              { TagKey: 'a', TagValue: '1' },
              { TagKey: 'a', TagValue: '2' },
            ],
          }),
          'TagException',
        ],
        [new CreateKeyCommand({ Tags: [{ TagKey: 'aws:x', TagValue: '1' }] }), 'TagException'],
        [
          new CreateKeyCommand({ Tags: Array.from({ length: 51 }, (_, at) => ({ TagKey: `k${at}`, TagValue: '' })) }),
          'TagException',
        ],
        [new CreateKeyCommand({ Description: 'x'.repeat(8193) }), 'ValidationException'],
        [
          new CreateAliasCommand({ AliasName: 'alias/taken', TargetKeyId: KeyId }),
          'AlreadyExistsException',
          `An alias with the name ${aliasArn}/taken already exists`,
        ],
        [
          new CreateAliasCommand({ AliasName: 'taken', TargetKeyId: KeyId }),
          'ValidationException',
          /must start with the prefix "alias\/"/,
        ],
        [new CreateAliasCommand({ AliasName: 'alias/a:b', TargetKeyId: KeyId }), 'InvalidAliasNameException'],
        [new CreateAliasCommand({ AliasName: 'alias/aws/cognito', TargetKeyId: KeyId }), 'InvalidAliasNameException'],
        [new CreateAliasCommand({ AliasName: 'alias/new', TargetKeyId: unknown }), 'NotFoundException'],
        [
          new CreateAliasCommand({ AliasName: 'alias/new', TargetKeyId: 'alias/taken' }),
          'NotFoundException',
          "Invalid keyId 'alias/taken'",
        ],
        [
          new DescribeKeyCommand({ KeyId: unknown }),
          'NotFoundException',
          `Key 'arn:aws:kms:${WEST}:${accountId}:key/${unknown}' does not exist`,
        ],
        [new DescribeKeyCommand({ KeyId: service }), 'NotFoundException'],
        [new DescribeKeyCommand({ KeyId: 'nonsense' }), 'NotFoundException', "Invalid keyId 'nonsense'"],
        [new DescribeKeyCommand({ KeyId: 'service-key' }), 'NotFoundException'],
        [
          new DescribeKeyCommand({ KeyId: 'alias/nobody' }),
          'NotFoundException',
          `Alias ${aliasArn}/nobody is not found.`,
        ],
        [new DescribeKeyCommand({ KeyId: Arn.replace(WEST, EAST) }), 'NotFoundException', `Invalid arn ${EAST}`],
        [new DescribeKeyCommand({ KeyId: 'arn:aws:kms:x' }), 'InvalidArnException'],
        [new DescribeKeyCommand({ KeyId: 'arn:aws:s3:::bucket' }), 'InvalidArnException'],
        [new DisableKeyCommand({ KeyId: `${aliasArn}/taken` }), 'InvalidArnException'],
        [new ListAliasesCommand({ KeyId: unknown }), 'NotFoundException'],
        [new EnableKeyCommand({ KeyId: '' }), 'ValidationException'],
      ]
      for (const [command, name, message] of refusals) await assert.rejects(west(command), refusedAs(name, message))
    })

    test('a key has 50 aliases at most', async () => {
      const { KeyId, Arn } = await createKey()
      for (let at = 0; at < 50; at += 1) await face(WEST).ring.createAlias(`alias/many/${at}`, KeyId)
      await assert.rejects(
        west(new CreateAliasCommand({ AliasName: 'alias/many/50', TargetKeyId: KeyId })),
        refusedAs('LimitExceededException', `${Arn} has the maximum number of aliases.`),
      )
    })

    test('invalid calls are refused in the form of the protocol', async () => {
      const call = async (operation: string, body: string | Buffer, changes: Partial<ServiceRequest> = {}) => {
        const { status, body: text } = await face(WEST).serve({
          operation,
          body: Buffer.from(body),
          checkSignature: () => ({ accessKeyId: '' }),
          ...changes,
        })
        return [status, JSON.parse(text).__type]
      }
      assert.deepEqual(await call('MakeCoffee', '{}'), [400, 'UnknownOperationException'])
      assert.deepEqual(await call('constructor', '{}'), [400, 'UnknownOperationException'])
      for (const body of ['{', 'null', '[]', '"x"', '{"KeyId":7}', Buffer.from([0xff, 0xfe])]) {
        assert.deepEqual(await call('DescribeKey', body), [400, 'SerializationException'], String(body))
      }
      assert.deepEqual(await call('DescribeKey', ''), [400, 'ValidationException'])
      assert.deepEqual(await call('Encrypt', '{"KeyId":"x","Plaintext":"*"}'), [400, 'SerializationException'])
      for (const operation of Object.keys(operations)) {
        for (const body of [
          '{}',
          '{"KeyId":null}',
          '{"KeyId":{}}',
          `{"KeyId":"${'x'.repeat(3000)}"}`,
          '{"Limit":"x"}',
        ]) {
          const { status } = await face(WEST).serve({
            operation,
            body: Buffer.from(body),
            checkSignature: () => ({ accessKeyId: '' }),
          })
          assert.ok(status < 500, `${operation} ${body}`)
        }
      }
      const stranger = new KMSClient({
        region: WEST,
        endpoint: await face(WEST).client.config.endpoint?.(),
        credentials: { ...credentials, secretAccessKey: 'not the secret' },
        maxAttempts: 1,
      })
      await assert.rejects(stranger.send(new ListKeysCommand({})), refusedAs('InvalidSignatureException'))
      stranger.destroy()
    })
  })
}
