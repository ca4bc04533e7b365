import { fileURLToPath } from 'node:url'
import { leanFlags } from 'twinpool/internal/lean'

const main = fileURLToPath(new URL('../../cli/src/main.ts', import.meta.url))
const preload = (name: string) => ['--import', new URL(`preload-${name}.ts`, import.meta.url).href]

/**
 * What `process.execPath` takes to run the `twinpool` command from its sources; its arguments follow. Its pools get stored
 * key pairs unless `storedKeyPairs` is false.
 */
export function programArguments({ storedKeyPairs = true }: { storedKeyPairs?: boolean } = {}): string[] {
  const conditions = process.execArgv.filter((flag) => flag.startsWith('--conditions'))
  // With the lean flags given, the command does not begin anew to get them.
  return [...conditions, ...leanFlags, ...preload('resolution'), ...(storedKeyPairs ? preload('key-pairs') : []), main]
}
