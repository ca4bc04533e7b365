/** Compiles every package to its dist folder (ESM and declarations), a package after those that it depends on. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

interface Package {
  name: string
  folder: string
  siblings: string[]
}

/** The packages of the workspace, each after its siblings. */
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
    if (next === undefined) throw new Error('The packages depend on each other in a circle.')
    ordered.push(next)
  }
  return ordered
}

function build({ name, folder }: Package): boolean {
  rmSync(join(folder, 'dist'), { recursive: true, force: true })
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const run = spawnSync(process.execPath, [compiler, '-p', join(folder, 'tsconfig.build.json')], { stdio: 'inherit' })
  process.stdout.write(`${run.status === 0 ? 'built' : 'FAILED'} ${name}\n`)
  return run.status === 0
}

if (import.meta.main) {
  process.exitCode = packagesInOrder().every(build) ? 0 : 1
}
