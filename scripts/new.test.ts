import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { addOperation } from './new.ts'

const rowsFile = join(import.meta.dirname, '../packages/server/src/cognito/rows.ts')

/** One table of all operations, and one per group: both forms are supported. */
const oneTable = `import { CreateGroup } from './operations/groups/CreateGroup.ts'
import { GetGroup } from './operations/groups/GetGroup.ts'
import { pool } from './rows.ts'

export const operations = {
  // Pools
  GetSigningCertificate:  pool('I', 'none'),

  // Groups
  CreateGroup:            pool('P', 'config', CreateGroup),
  GetGroup:               pool('I', 'none', GetGroup),
  ListGroups:             pool('I', 'none'),
}
`
const groupTable = `import { pool } from '../../rows.ts'
import { CreateGroup } from './CreateGroup.ts'
import { UpdateGroup } from './UpdateGroup.ts'

export const groups = {
  CreateGroup:  pool('P', CreateGroup),
  ListGroups:   pool('I'),
  UpdateGroup:  pool('P', UpdateGroup),
}
`

describe('npm run new operation', () => {
  let face: string
  beforeEach(() => {
    face = mkdtempSync(join(tmpdir(), 'twinpool-new-'))
    mkdirSync(join(face, 'operations/groups'), { recursive: true })
    cpSync(rowsFile, join(face, 'rows.ts'))
    writeFileSync(join(face, 'operations.ts'), oneTable)
  })
  afterEach(() => rmSync(face, { recursive: true, force: true }))
  const read = (path: string): string => readFileSync(join(face, path), 'utf8')

  it('adds to the one table, in the folder of its neighbours', () => {
    const written = addOperation(face, 'ListGroups')
    assert.deepEqual(written, [
      'operations/groups/ListGroups.ts',
      'operations/groups/ListGroups.test.ts',
      'operations.ts',
    ])
    assert.match(
      read('operations.ts'),
      /GetGroup\.ts'\nimport \{ ListGroups \} from '\.\/operations\/groups\/ListGroups\.ts'\nimport \{ pool/,
    )
    assert.match(read('operations.ts'), /ListGroups: {13}pool\('I', 'none', ListGroups\),/)
    assert.match(read('operations/groups/ListGroups.ts'), /Input: UserPoolId, Limit\?, NextToken\?/)
    assert.match(read('operations/groups/ListGroups.ts'), /ListGroups: Handler<'ListGroups', PoolCall>/)
    assert.match(read('operations/groups/ListGroups.test.ts'), /new ListGroupsCommand\(\{ UserPoolId \}\)/)
  })

  it('adds to the table of a group', () => {
    writeFileSync(join(face, 'operations/groups/table.ts'), groupTable)
    addOperation(face, 'ListGroups')
    const table = read('operations/groups/table.ts')
    assert.match(table, /CreateGroup\.ts'\nimport \{ ListGroups \} from '\.\/ListGroups\.ts'\nimport \{ UpdateGroup/)
    assert.match(table, /ListGroups: {3}pool\('I', ListGroups\),/)
    assert.equal(read('operations.ts'), oneTable)
  })

  it('writes files that compile', () => {
    const root = join(import.meta.dirname, '..')
    const server = dirname(dirname(rowsFile))
    const below = join(face, 'cognito')
    mkdirSync(join(below, 'operations'), { recursive: true })
    cpSync(join(face, 'operations.ts'), join(below, 'operations.ts'))
    const files = addOperation(below, 'ListGroups').filter((path) => path !== 'operations.ts')
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

  it('makes a folder from the heading of a group that has none', () => {
    assert.equal(addOperation(face, 'GetSigningCertificate')[0], 'operations/pools/GetSigningCertificate.ts')
  })

  it('refuses names that the model does not know, and says which are near', () => {
    assert.throws(() => addOperation(face, 'MakeGroup'), /no operation MakeGroup/)
    assert.throws(() => addOperation(face, 'listgroup'), /Did you mean .*ListGroups/)
    assert.throws(() => addOperation(face, '../../etc'), /no operation/)
  })

  it('refuses an operation that exists, and writes nothing', () => {
    assert.throws(() => addOperation(face, 'GetGroup'), /already exists/)
    writeFileSync(join(face, 'operations/groups/ListGroups.test.ts'), 'mine')
    assert.throws(() => addOperation(face, 'ListGroups'), /ListGroups\.test\.ts already exists/)
    assert.equal(read('operations/groups/ListGroups.test.ts'), 'mine')
    assert.equal(read('operations.ts'), oneTable)
  })
})
