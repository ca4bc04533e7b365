import type { Store } from '../../store/store.ts'
import type { KeyArns } from './arns.ts'
import { type Alias, KeyRefusedError } from './key-record.ts'
import type { KeyRecords } from './records.ts'
import { ALIAS_PREFIX, aliasesOf, findAlias, listAliases, lockAlias, type Page, saveAlias } from './rows.ts'

/** Names for the customers' keys. An alias is deleted with its key. */
export interface KeyAliases {
  /** Throws KeyRefusedError. */
  create(name: string, keyId: string): Promise<void>
  find(name: string): Promise<Alias | undefined>
  /** Lists aliases in the order of names. With `keyId`, only the aliases of that key; throws KeyRefusedError when there is no such key. */
  list(page: Page & { keyId?: string }): Promise<Alias[]>
}

/** https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html */
const MAXIMUM_ALIASES_PER_KEY = 50

export function createKeyAliases({
  store,
  arns: { keyArn, aliasArn },
  records,
}: {
  store: Store
  arns: KeyArns
  records: KeyRecords
}): KeyAliases {
  return {
    create: (name, keyId) =>
      store.write(async (tx) => {
        records.checkNotPending(await records.lock(tx, keyId))
        if (await lockAlias(tx, name)) throw new KeyRefusedError('alias-exists', aliasArn(name))
        if ((await aliasesOf(tx, keyId)).length >= MAXIMUM_ALIASES_PER_KEY) {
          throw new KeyRefusedError('alias-limit', keyArn(keyId))
        }
        await saveAlias(tx, { name, keyId, created: tx.now, updated: tx.now })
      }),
    find: async (name) => {
      if (!name.startsWith(ALIAS_PREFIX)) return undefined
      const alias = await findAlias(store, name)
      return alias && (await records.open(alias.keyId)) && alias
    },
    list: async ({ keyId, after, limit }) => {
      if (keyId !== undefined) {
        await records.get(keyId)
        const all = await aliasesOf(store, keyId)
        return all.filter(({ name }) => after === undefined || name > after).slice(0, limit)
      }
      const aliases = await listAliases(store, { after, limit })
      const keys = await Promise.all(aliases.map((alias) => records.open(alias.keyId)))
      // The deletion of some key was due: opening the key has removed it and its aliases.
      return keys.includes(undefined) ? listAliases(store, { after, limit }) : aliases
    },
  }
}
