/** The public surface of the package: types that reject mistakes, and a main entry for every runtime. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { after, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { accessClaims, CLIENT, makeKey, signToken } from '@twinpool/testing/issuer'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..', '..', '..')
const source = import.meta.dirname
const scratch = await mkdtemp(join(tmpdir(), 'twinpool-verifier-'))
after(() => rm(scratch, { recursive: true }))
await writeFile(join(scratch, 'package.json'), '{"type":"module"}')

/** The lines of compiler errors. */
async function errorLines(file: string): Promise<number[]> {
  const config = join(scratch, `${file}.json`)
  const extended = join(root, 'tsconfig.json')
  const typeRoots = [join(root, 'node_modules', '@types')]
  const options = {
    extends: extended,
    compilerOptions: { noUnusedLocals: false, rewriteRelativeImportExtensions: false, typeRoots },
    files: [file],
    include: [],
  }
  await writeFile(config, JSON.stringify(options))
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { stdout } = await run(process.execPath, [compiler, '-p', config, '--pretty', 'false'], { cwd: scratch }).catch(
    (error) => error as { stdout: string },
  )
  return [...stdout.matchAll(/^.*must-not-compile[^(]*\((\d+),\d+\): error TS/gm)].map(([, line]) => Number(line))
}

describe('types', () => {
  it('reject each marked line of must-not-compile.ts, and no other', async () => {
    const text = (await readFile(join(import.meta.dirname, 'must-not-compile.ts'), 'utf8')).replaceAll(
      /'\.\/([\w-]+\.ts)'/g,
      (_, name) => `'${join(source, name)}'`,
    )
    const expected = text.split('\n').flatMap((line, at) => (line.includes('// @ts-expect-error') ? [at + 2] : []))
    assert.ok(expected.length >= 16)
    await writeFile(join(scratch, 'must-not-compile.ts'), text)
    assert.deepEqual(await errorLines('must-not-compile.ts'), [])
    await writeFile(join(scratch, 'must-not-compile-bare.ts'), text.replaceAll('// @ts-expect-error', '// an error:'))
    assert.deepEqual([...new Set(await errorLines('must-not-compile-bare.ts'))], expected)
  })
})

/** All files that a file imports, directly or indirectly. */
function reach(file: string, seen = new Map<string, string>()): Map<string, string> {
  if (seen.has(file)) return seen
  const text = readFileSync(file, 'utf8')
  seen.set(file, text)
  for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)) {
    reach(resolve(dirname(file), specifier as string), seen)
  }
  return seen
}

/** `./internal/*` exists in the repository only. */
const entries = Object.keys(JSON.parse(readFileSync(join(source, '..', 'package.json'), 'utf8')).exports).filter(
  (name) => name !== './internal/*',
)

describe('every entry except the one for files', () => {
  it('is known to this test', () => {
    assert.deepEqual(entries, ['.', './express', './fastify', './hono', './fetch', './lambda', './file'])
  })

  for (const entry of entries.filter((name) => name !== './file')) {
    it(`${entry} imports only its own files`, () => {
      const files = reach(join(source, entry === '.' ? 'index.ts' : `${entry}.ts`))
      assert.ok(files.size > 3)
      for (const [file, text] of files) {
        const code = stripTypeScriptTypes(text)
        const imported = code.matchAll(/^\s*(?:import|export)\b[^']*?from '([^']+)'|^\s*import '([^']+)'/gm)
        for (const [, from, bare] of imported) assert.match(from ?? bare ?? '', /^\.\//, file)
        assert.doesNotMatch(code, /\brequire\(|\bimport\(/, file)
      }
    })
  }

  it('the package has no dependencies', () => {
    const manifest = JSON.parse(readFileSync(join(source, '..', 'package.json'), 'utf8'))
    for (const name of ['dependencies', 'peerDependencies', 'optionalDependencies'])
      assert.equal(manifest[name], undefined)
  })

  it('works in a runtime with WebCrypto and fetch but without Node modules', async () => {
    const key = makeKey('key=')
    const issuer = 'https://users.example/us-west-2_Ab1Cd2Ef3'
    const claims = accessClaims(issuer, Date.now(), { username: 'Zoë' })
    const program = `
      const jwks = ${JSON.stringify({ keys: [key.jwk] })}
      const { console } = globalThis
      // Keep Buffer: Node's own Response needs it. The entry would get its own Buffer from process.
      for (const name of ['process', 'global', 'setImmediate', 'clearImmediate']) delete globalThis[name]
      globalThis.fetch = async () => new Response(JSON.stringify(jwks))
      const { createVerifier } = await import('${pathToFileURL(join(source, 'index.ts'))}')
      const { withToken } = await import('${pathToFileURL(join(source, 'fetch.ts'))}')
      const verifier = createVerifier({ pools: [{ issuers: ['${issuer}'], tokenUse: 'access', clientIds: '${CLIENT}' }] })
      const handler = withToken(verifier, (request, { username }) => new Response(username))
      const ask = (token) => handler(new Request('https://api.example', { headers: { authorization: 'Bearer ' + token } }))
      const good = await ask('${signToken(key, claims)}')
      const bad = await ask('${signToken(key, { ...claims, exp: 1 })}')
      let sync
      try { verifier.verifySync('${signToken(key, claims)}') } catch (error) { sync = error.check }
      console.log(JSON.stringify([good.status, await good.text(), bad.status, sync]))
    `
    const file = join(scratch, 'edge.mjs')
    await writeFile(file, program)
    const { stdout } = await run(process.execPath, ['--disable-warning=ExperimentalWarning', file])
    assert.deepEqual(JSON.parse(stdout), [200, 'Zoë', 401, 'options'])
  })
})
