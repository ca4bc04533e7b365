/**
 * A store that gains kinds and index columns: created by an older version, opened by a newer build, then by an older build again.
 */
import './newer-build.ts'
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import {
  AdminDeleteUserCommand,
  AdminGetUserCommand,
  InitiateAuthCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { kindNames, kinds, ONLY, ownerColumnOf, tableOf } from '@twinpool/server/internal/store/kinds'
import { removeOwned } from '@twinpool/server/internal/store/owned'
import { openStore, type Store } from '@twinpool/server/internal/store/store'
import { createUser } from '@twinpool/testing/pools'
import { engines } from '@twinpool/testing/regions'
import { serveRegion } from '@twinpool/testing/served-region'
import { openTestStore } from '@twinpool/testing/stores'
import { sql } from 'kysely'
import { COLUMN, DESK, DEVICE, LEDGER, NEW_KINDS } from './newer-build.ts'
import { readRecorded, recordings, restore } from './recordings.ts'

const newer = new URL('newer-build.ts', import.meta.url).href
const region = 'us-west-2'
const clock = { now: () => Date.now() }

for (const engine of engines) {
  for (const recording of recordings) {
    describe(`a store of ${recording} that is opened by a build with more kinds, on ${engine}`, () => {
      const undo: (() => Promise<void> | void)[] = []
      after(async () => {
        for (const step of undo.reverse()) await step()
      })

      it('gains them and works; an older build works with it; and the newer build finds the rows of both', async () => {
        const { masterKey, pool, client, username, password } = readRecorded(recording)
        const config = await restore(recording, engine, undo)
        const serve = async (
          imports: string[],
          work: (served: Awaited<ReturnType<typeof serveRegion>>) => Promise<void>,
        ) => {
          const served = await serveRegion({
            config: { store: config, keys: { provider: 'local', masterKey } },
            imports,
          })
          try {
            await work(served)
          } finally {
            await served.stop()
          }
        }
        const signIn = async ({ cognito }: Awaited<ReturnType<typeof serveRegion>>) => {
          const AuthParameters = { USERNAME: username, PASSWORD: password }
          const call = { ClientId: client, AuthFlow: 'USER_PASSWORD_AUTH' as const, AuthParameters }
          assert.ok((await cognito.send(new InitiateAuthCommand(call))).AuthenticationResult?.IdToken)
        }
        await serve([newer], async (served) => {
          await signIn(served)
          await createUser(served, pool, { username: 'grace' })
        })

        const first = await openStore(config, { clock, region })
        const sub = await writeNews(first, pool)
        await first.close()

        await serve([], async (served) => {
          await signIn(served)
          await createUser(served, pool, { username: 'joan' })
        })

        const again = await openStore(config, { clock, region })
        await checkNews(again, pool, sub)
        const [joan] = (await again.list('user', { pool, limit: 10 })).filter(({ fields }) => fieldOf(fields) === null)
        assert.ok(joan, 'a row of the older build has no value in the new column')
        await again.close()

        await serve([newer], async ({ cognito }) => {
          await cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username: 'joan' }))
          await cognito.send(new AdminDeleteUserCommand({ UserPoolId: pool, Username: sub }))
        })
        const last = await openStore(config, { clock, region })
        assert.equal(await last.count(DEVICE, { pool }), 0, 'rows that a user owns are removed with the user')
        assert.equal(await last.count(LEDGER, { pool }), 1)
        await last.close()
      })
    })
  }

  describe(`the rows that a client owns: ${engine}`, () => {
    it('are removed with the client, and no rows of another client', async () => {
      const opened = await openTestStore(engine, { clock, region })
      after(() => opened.close())
      const { store } = opened
      await store.write(async (tx) => {
        for (const owner of ['one', 'two']) {
          for (let at = 0; at < 3; at += 1) {
            await tx.set(DESK, { pool: 'p', key: `${owner}-${at}`, body: '{}', fields: { client_id: owner } as object })
          }
        }
      })
      await store.write((tx) => removeOwned(tx, 'client', { pool: 'p', id: 'one' }))
      const left = await store.list(DESK, { pool: 'p', limit: 10 })
      assert.deepEqual(
        left.map(({ key }) => key),
        ['two-0', 'two-1', 'two-2'],
      )
    })
  })
}

const fieldOf = (fields: object): string | null | undefined => (fields as Record<string, string | null>)[COLUMN]

/** Writes rows of the new kinds, and a value in the new column; returns the sub of the user who has both. */
async function writeNews(store: Store, pool: string): Promise<string> {
  const [user] = await store.list('user', { pool, limit: 1 })
  assert.ok(user)
  await store.write(async (tx) => {
    await tx.put('user', { ...user, fields: { ...user.fields, [COLUMN]: 'hash of a zone' } as object })
    await tx.put(DEVICE, { pool, key: 'a device', body: '{}', fields: { sub: user.key } as object })
    await tx.share(LEDGER, { pool, key: 'a fact', body: '2' })
    await tx.set(DESK, { pool, key: ONLY, body: '{}' })
  })
  return user.key
}

async function checkNews(store: Store, pool: string, sub: string): Promise<void> {
  for (const kind of NEW_KINDS) assert.equal(await store.count(kind, { pool }), 1, kind)
  const found = await store.list('user', { pool, where: { [COLUMN]: 'hash of a zone' } as object, limit: 2 })
  assert.deepEqual(
    found.map(({ key }) => key),
    [sub],
  )
  if (store.engine.name === 'postgres') return
  const rows = await store.engine.query<{ detail: string }>(
    `explain query plan select key from ${tableOf('user')} where pool = ? and i_${COLUMN} = ? order by key limit ?`,
    [pool, 'value', 10],
  )
  assert.match(rows[0]?.detail ?? '', new RegExp(`USING (COVERING )?INDEX ${tableOf('user')}_${COLUMN} `))
}

describe('the table of kinds', () => {
  it('names an owner for every kind, whose removal removes the rows', () => {
    for (const kind of kindNames) {
      const { owner, scope } = kinds[kind] as { owner: string; scope: string }
      if (owner === 'region') assert.equal(scope, 'regional', kind)
      // Shared facts are merged and never removed one by one: they stay until their pool is removed.
      if (scope === 'shared') assert.equal(owner, 'pool', kind)
      if (owner === 'user') assert.equal(ownerColumnOf(kind), 'sub', kind)
    }
  })
})

describe('processes that open a store at once', {
  skip: !engines.includes('postgres') && 'no PostgreSQL is asked for',
}, () => {
  it('create the missing tables and indexes together, also if one of them dies while it creates an index', async () => {
    const opened = await openTestStore('postgres', { clock, region })
    after(() => opened.close())
    const { db } = opened.store
    for (const kind of NEW_KINDS) await sql`drop table ${sql.table(tableOf(kind))}`.execute(db)
    await sql`alter table row_user drop column i_zone`.execute(db)
    await sql`update pg_index set indisvalid = false where indexrelid = 'row_user_email'::regclass`.execute(db)
    await Promise.all(Array.from({ length: 4 }, () => opened.openAgain()))
    const { indexes, columns } = await opened.store.engine.describe()
    for (const index of ['row_user_email', 'row_user_zone', 'row_test_device_sub', 'row_test_device_key']) {
      assert.ok(indexes.has(index), index)
    }
    for (const kind of NEW_KINDS) assert.ok(columns.has(tableOf(kind)), kind)
  })
})
