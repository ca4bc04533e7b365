/** Checks the repository against the rules of tidy-rules.ts, and shows that each rule can fail. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Finding, rules, type Source, withoutComments } from './tidy-rules.ts'

const root = join(import.meta.dirname, '..')
const binary = /\.(png|jpg|jpeg|gif|ico|woff2?|gz|tgz|zip)$/

/** The files that git tracks or would track. Without git (an unpacked archive), every file that is not a build product. */
function listPaths(): string[] {
  try {
    const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
    const output = execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return [...new Set(output.split('\0'))].filter((path) => path !== '' && existsSync(join(root, path)))
  } catch {
    const products = /(^|\/)(node_modules|dist|coverage|\.git|\.twinpool)(\/|$)/
    return globSync('**/*', { cwd: root, exclude: (name) => products.test(String(name)) })
  }
}

const sources: Source[] = listPaths()
  .filter((path) => !binary.test(path) && statSync(join(root, path)).isFile())
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

const render = ({ path, line, what }: Finding) => `  ${path}:${line} ${what}`

function assertNone(findings: Finding[], advice: string): void {
  assert.ok(findings.length === 0, `\n${findings.map(render).join('\n')}\n  What to do: ${advice}.`)
}

describe('the repository follows its style rules', () => {
  it('has files to look at', () => {
    const paths = sources.map(({ path }) => path)
    assert.ok(paths.includes('package.json') && paths.includes('packages/server/src/clock.ts'))
  })

  for (const { name, advice, find } of rules) {
    it(name, () => assertNone(sources.flatMap(find), advice))
  }

  it('packages declare what they import', () => {
    const findings = sources.flatMap(undeclaredImports)
    assertNone(findings, 'add it to the dependencies in the package.json of that package')
  })
})

describe('a rule can fail', () => {
  for (const { name, find, bad, good } of rules) {
    it(name, () => {
      for (const sample of bad) assert.notDeepEqual(find(sample), [], `${sample.path} passes:\n${sample.text}`)
      for (const sample of good) assert.deepEqual(find(sample), [], `${sample.path} fails:\n${sample.text}`)
    })
  }

  it('packages declare what they import', () => {
    const path = 'packages/verifier/src/index.ts'
    assert.equal(undeclaredImports({ path, text: `import { decode } from 'jose'` }).length, 1)
    assert.equal(undeclaredImports({ path, text: `export {}` }).length, 0)
  })

  it('reports the file and line of a violation, and advice', () => {
    const finding = { path: 'a.ts', line: 7, what: 'sleeps' }
    assert.throws(
      () => assertNone([finding], 'wait for the event'),
      /a\.ts:7 sleeps\n {2}What to do: wait for the event/,
    )
  })
})

interface Manifest {
  name: string
  dependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
}

/** Imports of packages that an installation of this package would lack. Imports of types are erased, so they are allowed. */
function undeclaredImports({ path, text }: Source): Finding[] {
  const folder = /^(packages\/[^/]+)\/src\/.*(?<!\.test)\.ts$/.exec(path)?.[1]
  if (folder === undefined) return []
  const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Manifest
  const declared = [...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }), manifest.name]
  const pattern = /(?:\bfrom|\bimport|\bimport\()\s*'((?:@[\w.-]+\/)?[\w.-]+)[^'\n]*'/g
  const findings: Finding[] = []
  const code = withoutComments(text).replace(/\b((import|export) type\b[^']*|typeof import\()'[^']*'/g, (erased) =>
    erased.replace(/[^\n]/g, ' '),
  )
  for (const match of code.matchAll(pattern)) {
    const name = match[1] as string
    if (/^\.|^node$/.test(name) || builtinModules.includes(name) || match[0].includes('node:')) continue
    if (declared.includes(name)) continue
    findings.push({ path, line: code.slice(0, match.index).split('\n').length, what: `imports ${name}, undeclared` })
  }
  return findings
}
