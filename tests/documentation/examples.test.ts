/** Every documented example of an implemented operation is played, and its response is compared with the documented one. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import * as sdk from '@aws-sdk/client-cognito-identity-provider'
import { operations } from '@twinpool/server/internal/cognito/operations'
import type { OperationRow } from '@twinpool/server/internal/cognito/rows'
import { type OperationName, operationNames } from '@twinpool/server/internal/cognito/shapes.generated'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'
import { cliExamples } from './cli-examples.ts'
import { compare } from './comparison.ts'
import { type Differences, differences } from './differences.ts'
import type { Example, Input } from './example.ts'
import { preparations } from './preparations.ts'
import { NoneOutsideError, Scene } from './scene.ts'
import { sdkExamples } from './sdk-examples.ts'

const REGIONS = ['us-west-2', 'us-east-1', 'us-east-2', 'ca-central-1', 'ap-south-1', 'eu-north-1', 'sa-east-1']

const rows: Record<OperationName, OperationRow> = operations
const isImplemented = (operation: OperationName): boolean => rows[operation].handler !== undefined

type Call = Parameters<sdk.CognitoIdentityProviderClient['send']>[0]

const commands = sdk as unknown as Record<string, new (input: Input) => Call>

const sources = { SDK: sdkExamples('@aws-sdk/client-cognito-identity-provider', operationNames), CLI: cliExamples() }
const ofImplemented = Object.entries(sources).map(
  ([source, examples]) => [source, examples?.filter(({ operation }) => isImplemented(operation))] as const,
)

for (const engine of engines) {
  describe(`the examples of the documentation: ${engine}`, () => {
    let plane: Plane
    before(async () => {
      plane = await startRegions({
        engine,
        regions: REGIONS,
        config: { parity: 'extended', accountId: '123456789012' },
      })
    })
    after(() => plane.stop())

    async function prepareScene(example: Example, left = 5): Promise<Scene> {
      const prepare = preparations[example.operation]
      assert.ok(prepare, `${example.operation} needs a preparation in preparations.ts`)
      const scene = new Scene(plane, example)
      try {
        await prepare(scene)
        return scene
      } catch (error) {
        if (!(error instanceof NoneOutsideError) || left === 0) throw error
        return prepareScene(example, left - 1)
      }
    }

    async function play(example: Example, { input = {}, output = {} }: Differences): Promise<void> {
      const scene = await prepareScene(example)
      scene.fillInPasswords()
      const Command = commands[`${example.operation}Command`] as new (input: Input) => Call
      const send = () => scene.cognito.send(new Command(scene.input))
      for (const [member, { instead }] of Object.entries(input)) {
        await assert.rejects(send(), sdk.CognitoIdentityProviderServiceException, `${member} is accepted`)
        scene.input[member] = instead
      }
      const response = await send()
      if (example.output === undefined) return
      const created = (response as sdk.CreateUserPoolCommandOutput).UserPool?.Id
      if (created !== undefined) scene.known.set(String(scene.documented.Id), created)
      const differing = compare(example.output, response, scene.known)
      assert.deepEqual(differing.sort(), Object.keys(output).sort())
    }

    for (const [source, examples] of ofImplemented) {
      const skip = examples ? false : 'the AWS CLI is not installed'
      describe(`of the ${source}`, { skip }, () => {
        for (const example of examples ?? []) {
          const named = differences[example.name] ?? {}
          it(example.name, async () => {
            const { presumes } = named
            if (presumes === undefined) return play(example, named)
            if (presumes === '--query') return assert.ok(Object.hasOwn(example.input, presumes))
            assert.ok(!isImplemented(presumes), `${presumes} works: prepare the example with it`)
          })
        }
      })
    }
  })
}

describe('the list of differences', () => {
  it('names examples that exist', () => {
    const names = new Set(ofImplemented.flatMap(([, examples]) => examples?.map(({ name }) => name) ?? []))
    const missing = Object.keys(differences).filter((name) => !names.has(name))
    assert.deepEqual(sources.CLI ? missing : missing.filter((name) => !name.startsWith('CLI ')), [])
  })
})
