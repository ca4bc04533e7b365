import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { FileInUseError, findLockHolder, lockFile } from './file-lock.ts'
import { openSqlite } from './sqlite.ts'

const directory = mkdtempSync(join(tmpdir(), 'twinpool-lock-'))
after(() => rmSync(directory, { recursive: true, force: true }))

/** Another process that opens a store until it is killed. */
async function holdElsewhere(file: string, port: number): Promise<ChildProcess> {
  const source = join(directory, 'holder.mjs')
  writeFileSync(
    source,
    `import { openSqlite } from ${JSON.stringify(new URL('./sqlite.ts', import.meta.url).href)}
     const engine = openSqlite(process.argv[2], { port: Number(process.argv[3]) })
     process.send('open')
     process.on('message', () => engine.close())
     setInterval(() => {}, 1_000)`,
  )
  const child = fork(source, [file, String(port)])
  await once(child, 'message')
  return child
}

describe('a SQLite file that another process has open', () => {
  const file = join(directory, 'region.db')
  let holder: ChildProcess
  before(async () => {
    holder = await holdElsewhere(file, 9_401)
  })
  after(() => holder?.kill('SIGKILL'))
  const refused = (open: () => unknown): void => {
    assert.throws(open, (error) => {
      assert.ok(error instanceof FileInUseError, String(error))
      assert.match(error.message, new RegExp(`region\\.db is in use by process ${holder.pid}, port 9401:`))
      return true
    })
  }

  it('is refused, with the process id and port of the first', () => refused(() => openSqlite(file)))

  it('is refused through a symbolic link to the file or to its folder', () => {
    const link = join(directory, 'link.db')
    symlinkSync(file, link)
    refused(() => openSqlite(link))
    const folder = join(directory, 'folder')
    symlinkSync(directory, folder)
    refused(() => openSqlite(join(folder, 'region.db')))
  })

  it('is refused through a hard link, in another folder too', () => {
    const link = join(directory, 'hard.db')
    linkSync(file, link)
    refused(() => openSqlite(link))
    mkdirSync(join(directory, 'elsewhere'))
    const moved = join(directory, 'elsewhere', 'hard.db')
    renameSync(link, moved)
    assert.throws(() => openSqlite(moved), /has 2 hard links/)
    rmSync(moved)
  })

  it('can be read by other programs, for a backup', () => {
    const reader = new DatabaseSync(file, { readOnly: true })
    reader.prepare('select count(*) from sqlite_master').all()
    reader.exec(`vacuum into '${join(directory, 'backup.db')}'`)
    reader.close()
  })

  it('names its holder to a reader of the lock, which leaves the lock alone', () => {
    for (let time = 0; time < 2; time += 1) {
      assert.deepEqual(findLockHolder(file), { ...(findLockHolder(file) as object), pid: holder.pid, port: 9_401 })
    }
    refused(() => openSqlite(file))
  })

  it('can be opened once the other process has been killed, although its process id is still recorded', async () => {
    const ended = once(holder, 'exit')
    holder.kill('SIGKILL')
    await ended
    assert.equal(findLockHolder(file), undefined)
    await openSqlite(file).close()
  })
})

describe('a SQLite file', () => {
  it('is opened once in a process, and again after it was closed', async () => {
    const file = join(directory, 'own.db')
    const engine = openSqlite(file, { port: 1 })
    assert.throws(() => openSqlite(file), FileInUseError)
    await engine.close()
    await openSqlite(file).close()
  })

  it('is opened while others look whether it is in use', async () => {
    const file = join(directory, 'watched.db')
    lockFile(file).release()
    const source = join(directory, 'watcher.mjs')
    writeFileSync(
      source,
      `import { findLockHolder } from ${JSON.stringify(new URL('./file-lock.ts', import.meta.url).href)}
       process.send('looking')
       for (;;) findLockHolder(process.argv[2])`,
    )
    const watcher = fork(source, [file])
    try {
      await once(watcher, 'message')
      for (let time = 0; time < 50; time += 1) lockFile(file).release()
    } finally {
      watcher.kill('SIGKILL')
    }
  })

  it('whose lock is damaged is not taken for damaged itself', () => {
    const file = join(directory, 'sound.db')
    writeFileSync(`${file}-lock`, 'no database '.repeat(1_000))
    for (const use of [lockFile, findLockHolder])
      assert.throws(() => use(file), /sound\.db-lock: file is not a database/)
  })

  it('that cannot be opened is not locked', () => {
    const file = join(directory, 'text.db')
    writeFileSync(file, 'not a database, but some text that is longer than a header of a database would be '.repeat(2))
    assert.throws(() => openSqlite(file), /not a database/)
    lockFile(file).release()
  })
})
