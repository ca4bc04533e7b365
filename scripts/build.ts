/**
 * Compiles packages to their dist folders (ESM and declarations) in the order of their dependencies, and copies the license there.
 *
 *     npm run build                       all packages
 *     npm run build -- @twinpool/client   one package with the siblings that it depends on; `npm pack` does this (prepack)
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
/** A package takes seconds; a compiler that takes longer than this has hung. */
const COMPILE_MILLISECONDS = 120_000

interface Package {
  name: string
  folder: string
  siblings: string[]
}

/** The packages of the workspace, each after the packages that it depends on. */
export function packagesInOrder(): Package[] {
  const folders = readdirSync(join(root, 'packages'))
    .map((name) => join(root, 'packages', name))
    .filter((folder) => existsSync(join(folder, 'package.json')))
  const manifests = folders
    .map((folder) => ({
      folder,
      ...(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        name: string
        private?: boolean
        dependencies?: Record<string, string>
      }),
    }))
    .filter((manifest) => !manifest.private)
  const names = manifests.map(({ name }) => name)
  const waiting = manifests.map(({ name, folder, dependencies = {} }) => ({
    name,
    folder,
    siblings: Object.keys(dependencies).filter((dependency) => names.includes(dependency)),
  }))
  const ordered: Package[] = []
  const isOrdered = (name: string) => ordered.some((earlier) => earlier.name === name)
  while (ordered.length < waiting.length) {
    const next = waiting.find(({ name, siblings }) => !isOrdered(name) && siblings.every(isOrdered))
    if (next === undefined) throw new Error('The packages have a circular dependency.')
    ordered.push(next)
  }
  return ordered
}

/** The named packages and all that they depend on, in order; without names all packages. */
function withSiblings(packages: Package[], names: string[]): Package[] {
  if (names.length === 0) return packages
  const needed = new Set(names)
  // In reverse order every package comes before its siblings.
  for (const { name, siblings } of packages.toReversed()) {
    if (needed.has(name)) for (const sibling of siblings) needed.add(sibling)
  }
  return packages.filter(({ name }) => needed.has(name))
}

function build({ name, folder }: Package): boolean {
  rmSync(join(folder, 'dist'), { recursive: true, force: true })
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const run = spawnSync(process.execPath, [compiler, '-p', join(folder, 'tsconfig.build.json')], {
    stdio: ['ignore', 2, 2],
    timeout: COMPILE_MILLISECONDS,
    killSignal: 'SIGKILL',
  })
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  // On stderr: the stdout of `npm pack --json` is a document.
  process.stderr.write(`${run.status === 0 ? 'built' : 'FAILED'} ${name}${run.error ? `: ${run.error.message}` : ''}\n`)
  return run.status === 0
}

if (import.meta.main) {
  const wanted = process.argv.slice(2)
  const packages = packagesInOrder()
  const unknown = wanted.filter((name) => !packages.some((known) => known.name === name))
  if (unknown.length > 0) {
    process.stderr.write(
      `no such package: ${unknown.join(', ')}; there are ${packages.map(({ name }) => name).join(', ')}\n`,
    )
    process.exitCode = 2
  } else {
    process.exitCode = withSiblings(packages, wanted).every(build) ? 0 : 1
  }
}
