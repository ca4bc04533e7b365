import { systemClock } from '../clock.ts'
import type { RegionConfig } from '../config/schema.ts'
import { createLocalKeyRing, masterKeyIdOf, type RekeyReport } from '../keys/local/ring.ts'
import { readMasterKeys } from '../keys/open.ts'
import { inspectStore } from '../store/inspect.ts'
import { checkRegionName } from '../store/region-name.ts'
import { openStore } from '../store/store.ts'

/** The id of the newest master key of a configuration. Throws an error for keys in AWS KMS, and for a missing file. */
export function newestMasterKeyId({ keys }: RegionConfig): string {
  if (keys.provider !== 'local')
    throw new Error('keys: the keys of this region are in AWS KMS, which has no master key')
  return masterKeyIdOf(readMasterKeys(keys)[0] as Buffer)
}

/**
 * Seals the keys in the store of a region under the newest master key. Throws FileInUseError while a process uses a SQLite file, and an
 * error if there is no store: a wrong name would otherwise create one, and the report would be that every key is under the new one.
 */
export async function rekeyStore({ region, accountId, keys, store: config }: RegionConfig): Promise<RekeyReport> {
  if (keys.provider !== 'local')
    throw new Error('keys: the keys of this region are in AWS KMS, which has no master key')
  const secrets = { masterKeys: readMasterKeys(keys), clusterSecrets: [] }
  const found = await inspectStore(config)
  await found.close()
  if (found.version === undefined) {
    throw new Error(
      `${config.engine === 'sqlite' ? `store.file: ${config.file}` : 'store.url'}: there is no store of a region`,
    )
  }
  const store = await openStore(config, { clock: systemClock, region })
  try {
    await checkRegionName(store)
    return await createLocalKeyRing({ store, clock: systemClock, region, accountId, secrets }).rekey()
  } finally {
    await store.close()
  }
}
