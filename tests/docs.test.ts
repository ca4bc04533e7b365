/** Checks that the paths and names in the Markdown files exist. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { describe, it } from 'node:test'

const root = join(import.meta.dirname, '..')
const products = /(^|\/)(node_modules|dist|coverage|\.git|\.twinpool)(\/|$)/
const paths = globSync('**/*', { cwd: root, exclude: (name) => products.test(String(name).replaceAll('\\', '/')) })
  .map((path) => path.replaceAll('\\', '/'))
  .concat(globSync('.*', { cwd: root }))
const pages = paths.filter((path) => path.endsWith('.md')).map((path) => ({ path, text: read(path) }))

/** Places that a page announces for a later change, and `/`, which is an address. */
const announced = [
  'triggers/',
  'packages/server/src/triggers/',
  'invoke.ts',
  'pages/',
  'packages/server/src/pages/',
  '/',
]

/** Names of other libraries. */
const foreign = ['useSyncExternalStore']

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** What stands in backticks, code blocks left out. */
const codeIn = (text: string): string[] =>
  [...text.replace(/```.*?```/gs, '').matchAll(/`([^`\n]+)`/g)].map(([, code]) => code as string)

/** A path may be given from the root, from the page's folder, from the server's sources, or by its last parts alone. */
const exists = (page: string, path: string): boolean => {
  const name = path.replace(/\/$/, '')
  const places = [posix.join(dirname(page), name), name]
  return paths.some((known) => places.includes(known) || (!name.startsWith('.') && known.endsWith(`/${name}`)))
}

describe('the pages', () => {
  it('name files and folders that exist', () => {
    const missing = pages.flatMap(({ path, text }) =>
      codeIn(text)
        .filter((code) => /^[\w@./-]+(\.(ts|mts|mjs|md|json|sql|svg)|\/)$/.test(code))
        .filter((code) => !announced.includes(code) && !exists(path, code))
        .map((code) => `${path}: ${code}`),
    )
    assert.deepEqual(missing, [])
  })

  it('link to files and folders that exist', () => {
    const missing = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map(([, target]) => target as string)
        .filter((target) => !target.includes('://'))
        .filter((target) => !paths.includes(posix.join(dirname(path), target).replace(/\/$/, '')))
        .map((target) => `${path}: ${target}`),
    )
    assert.deepEqual(missing, [])
  })

  it('name functions and members that exist', () => {
    const sources = paths
      .filter((path) => /\.(ts|mts|mjs|json)$/.test(path) && !path.endsWith('package-lock.json'))
      .map(read)
      .join('\n')
    const words = new Set(sources.match(/\w+/g))
    const missing = pages
      .filter(({ path }) => path !== 'CHANGELOG.md')
      .flatMap(({ path, text }) =>
        codeIn(text)
          .filter((code) => /^[a-z]+(?:[A-Z][a-z0-9]*)+(\(\))?$/.test(code))
          .filter((code) => !foreign.includes(code) && !words.has(code.replace('()', '')))
          .map((code) => `${path}: ${code}`),
      )
    assert.deepEqual(missing, [])
  })
})
