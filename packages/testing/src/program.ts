import { fileURLToPath } from 'node:url'
import { leanFlags } from 'twinpool/internal/lean'

const main = fileURLToPath(new URL('../../cli/src/main.ts', import.meta.url))
/** Short processes: helper threads of V8 cost them an eighth more CPU time than they save. */
const shortLived = ['--single-threaded-gc']
const preload = (name: string) => ['--import', new URL(`preload-${name}.ts`, import.meta.url).href]

/**
 * The arguments of `process.execPath` that run the `twinpool` command from its sources; the command's own arguments follow. Its
 * pools get stored key pairs unless `storedKeyPairs` is false.
 */
export function programArguments({
  storedKeyPairs = true,
  imports = [],
  entry = main,
}: {
  storedKeyPairs?: boolean
  /** Modules to load before the program. */
  imports?: readonly string[]
  /** The path of the program, if it is not the one in this repository. */
  entry?: string | undefined
} = {}): string[] {
  const conditions = process.execArgv.filter((flag) => flag.startsWith('--conditions'))
  // With the lean flags given, the command does not restart itself to set them.
  const own =
    entry === main ? [...shortLived, ...preload('resolution'), ...(storedKeyPairs ? preload('key-pairs') : [])] : []
  return [...conditions, ...leanFlags, ...own, ...imports.map((name) => `--import=${name}`), entry]
}
