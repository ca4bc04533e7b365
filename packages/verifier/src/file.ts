/** Seeds in a file, for Node and compatible runtimes. Separate from the main entry, which imports no Node modules. */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { readSeed, type Seed, type SeedSnapshot } from './keys.ts'

/**
 * A seed that is read on demand from a JSON file: a JWKS as published by its issuer, or a file written by `saveSeed`.
 */
export const seedFile = (path: string | URL) => async (): Promise<Seed> => JSON.parse(await readFile(path, 'utf8'))

/**
 * Saves a snapshot for the next start. Writes atomically: a concurrent reader sees the old or the new file. @throws
 * JwksError
 */
export async function saveSeed(path: string, snapshot: SeedSnapshot): Promise<void> {
  readSeed(snapshot)
  const draft = `${path}.${crypto.randomUUID()}`
  await writeFile(draft, JSON.stringify(snapshot), { mode: 0o644 })
  await rename(draft, path)
}
