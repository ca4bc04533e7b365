/** Every documented example of a KMS operation is played, and its response is compared with the documented one. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import * as sdk from '@aws-sdk/client-kms'
import { type OperationName, operationNames } from '@twinpool/server/internal/kms/shapes.generated'
import { engines, type Plane, type RunningRegion, startRegions } from '@twinpool/testing/regions'
import { BINARY, compare } from './comparison.ts'
import type { Example, Input } from './example.ts'
import { kmsDifferences } from './kms-differences.ts'
import { sdkExamples } from './sdk-examples.ts'

const REGIONS = ['us-west-2', 'us-east-1', 'us-east-2', 'ap-northeast-1', 'eu-west-1', 'sa-east-1', 'ca-central-1']

/** Lists are played in a region without other keys, or other aliases; an alias is created once in a region. */
const REGION_OF: Partial<Record<OperationName, string>> = {
  CreateAlias: 'sa-east-1',
  GenerateDataKeyWithoutPlaintext: 'us-east-1',
  ListAliases: 'eu-west-1',
  ListKeys: 'ca-central-1',
}

type KmsExample = Example<OperationName>
type Call = Parameters<sdk.KMSClient['send']>[0]

const commands = sdk as unknown as Record<string, new (input: Input) => Call>
const examples = sdkExamples('@aws-sdk/client-kms', operationNames)

interface Scene {
  plane: Plane
  region: RunningRegion
  input: Input
  output: Record<string, unknown>
  /** Creates a key that stands for the one with the documented id, by default that of the input. Returns its id. */
  createKey(settings?: sdk.CreateKeyCommandInput, documented?: string): Promise<string>
}

const key = (scene: Scene) => scene.createKey()

const alias = async (scene: Scene) => {
  const TargetKeyId = await scene.createKey({}, idIn(scene.output.KeyId))
  await scene.region.kms.send(new sdk.CreateAliasCommand({ AliasName: String(scene.input.KeyId), TargetKeyId }))
}

const preparations: Partial<Record<OperationName, (scene: Scene) => Promise<unknown>>> = {
  CancelKeyDeletion: async (scene) => {
    const KeyId = await scene.createKey()
    await scene.region.kms.send(new sdk.ScheduleKeyDeletionCommand({ KeyId }))
  },
  CreateAlias: key,
  Decrypt: async (scene) => {
    const KeyId = await scene.createKey()
    const { CiphertextBlob } = await scene.region.kms.send(new sdk.EncryptCommand({ KeyId, Plaintext: BYTES }))
    scene.input.CiphertextBlob = CiphertextBlob
  },
  DescribeKey: async (scene) => {
    const KeyId = await scene.createKey({ MultiRegion: true })
    const { PrimaryKey, ReplicaKeys = [] } = (scene.output.KeyMetadata as sdk.KeyMetadata)
      .MultiRegionConfiguration as sdk.MultiRegionConfiguration
    const primary = scene.plane.regions.find(({ name }) => name === PrimaryKey?.Region) as RunningRegion
    for (const { Region: ReplicaRegion } of ReplicaKeys) {
      await primary.kms.send(new sdk.ReplicateKeyCommand({ KeyId, ReplicaRegion }))
    }
  },
  DisableKey: key,
  EnableKey: async (scene) => {
    const KeyId = await scene.createKey()
    await scene.region.kms.send(new sdk.DisableKeyCommand({ KeyId }))
  },
  Encrypt: key,
  GenerateDataKey: alias,
  GenerateDataKeyWithoutPlaintext: alias,
  GetKeyPolicy: key,
  ListAliases: async (scene) => {
    for (const { AliasName, TargetKeyId } of scene.output.Aliases as sdk.AliasListEntry[]) {
      if (AliasName?.startsWith('alias/aws/')) continue
      const created = await scene.createKey({}, TargetKeyId)
      await scene.region.kms.send(new sdk.CreateAliasCommand({ AliasName, TargetKeyId: created }))
    }
  },
  ListKeys: async (scene) => {
    for (const { KeyId } of scene.output.Keys as sdk.KeyListEntry[]) await scene.createKey({}, KeyId)
  },
  PutKeyPolicy: key,
  ReplicateKey: (scene) => scene.createKey({ MultiRegion: true }),
}

