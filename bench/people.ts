import { createRegion, parseConfig, type RegionConfigInput } from '@twinpool/server'
import { setPassword } from '../packages/server/src/identity/passwords.ts'
import { claimAlias, insertUser, type UserDocument, type UserPlace } from '../packages/server/src/identity/user.ts'
import type { Kind } from '../packages/server/src/store/kinds.ts'
import { replaceRows, type StampedRow, type Transaction } from '../packages/server/src/store/write.ts'

export const PASSWORD = 'Correct-Horse-7'
const ROWS_AT_ONCE = 1_000

export const nameOf = (at: number): string => `person-${String(at).padStart(7, '0')}`
export const emailOf = (at: number): string => `${nameOf(at)}@example.com`

/**
 * Fills a pool of a region that does not run: the rows are made by the rules of identity/ and written as a first copy writes
 * them, without the log. The first `passwords` of the users have PASSWORD.
 */
export async function fillPool(
  config: RegionConfigInput,
  { pool: id, users, passwords }: { pool: string; users: number; passwords: number },
): Promise<void> {
  const region = await createRegion(parseConfig(config))
  const { store, keys, pools, clock } = region.context
  const place: UserPlace = { pool: await pools.get(id), cipher: await keys.get(id) }
  // In the order of their keys, so that the largest index is written from one end to the other.
  const subs = Array.from({ length: users }, () => clock.uuid()).sort()
  let seq = 0
  for (let first = 0; first < users; first += ROWS_AT_ONCE) {
    const rows = new Map<Kind, StampedRow[]>()
    const collect = async (
      kind: Kind,
      { fields = {}, ...row }: Omit<StampedRow, 'stamp' | 'fields'> & { fields?: object },
    ) => {
      seq += 1
      // Before the first epoch: whatever is written by the region later is newer.
      const stamped = { ...row, fields: fields as StampedRow['fields'], stamp: { epoch: 0, seq } }
      rows.set(kind, [...(rows.get(kind) ?? []), stamped])
    }
    const nothing = async (): Promise<undefined> => undefined
    // Every row is new, so whatever is looked for is not there.
    const draft = { find: nothing, lock: nothing, insert: collect, put: collect } as unknown as Transaction
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
      await insertUser(draft, place, user)
      await claimAlias(draft, place, { type: 'email', value: emailOf(at), sub })
      if (at < passwords) await setPassword(draft, { clock }, place, user, PASSWORD)
    }
    await store.transaction(async (connection) => {
      for (const [kind, some] of rows) await replaceRows(connection, kind, some)
    })
  }
  await store.close()
}
