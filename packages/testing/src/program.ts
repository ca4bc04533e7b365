import { fileURLToPath } from 'node:url'
import { leanFlags } from 'twinpool/internal/lean'

const main = fileURLToPath(new URL('../../cli/src/main.ts', import.meta.url))
/** Short processes: helper threads of V8 cost them an eighth more CPU time than they save. */
const shortLived = ['--single-threaded-gc']
const preload = (name: string) => ['--import', new URL(`preload-${name}.ts`, import.meta.url).href]

/**
 * What `process.execPath` takes to run the `twinpool` command from its sources; its arguments follow. Its pools get stored
 * key pairs unless `storedKeyPairs` is false.
 */
export function programArguments({
  storedKeyPairs = true,
  imports = [],
  entry = main,
}: {
  storedKeyPairs?: boolean
  /** Modules to load before the program. */
  imports?: readonly string[]
  /** The program itself, where it is not the one of this repository. */
  entry?: string | undefined
} = {}): string[] {
  const conditions = process.execArgv.filter((flag) => flag.startsWith('--conditions'))
  // With the lean flags given, the command does not begin anew to get them.
  const own =
    entry === main ? [...shortLived, ...preload('resolution'), ...(storedKeyPairs ? preload('key-pairs') : [])] : []
  return [...conditions, ...leanFlags, ...own, ...imports.map((name) => `--import=${name}`), entry]
}
