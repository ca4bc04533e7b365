import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { leanFlags } from 'twinpool/internal/lean'

const main = fileURLToPath(new URL('../../cli/src/main.ts', import.meta.url))
/** Short processes: helper threads of V8 cost them an eighth more CPU time than they save. */
const shortLived = ['--single-threaded-gc']

/**
 * The arguments of `process.execPath` that run the `twinpool` command; the command's own arguments follow. Under `npm test` they
 * run the bundle of bundle.ts in place of the sources, unless `fromSource` is true or the process differs in another way. Its pools
 * get stored key pairs unless `storedKeyPairs` is false.
 */
export function programArguments({
  storedKeyPairs = true,
  imports = [],
  entry = main,
  fromSource = !storedKeyPairs || imports.length > 0,
}: {
  storedKeyPairs?: boolean
  /** Modules to load before the program. They may import its modules, so it runs from its sources. */
  imports?: readonly string[]
  /** The path of the program, if it is not the one in this repository. */
  entry?: string | undefined
  fromSource?: boolean
} = {}): string[] {
  const conditions = process.execArgv.filter((flag) => flag.startsWith('--conditions'))
  const bundle = fromSource ? undefined : process.env.TWINPOOL_TEST_PROGRAM
  const preload = (name: string) => [
    '--import',
    bundle
      ? pathToFileURL(join(bundle, `preload-${name}.mjs`)).href
      : new URL(`preload-${name}.ts`, import.meta.url).href,
  ]
  const preloads = [preload(bundle ? 'program' : 'resolution'), storedKeyPairs ? preload('key-pairs') : []].flat()
  // With the lean flags given, the command does not restart itself to set them.
  const own = entry === main ? [...shortLived, ...preloads] : []
  return [...conditions, ...leanFlags, ...own, ...imports.map((name) => `--import=${name}`), entry]
}
