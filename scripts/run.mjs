#!/usr/bin/env node
// node scripts/run.mjs <command> [args…]: installs what is missing, then runs the command with the pinned Node.
// Plain JavaScript for Node 20: it must work on a fresh clone.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { handOver, sourceFlags } from './hand-over.mjs'
import { ensureInstalled } from './install.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const source = (path, ...args) => [...sourceFlags, join(root, path), ...args]
const tool = (path, ...args) => [join(root, 'node_modules', path), ...args]

/** The peers of the benchmarks are installed only when something is measured; without them their types cannot be checked. */
const benchTypes = () =>
  existsSync(join(root, 'bench/node_modules')) ? [tool('typescript/bin/tsc', '--noEmit', '--project', 'bench')] : []

/** Each command is one or more runs of the pinned Node, in order; the first that fails ends it. */
const commands = {
  twinpool: (args) => [source('packages/cli/src/main.ts', ...args)],
  dev: (args) => commands.twinpool(['dev', ...args]),
  drill: (args) => commands.twinpool(['drill', ...args]),
  doctor: (args) => commands.twinpool(['doctor', ...args]),
  example: (args) => [source('examples/first.ts', ...args)],
  new: (args) => [source('scripts/new.ts', ...args)],
  test: (args) => [source('scripts/test.ts', ...args)],
  packages: (args) => [source('scripts/build.ts'), source('scripts/test.ts', 'tests/packages.test.ts', ...args)],
  torture: (args) => [source('torture/main.ts', ...args)],
  bulk: (args) => [source('torture/bulk/main.ts', ...args)],
  attack: (args) => [source('torture/attacks/main.ts', ...args)],
  lint: (args) => [
    tool('@biomejs/biome/bin/biome', 'check', '--error-on-warnings', ...args),
    ...commands.generate(['--check']),
  ],
  types: (args) => [tool('typescript/bin/tsc', '--noEmit', ...args), ...benchTypes()],
  build: (args) => [source('scripts/build.ts', ...args)],
  bench: (args) => [source('bench/run.ts', ...args)],
  generate: (args) => [
    source('scripts/generate-shapes.ts', ...args),
    source('scripts/generate-operations-table.ts', ...args),
    source('scripts/generate-configuration.ts', ...args),
    source('scripts/generate-events-table.ts', ...args),
  ],
  check: (args) => [...commands.lint([]), ...commands.types([]), ...commands.test(args)],
}

const [name, ...args] = process.argv.slice(2)
if (!Object.hasOwn(commands, name ?? '')) {
  process.stderr.write(`usage: node scripts/run.mjs <${Object.keys(commands).join('|')}> [args…]\n`)
  process.exit(2)
}

try {
  const node = await ensureInstalled({ root })
  for (const run of commands[name](args)) {
    process.exitCode = await handOver(node, run, { cwd: root })
    if (process.exitCode !== 0) break
  }
} catch (error) {
  process.stderr.write(`twinpool: ${error.message}\n`)
  process.exitCode = 2
}
