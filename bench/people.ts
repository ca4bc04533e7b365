import { createRegion, parseConfig, type RegionConfigInput } from '@twinpool/server'
import { insertAlias } from '@twinpool/server/internal/directory/alias'
import { type PasswordDocument, putPassword } from '@twinpool/server/internal/directory/credential'
import { findDocument } from '@twinpool/server/internal/directory/document'
import { getOpenPool } from '@twinpool/server/internal/directory/pool'
import { insertUser, type UserDocument } from '@twinpool/server/internal/directory/user'
import { setPassword } from '@twinpool/server/internal/identity/credentials/passwords'
import { replaceRows } from '@twinpool/server/internal/store/apply'
import type { Kind } from '@twinpool/server/internal/store/kinds'
import type { StampedRow } from '@twinpool/server/internal/store/upsert'
import type { Transaction } from '@twinpool/server/internal/store/write'

export const PASSWORD = 'Correct-Horse-7'
const ROWS_AT_ONCE = 1_000

export const nameOf = (at: number): string => `person-${String(at).padStart(7, '0')}`
export const emailOf = (at: number): string => `${nameOf(at)}@example.com`

/**
 * Fills a pool of a stopped region. The rules of identity/ create the rows, which are written as by a first copy: without
 * the log, each kind in the order of its keys. The first `passwords` users have the password PASSWORD; with `oneVerifier`, all have
 * the verifier of the first, so that no other can sign in, but filling the pool takes a tenth of the time.
 */
export async function fillPool(
  config: RegionConfigInput,
  {
    pool: id,
    users,
    passwords,
    oneVerifier = false,
  }: { pool: string; users: number; passwords: number; oneVerifier?: boolean },
): Promise<void> {
  const region = await createRegion(parseConfig(config))
  const { store, keys, pools, clock } = region.context
  const openPool = await getOpenPool({ pools, keys }, id)
  const write = (kind: Kind, rows: readonly StampedRow[]): Promise<void> =>
    store.transaction((connection) => replaceRows(connection, kind, rows))
  let seq = 0
  const rows = new Map<Kind, StampedRow[]>()
  const collect = async (
    kind: Kind,
    { fields = {}, ...row }: Omit<StampedRow, 'stamp' | 'fields'> & { fields?: object },
  ) => {
    seq += 1
    // Before the first epoch: every later write of the region is newer.
    const stamped = { ...row, fields: fields as StampedRow['fields'], stamp: { epoch: 0, seq } }
    if (!rows.get(kind)?.push(stamped)) rows.set(kind, [stamped])
  }
  const nothing = async (): Promise<undefined> => undefined
  // Every row is new, so no lookup finds anything.
  const draft = { find: nothing, lock: nothing, insert: collect, put: collect } as unknown as Transaction
  let shared: PasswordDocument | undefined
  const put: Transaction['put'] = async (kind, row) => {
    if (oneVerifier) shared = findDocument(openPool, 'credential', row)
    await draft.put(kind, row)
  }
  const subs = Array.from({ length: users }, () => clock.uuid()).sort()
  for (let first = 0; first < users; first += ROWS_AT_ONCE) {
    for (let at = first; at < Math.min(users, first + ROWS_AT_ONCE); at += 1) {
      const sub = subs[at] as string
      const user: UserDocument = {
        sub,
        username: nameOf(at),
        attributes: { email: emailOf(at), email_verified: 'true', given_name: 'Person', family_name: `Number ${at}` },
        status: 'CONFIRMED',
        enabled: true,
        created: clock.now(),
        modified: clock.now(),
      }
      await insertUser(draft, openPool, user)
      await insertAlias(draft, openPool, { type: 'email', value: emailOf(at) }, sub)
      if (at >= passwords) continue
      if (shared) await putPassword(draft, openPool, sub, shared)
      else await setPassword({ ...draft, put }, { clock }, openPool, user, PASSWORD)
    }
    // Users are created in the order of their keys. The rows that belong to them are not, so they are sorted at the
    // end.
    await write('user', rows.get('user') ?? [])
    rows.delete('user')
  }
  for (const [kind, some] of rows) {
    some.sort((a, b) => (a.key < b.key ? -1 : 1))
    for (let at = 0; at < some.length; at += ROWS_AT_ONCE) await write(kind, some.slice(at, at + ROWS_AT_ONCE))
  }
  await store.close()
}
