import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const here = import.meta.dirname
const stampFile = join(here, 'node_modules', '.stamp')

/** Installs the peers in package-lock.json unless they are already installed. @throws Error if npm fails */
export function ensurePeers(say: (line: string) => void): void {
  const wanted = createHash('sha256')
    .update(readFileSync(join(here, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) return
  say('installing the peers')
  const args = ['ci', '--loglevel=error', '--no-audit', '--no-fund']
  if (spawnSync('npm', args, { cwd: here, stdio: ['ignore', 2, 2] }).status !== 0) {
    throw new Error('the peers could not be installed')
  }
  writeFileSync(stampFile, wanted)
}
