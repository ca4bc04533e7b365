import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminUpdateUserAttributesCommand,
  CreateUserPoolCommand,
  ListUsersCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { type DevProcess, startDevProcess } from '@twinpool/testing/dev-plane'
import { engines } from '@twinpool/testing/regions'

const ROUNDS = Number(process.env.TWINPOOL_TEST_ROUNDS ?? 5)
const WRITERS = 8
/** The number of acknowledged writes before the kill of a round; the seed varies it. */
const SEED = Number(process.env.TWINPOOL_TEST_SEED ?? 1)

for (const engine of engines) {
  describe(`a region on ${engine} that is killed and started again`, () => {
    let dev: DevProcess
    let pool: string

    before(async () => {
      dev = await startDevProcess({ engine })
      const { UserPool } = await dev.primary.cognito.send(new CreateUserPoolCommand({ PoolName: 'durable' }))
      pool = UserPool?.Id as string
    })
    after(() => dev?.stop())

    it(`has every write that it acknowledged, ${ROUNDS} rounds`, async (t) => {
      const { name, cognito } = dev.primary
      const acknowledged = new Map<string, string>()
      let total = 0
      for (let round = 1; round <= ROUNDS; round += 1) {
        const enough = 20 + ((SEED * 7919 + round * 104_729) % 120)
        let written = 0
        let killed: Promise<unknown> | undefined
        const write = async (writer: number): Promise<void> => {
          for (let turn = 0; killed === undefined; turn += 1) {
            const user = `user-${round}-${writer}-${turn >> 1}`
            // Writes alternate: create a user, then change that user.
            if (turn % 2 === 0) {
              await cognito.send(
                new AdminCreateUserCommand({ UserPoolId: pool, Username: user, MessageAction: 'SUPPRESS' }),
              )
              acknowledged.set(user, '')
            } else {
              await cognito.send(
                new AdminUpdateUserAttributesCommand({
                  UserPoolId: pool,
                  Username: user,
                  UserAttributes: [{ Name: 'name', Value: `${round}.${turn}` }],
                }),
              )
              acknowledged.set(user, `${round}.${turn}`)
            }
            written += 1
            if (written >= enough) killed ??= dev.control(name, 'kill')
          }
        }
        await Promise.all(
          // The kill interrupts writes in flight: they were not acknowledged.
          Array.from({ length: WRITERS }, (_, writer) => write(writer).catch(() => {})),
        )
        assert.ok(killed, `seed ${SEED}, round ${round}: the writers ended before the kill`)
        await killed
        assert.equal((await dev.control(name, 'start')).status, 200)
        total += written

        const present = await allUsers()
        const lost = [...acknowledged].filter(([user, value]) => {
          const found = present.get(user)
          // A write in flight at the kill may have been committed without an acknowledgement.
          return found === undefined || (value !== '' && found === '')
        })
        assert.deepEqual(lost, [], `seed ${SEED}, round ${round}: lost`)
      }
      t.diagnostic(`${total} acknowledged writes, none lost (seed ${SEED})`)
    })

    async function allUsers(): Promise<Map<string, string>> {
      const found = new Map<string, string>()
      let PaginationToken: string | undefined
      do {
        const page = await dev.primary.cognito.send(new ListUsersCommand({ UserPoolId: pool, PaginationToken }))
        for (const { Username, Attributes } of page.Users ?? []) {
          found.set(Username as string, Attributes?.find(({ Name }) => Name === 'name')?.Value ?? '')
        }
        PaginationToken = page.PaginationToken
      } while (PaginationToken)
      return found
    }
  })
}
