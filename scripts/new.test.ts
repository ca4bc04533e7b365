import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { addOperation } from './new.ts'

const rowsFile = join(import.meta.dirname, '../packages/server/src/cognito/rows.ts')

const groupsTable = `import { pool, user } from '../../rows.ts'
import { CreateGroup } from './CreateGroup.ts'
import { UpdateGroup } from './UpdateGroup.ts'

export const groupsOperations = {
  CreateGroup:           pool('P', CreateGroup),
  ListGroups:            pool('I'),
  UpdateGroup:           pool('P', UpdateGroup),
  AdminListGroupsForUser: user('I'),
}
`

describe('npm run new operation', () => {
  let face: string
  beforeEach(() => {
    face = mkdtempSync(join(tmpdir(), 'twinpool-new-'))
    mkdirSync(join(face, 'operations/groups'), { recursive: true })
    writeFileSync(join(face, 'operations/groups/table.ts'), groupsTable)
  })
  afterEach(() => rmSync(face, { recursive: true, force: true }))
  const read = (path: string): string => readFileSync(join(face, path), 'utf8')

  it('writes the handler and its test, and adds the handler to the row', () => {
    const written = addOperation(face, 'ListGroups')
    assert.deepEqual(
      written,
      ['ListGroups.ts', 'ListGroups.test.ts', 'table.ts'].map((file) => join('operations/groups', file)),
    )
    const table = read('operations/groups/table.ts')
    assert.match(table, /CreateGroup\.ts'\nimport \{ ListGroups \} from '\.\/ListGroups\.ts'\nimport \{ UpdateGroup/)
    assert.match(table, /ListGroups: +pool\('I', ListGroups\),/)
    assert.match(read('operations/groups/ListGroups.ts'), /Input: UserPoolId, Limit\?, NextToken\?/)
    assert.match(read('operations/groups/ListGroups.ts'), /ListGroups: Handler<'ListGroups', PoolCall>/)
    assert.match(read('operations/groups/ListGroups.test.ts'), /new ListGroupsCommand\(\{ UserPoolId \}\)/)
  })

  it('gives the handler the call of its row', () => {
    addOperation(face, 'AdminListGroupsForUser')
    const handler = read('operations/groups/AdminListGroupsForUser.ts')
    assert.match(handler, /Handler<'AdminListGroupsForUser', UserCall>/)
  })

  it('knows the call of every kind of row', () => {
    for (const [caller] of readFileSync(rowsFile, 'utf8').matchAll(/(?<=export const )\w+(?= = rowsOf<)/g)) {
      writeFileSync(join(face, 'operations/groups/table.ts'), `export const rows = {\n  GetGroup: ${caller}('I'),\n}\n`)
      addOperation(face, 'GetGroup')
      for (const file of ['GetGroup.ts', 'GetGroup.test.ts']) rmSync(join(face, 'operations/groups', file))
    }
  })

  it('writes files that compile', () => {
    const root = join(import.meta.dirname, '..')
    const server = dirname(dirname(rowsFile))
    const below = join(face, 'cognito')
    cpSync(join(face, 'operations'), join(below, 'operations'), { recursive: true })
    const files = addOperation(below, 'ListGroups').filter((path) => !path.endsWith('table.ts'))
    writeFileSync(join(face, 'package.json'), '{"type":"module"}')
    symlinkSync(join(root, 'node_modules'), join(face, 'node_modules'))
    // Both folders count as one, so that the imports of the files are found.
    const compilerOptions = { rootDirs: [face, server], typeRoots: [join(root, 'node_modules/@types')] }
    const project = { compilerOptions, include: [], files: files.map((path) => `cognito/${path}`) }
    writeFileSync(join(face, 'tsconfig.json'), JSON.stringify({ extends: join(root, 'tsconfig.json'), ...project }))
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    const { stdout, status } = spawnSync(process.execPath, [compiler, '-p', face], { encoding: 'utf8' })
    assert.equal(stdout, '')
    assert.equal(status, 0)
  })

  it('refuses names that the model does not know, and says which are near', () => {
    assert.throws(() => addOperation(face, 'MakeGroup'), /no operation MakeGroup/)
    assert.throws(() => addOperation(face, 'listgroup'), /Did you mean .*ListGroups/)
    assert.throws(() => addOperation(face, '../../etc'), /no operation/)
  })

  it('refuses an operation that exists, and writes nothing', () => {
    assert.throws(() => addOperation(face, 'CreateGroup'), /already exists/)
    writeFileSync(join(face, 'operations/groups/ListGroups.test.ts'), 'mine')
    assert.throws(() => addOperation(face, 'ListGroups'), /ListGroups\.test\.ts already exists/)
    assert.equal(read('operations/groups/ListGroups.test.ts'), 'mine')
    assert.equal(read('operations/groups/table.ts'), groupsTable)
  })
})