const BYTES = Buffer.from('text')

/** The id at the end of an ARN, or an id alone. */
const idIn = (text: unknown): string => String(text).replace(/^arn:.*:key\//, '')

/** The region of the first ARN of a key or an alias. */
const regionIn = (value: unknown): string | undefined => /arn:aws:kms:([a-z0-9-]+):/.exec(JSON.stringify(value))?.[1]

for (const engine of engines) {
  describe(`the examples of the documentation of KMS: ${engine}`, () => {
    let plane: Plane
    before(async () => {
      plane = await startRegions({
        engine,
        regions: REGIONS,
        config: { parity: 'extended', accountId: '111122223333' },
      })
    })
    after(() => plane?.stop())

    const play = async (example: KmsExample): Promise<void> => {
      const known = new Map<string, string>()
      const documented = regionIn(example.input) ?? regionIn(example.output) ?? 'us-east-2'
      const region = plane.regions.find(({ name }) => name === (REGION_OF[example.operation] ?? documented))
      assert.ok(region, `no region ${documented}`)
      if (region.name !== documented) known.set(documented, region.name)
      const input = structuredClone(example.input)
      const keyMember = example.operation === 'CreateAlias' ? 'TargetKeyId' : 'KeyId'
      const scene: Scene = {
        plane,
        region,
        input,
        output: structuredClone(example.output) as Record<string, unknown>,
        createKey: async (settings = {}, id = idIn(input[keyMember])) => {
          const { MultiRegionConfiguration } = (scene.output.KeyMetadata ?? {}) as sdk.KeyMetadata
          const home = plane.regions.find(({ name }) => name === MultiRegionConfiguration?.PrimaryKey?.Region) ?? region
          const { KeyMetadata } = await home.kms.send(new sdk.CreateKeyCommand(settings))
          const created = KeyMetadata?.KeyId as string
          known.set(id, created)
          if (input[keyMember] !== undefined) input[keyMember] = String(input[keyMember]).replace(id, created)
          return created
        },
      }
      const prepare = preparations[example.operation]
      assert.ok(prepare, `${example.operation} needs a preparation`)
      await prepare(scene)
      for (const [member, value] of Object.entries(input)) if (value === BINARY) input[member] = BYTES
      const Command = commands[`${example.operation}Command`] as new (input: Input) => Call
      const differing = compare(inOrder(example.output, known), await region.kms.send(new Command(input)), known)
      assert.deepEqual(differing.sort(), Object.keys(kmsDifferences[example.name]?.output ?? {}).sort())
    }

    for (const example of examples) {
      const presumes = kmsDifferences[example.name]?.presumes
      it(example.name, () =>
        presumes
          ? assert.rejects(
              plane.primary.kms.send(new sdk.CreateKeyCommand(presumes)),
              { name: 'UnsupportedOperationException' },
              'such a key can be created: prepare the example with it',
            )
          : play(example),
      )
    }
  })
}

/** A list of keys is in the order of their ids. */
function inOrder(output: unknown, known: ReadonlyMap<string, string>): unknown {
  const { Keys } = output as { Keys?: { KeyId: string }[] }
  if (!Keys) return output
  const idOf = ({ KeyId }: { KeyId: string }): string => known.get(KeyId) ?? KeyId
  return { ...(output as object), Keys: Keys.toSorted((one, other) => (idOf(one) < idOf(other) ? -1 : 1)) }
}

describe('the list of differences of KMS', () => {
  it('names examples that exist', () => {
    const names = new Set(examples.map(({ name }) => name))
    assert.deepEqual(
      Object.keys(kmsDifferences).filter((name) => !names.has(name)),
      [],
    )
  })
})
