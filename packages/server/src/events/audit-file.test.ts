/** The audit file on a disk that is full, slow, or rotated. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { until } from '@twinpool/testing/regions'
import { systemClock } from '../clock.ts'
import { type AuditFile, openAuditFile } from './audit-file.ts'

/** Linux has a device that is always full. */
const FULL = '/dev/full'

describe('the audit file', () => {
  let directory: string
  let path: string
  let file: AuditFile | undefined
  let seen: { dropped: number; lost: string[]; back: number[] }

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'twinpool-audit-'))
    path = join(directory, 'audit.jsonl')
    seen = { dropped: 0, lost: [], back: [] }
  })
  afterEach(async () => {
    await file?.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const open = ({ queueBytes }: { queueBytes?: number } = {}): AuditFile => {
    file = openAuditFile(path, {
      clock: systemClock,
      queueBytes,
      gapLine: (count) => `gap ${count}`,
      dropped: () => {
        seen.dropped += 1
      },
      lost: (why) => void seen.lost.push(why),
      back: (count) => void seen.back.push(count),
    })
    return file
  }
  const linesOf = (name = path): string[] =>
    existsSync(name) ? readFileSync(name, 'utf8').split('\n').slice(0, -1) : []
  const written = (count: number, name = path) =>
    until(() => linesOf(name).length >= count, { what: `${count} lines in ${name}` })

  it('has all lines in order, is for its owner alone, and keeps what was there', async () => {
    const numbers = Array.from({ length: 2_000 }, (_, at) => `line ${at}`)
    const first = open()
    for (const line of numbers.slice(0, 1_000)) first.append(line)
    await first.close()
    const second = open()
    for (const line of numbers.slice(1_000)) second.append(line)
    await written(2_000)
    assert.deepEqual(linesOf(), numbers)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    await until(() => second.queue().used === 0, { what: 'an empty queue' })
  })

  it('is opened again after it was renamed: no line is lost, and the new name has the next lines', async () => {
    const audit = open()
    audit.append('before')
    await written(1)
    renameSync(path, `${path}.1`)
    audit.append('during')
    await written(2, `${path}.1`)
    await audit.reopen()
    audit.append('after')
    await written(1)
    assert.deepEqual([linesOf(`${path}.1`), linesOf()], [['before', 'during'], ['after']])
  })

  it('that cannot be opened again is reported, and lines still go to the old file', async () => {
    const audit = open()
    renameSync(directory, `${directory}-moved`)
    await audit.reopen()
    assert.match(audit.problem() ?? '', /cannot be opened again: ENOENT/)
    assert.equal(seen.lost.length, 1)
    audit.append('line')
    await written(1, join(`${directory}-moved`, 'audit.jsonl'))
    renameSync(`${directory}-moved`, directory)
    await audit.reopen()
    assert.equal(audit.problem(), undefined)
  })

  it('on a full disk: says so once, keeps lines up to its bound, counts the others, and marks the gap', {
    skip: !existsSync(FULL) && 'this system has no /dev/full',
  }, async () => {
    symlinkSync(FULL, path)
    const audit = open({ queueBytes: 100 })
    audit.append('0123456789')
    await until(() => audit.problem() !== undefined, { what: 'the problem' })
    assert.match(audit.problem() ?? '', /ENOSPC/)
    const kept = Array.from({ length: 20 }, (_, at) => `line ${at}`)
    for (const line of kept) audit.append(line)
    const { used, limit } = audit.queue()
    assert.ok(used <= limit, `${used} of ${limit}`)
    assert.equal(seen.lost.length, 1)
    const missing = seen.dropped
    assert.ok(missing > 5 && missing < 20, `${missing} dropped`)

    unlinkSync(path)
    await audit.reopen()
    await until(() => seen.back.length > 0, { what: 'the file to be written again' })
    assert.deepEqual(seen.back, [missing])
    audit.append('next')
    await written(20 - missing + 3)
    assert.deepEqual(linesOf(), ['0123456789', ...kept.slice(0, 20 - missing), `gap ${missing}`, 'next'])
    assert.equal(audit.problem(), undefined)
  })

  it('that does not exist and cannot be created is an error at once', () => {
    path = join(directory, 'no', 'such', 'folder')
    assert.throws(() => open(), { code: 'ENOENT' })
    file = undefined
  })
})
