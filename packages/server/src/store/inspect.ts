import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { findLockHolder, type LockHolder, refuseHardLinks } from './file-lock.ts'
import { type Kind, tableOf } from './kinds.ts'
import { steps } from './migrations.ts'
import { openPostgres } from './postgres.ts'
import type { StoreConfig } from './store.ts'

/** A store as it is found, without opening it for a region: nothing is created, migrated or locked. */
export interface FoundStore {
  /** Undefined: it is empty, or missing and can be created. */
  version: number | undefined
  /** The region that it belongs to, if recorded. */
  region: string | undefined
  /** The process that uses the file. */
  holder: LockHolder | 'unknown' | undefined
  /** The bodies of the rows of a kind that belong to no pool. */
  listBodies(kind: Kind): Promise<string[]>
  close(): Promise<void>
}

type Query = (text: string) => Promise<Record<string, unknown>[]>

/** Throws an error when a region could not use the store. */
export async function inspectStore(config: StoreConfig): Promise<FoundStore> {
  if (config.engine === 'postgres') {
    const engine = openPostgres(config.url, config)
    const query: Query = (text) => engine.query(text, [])
    return describeStore({ query, holder: undefined, close: () => engine.close() })
  }
  const { file } = config
  if (!existsSync(file)) {
    checkCreatable(dirname(file))
    return { ...EMPTY, holder: undefined, close: async () => {} }
  }
  accessSync(file, constants.R_OK | constants.W_OK)
  refuseHardLinks(realpathSync(file))
  const holder = findLockHolder(file)
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 })
  return describeStore({
    query: async (text) => database.prepare(text).all(),
    holder,
    close: async () => database.close(),
  })
}

const EMPTY = { version: undefined, region: undefined, listBodies: async () => [] as string[] }

/** The folder, or the nearest that exists: the missing ones are created. */
function checkCreatable(folder: string): void {
  const found = statSync(folder, { throwIfNoEntry: false })
  if (found && !found.isDirectory()) throw new Error(`${folder} is not a folder`)
  if (found) accessSync(folder, constants.W_OK)
  else if (dirname(folder) !== folder) checkCreatable(dirname(folder))
}

async function describeStore({
  query,
  holder,
  close,
}: { query: Query } & Pick<FoundStore, 'holder' | 'close'>): Promise<FoundStore> {
  try {
    const first = async (text: string) => (await query(text))[0]
    await first('select 1 as one')
    // The table is missing in an empty database.
    const versions = await first('select version from schema_version').catch(() => undefined)
    if (!versions) return { ...EMPTY, holder, close }
    const version = Number(versions.version)
    if (version > steps.length) {
      throw new Error(
        `the store has schema version ${version}, this Twinpool knows ${steps.length}: use a newer Twinpool`,
      )
    }
    const named = await first(`select value from facts where name = 'region'`)
    return {
      version,
      region: named?.value as string | undefined,
      holder,
      listBodies: async (kind) =>
        (await query(`select body from ${tableOf(kind)} where pool = ''`)).map(({ body }) => body as string),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
