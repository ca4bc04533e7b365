/** Seeds in a file, for Node and its like. Apart from the main entry, which imports nothing of Node's. */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { readSeed, type Seed, type SeedSnapshot } from './keys.ts'

/** A seed that is read from a JSON file when it is needed: a JWKS as its issuer publishes it, or what `saveSeed` wrote. */
export const seedFile = (path: string | URL) => async (): Promise<Seed> => JSON.parse(await readFile(path, 'utf8'))

/** Saves a snapshot for the next start; whoever reads it meanwhile finds the old one whole. @throws JwksError */
export async function saveSeed(path: string, snapshot: SeedSnapshot): Promise<void> {
  readSeed(snapshot)
  const draft = `${path}.${crypto.randomUUID()}`
  await writeFile(draft, JSON.stringify(snapshot), { mode: 0o644 })
  await rename(draft, path)
}
