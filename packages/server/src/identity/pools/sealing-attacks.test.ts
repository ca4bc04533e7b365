/** An attacker who can write to the database, but has no key, takes a sealed pool back to plain rows. None is believed. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  AdminAddUserToGroupCommand,
  AdminListGroupsForUserCommand,
  CreateGroupCommand,
  DescribeUserPoolCommand,
  GetGroupCommand,
  ListGroupsCommand,
  ListUsersInGroupCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { people } from '@twinpool/testing/people'
import { createPlainPool, sealPools } from '@twinpool/testing/plain-pools'
import { createClient, createPool, createUser, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, type RunningRegion, startRegions, until } from '@twinpool/testing/regions'
import { createReplicatedPool } from '@twinpool/testing/replicas'
import { sql } from 'kysely'
import { type Kind, ONLY, tableOf } from '../../store/kinds.ts'

const FORGED = { name: 'forged-admins', role: 'arn:aws:iam::000000000000:role/forged' }
const refused = { name: 'InternalErrorException' }

for (const engine of engines) {
  describe(`a sealed pool that is set back by SQL, on ${engine}`, () => {
    let plane: Plane
    let primary: RunningRegion
    before(async () => {
      plane = await startRegions({ engine })
      primary = plane.primary
    })
    after(() => plane?.stop())

    /** Empties all caches, as an attacker can only wait for. Connections of the SDK end with the region. */
    const restart = async (region: RunningRegion) => {
      await region.restart()
      region.cognito.destroy()
    }

    const dbOf = ({ region }: RunningRegion) => region.context.store.db

    const readBodies = async (region: RunningRegion, kind: Kind, pool: string) => {
      const { rows } = await sql<{
        key: string
        body: string
      }>`select key, body from ${sql.table(tableOf(kind))} where pool = ${pool}`.execute(dbOf(region))
      return rows
    }
    const writeBodies = async (
      region: RunningRegion,
      kind: Kind,
      pool: string,
      rows: readonly { key: string; body: string }[],
    ) => {
      for (const { key, body } of rows) {
        await sql`update ${sql.table(tableOf(kind))} set body = ${body} where pool = ${pool} and key = ${key}`.execute(
          dbOf(region),
        )
      }
    }
    const editPool = async (region: RunningRegion, pool: string, edit: (document: object) => object) => {
      const [row] = await readBodies(region, 'pool', pool)
      assert.ok(row)
      await writeBodies(region, 'pool', pool, [{ ...row, body: JSON.stringify(edit(JSON.parse(row.body))) }])
    }

    /** Inserts a plain group with a role, and the user's membership in it. */
    const forge = async (region: RunningRegion, { pool, sub }: { pool: string; sub: string }) => {
      const body = JSON.stringify({ RoleArn: FORGED.role, Precedence: 0, created: 1, modified: 1 })
      await sql`insert into row_group (pool, key, body, epoch, seq) values (${pool}, ${FORGED.name}, ${body}, 1, 1)`.execute(
        dbOf(region),
      )
      await sql`insert into row_member (pool, key, body, epoch, seq, i_group_name, i_sub)
        values (${pool}, ${`${FORGED.name}/${sub}`}, '{}', 1, 1, ${FORGED.name}, ${sub})`.execute(dbOf(region))
    }

    const claimsOf = async (region: RunningRegion, client: TestClient): Promise<Record<string, unknown>> => {
      const { IdToken } = await people(region).signIn(client, { username: 'eve' })
      return JSON.parse(Buffer.from(IdToken?.split('.')[1] as string, 'base64url').toString())
    }

    /** Groups are exactly those of the API, in every list and in tokens. */
    const checkUnforged = async (region: RunningRegion, { pool, client }: { pool: string; client: TestClient }) => {
      const UserPoolId = pool
      const { Groups } = await region.cognito.send(new AdminListGroupsForUserCommand({ UserPoolId, Username: 'eve' }))
      assert.deepEqual(
        Groups?.map(({ GroupName }) => GroupName),
        ['readers'],
      )
      const all = await region.cognito.send(new ListGroupsCommand({ UserPoolId }))
      assert.deepEqual(
        all.Groups?.map(({ GroupName }) => GroupName),
        ['readers'],
      )
      for (const call of [
        () => region.cognito.send(new GetGroupCommand({ UserPoolId, GroupName: FORGED.name })),
        () => region.cognito.send(new ListUsersInGroupCommand({ UserPoolId, GroupName: FORGED.name })),
      ]) {
        await assert.rejects(call, { name: 'ResourceNotFoundException' })
      }
      const claims = await claimsOf(region, client)
      assert.deepEqual(claims['cognito:groups'], ['readers'])
      assert.equal(claims['cognito:preferred_role'], undefined)
    }

    const populate = async (pool: string) => {
      const sub = await createUser(primary, pool, { username: 'eve' })
      const client = await createClient(primary, pool)
      await primary.cognito.send(new CreateGroupCommand({ UserPoolId: pool, GroupName: 'readers' }))
      await primary.cognito.send(
        new AdminAddUserToGroupCommand({ UserPoolId: pool, GroupName: 'readers', Username: 'eve' }),
      )
      return { pool, sub, client }
    }

    const formOf = async (pool: string): Promise<unknown> => {
      const [row] = await readBodies(primary, 'pool', pool)
      return JSON.parse(row?.body as string).form
    }

    it('believes no plain row, whatever form the document has, and is put right', async () => {
      const target = await populate(await createPool(primary))
      await forge(primary, target)
      for (const form of [undefined, 'sealing']) {
        await editPool(primary, target.pool, (document) => ({ ...document, form }))
        await restart(primary)
        await checkUnforged(primary, target)
        await sealPools(primary.region.context)
        assert.equal(await formOf(target.pool), 'sealed')
        await checkUnforged(primary, target)
      }
    })

    it('stops when its data key no longer says that it is sealed', async () => {
      const target = await populate(await createPool(primary))
      const [dataKey] = await readBodies(primary, 'data-key', target.pool)
      assert.ok(dataKey)
      const { form, ...rest } = JSON.parse(dataKey.body)
      assert.equal(form, 'sealed')
      await forge(primary, target)
      await editPool(primary, target.pool, (document) => ({ ...document, form: undefined }))
      await writeBodies(primary, 'data-key', target.pool, [{ ...dataKey, body: JSON.stringify(rest) }])
      await restart(primary)
      await assert.rejects(people(primary).signIn(target.client, { username: 'eve' }), refused)
      await writeBodies(primary, 'data-key', target.pool, [dataKey])
      await restart(primary)
      await checkUnforged(primary, target)
    })

    it('believes no plain template, also without the sealed ones', async () => {
      const { pool } = await populate(await createPool(primary, { EmailVerificationMessage: 'sealed {####}' }))
      const [before] = await readBodies(primary, 'pool', pool)
      assert.ok(before && !before.body.includes('sealed {####}'))
      await editPool(primary, pool, (document) => ({
        ...document,
        form: undefined,
        sealedTemplates: undefined,
        EmailVerificationMessage: 'forged {####}',
      }))
      await restart(primary)
      const messageNow = async () => {
        const { UserPool } = await primary.cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool }))
        return UserPool?.EmailVerificationMessage
      }
      assert.equal(await messageNow(), undefined)
      await sealPools(primary.region.context)
      assert.equal(await messageNow(), undefined)
      await writeBodies(primary, 'pool', pool, [before])
      await restart(primary)
      assert.equal(await messageNow(), 'sealed {####}')
    })

    it('believes no plain row after rows of the time before it was sealed are put back', async () => {
      const target = await populate(await createPlainPool(primary))
      const { pool } = target
      const kinds = ['pool', 'data-key'] as const
      const old = await Promise.all(kinds.map((kind) => readBodies(primary, kind, pool)))
      while ((await formOf(pool)) !== 'sealed') await sealPools(primary.region.context)
      await checkUnforged(primary, target)
      const current = await Promise.all(kinds.map((kind) => readBodies(primary, kind, pool)))
      const put = async (kind: (typeof kinds)[number], versions: typeof old) =>
        writeBodies(primary, kind, pool, versions[kinds.indexOf(kind)] ?? [])
      await forge(primary, target)

      // The data key alone: nothing changes, and the primary puts it right.
      await put('data-key', old)
      await restart(primary)
      await checkUnforged(primary, target)
      await sealPools(primary.region.context)
      assert.equal(JSON.parse((await readBodies(primary, 'data-key', pool))[0]?.body as string).form, 'sealed')
      await put('data-key', current)

      // The pool alone, and both: the signing keys prove that the pool is sealed.
      for (const rows of [['pool'], kinds] as (typeof kinds)[number][][]) {
        for (const kind of rows) await put(kind, old)
        await restart(primary)
        await checkUnforged(primary, target)
        // The document of before with the sealed templates of now.
        const { sealedTemplates } = JSON.parse(current[0]?.[0]?.body as string)
        await editPool(primary, pool, (document) => ({ ...document, sealedTemplates }))
        await restart(primary)
        await checkUnforged(primary, target)
        for (const kind of kinds) await put(kind, current)
      }
      await restart(primary)
      await checkUnforged(primary, target)
    })

    it('does not count forged rows against a quota', async () => {
      const target = await populate(await createPool(primary))
      const { pool, sub } = target
      await forge(primary, target)
      const address = (key: string) => ({ pool, key, body: 'AgAAAA==' })
      await primary.region.context.store.write(async (tx) => {
        for (let at = 0; at < 100; at += 1) {
          await tx.put('sealed-member', { ...address(`forged-${at}/${sub}`), fields: { group: `forged-${at}`, sub } })
        }
      })
      await primary.cognito.send(new CreateGroupCommand({ UserPoolId: pool, GroupName: 'writers' }))
      const membership = { UserPoolId: pool, GroupName: 'writers', Username: 'eve' }
      await primary.cognito.send(new AdminAddUserToGroupCommand(membership))
      assert.deepEqual((await claimsOf(primary, target.client))['cognito:groups'], ['readers', 'writers'])
    })

    it('believes no plain row in a replica: neither of its own database, nor through the feed', async () => {
      const { secondary } = plane
      const target = await populate(await createReplicatedPool(plane))
      const { pool, sub } = target
      await until(() =>
        checkUnforged(secondary, target).then(
          () => true,
          () => false,
        ),
      )

      await forge(secondary, target)
      await editPool(secondary, pool, (document) => ({ ...document, form: undefined }))
      await restart(secondary)
      await checkUnforged(secondary, target)

      // Rows of the primary's log, as its feed sends them.
      const { store } = primary.region.context
      const [document] = await readBodies(primary, 'pool', pool)
      const body = JSON.stringify({ ...JSON.parse(document?.body as string), form: undefined })
      await store.write(async (tx) => {
        await tx.put('pool', { pool, key: ONLY, body })
        await tx.put('group', { pool, key: 'forged-2', body: '{"created":1,"modified":1}' })
        const fields = { group_name: 'forged-2', sub }
        await tx.put('member', { pool, key: `forged-2/${sub}`, body: '{}', fields })
      })
      await until(async () => (await secondary.region.context.store.count('member', { pool })) === 2)
      await checkUnforged(secondary, target)
      await checkUnforged(primary, target)
    })
  })
}
