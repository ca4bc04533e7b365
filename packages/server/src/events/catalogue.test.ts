/** The catalogue of events, against the code that reports them and the page that explains them. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { catalogue, eventIds } from './catalogue.ts'
import { createEvents } from './events.ts'

const server = join(import.meta.dirname, '..')
const sources = globSync('**/*.ts', { cwd: server })
  .filter((path) => !path.endsWith('.test.ts') && !path.endsWith('catalogue.ts'))
  .map((path) => readFileSync(join(server, path), 'utf8'))
  .join('\n')
const page = readFileSync(join(server, '../../../docs/troubleshooting.md'), 'utf8')

describe('the catalogue of events', () => {
  it('has a row in docs/troubleshooting.md for each event: level, meaning, what to do', () => {
    const rows = [...page.matchAll(/^\| `([a-z-]+)` \| (\w+) \| (.+?) \| (.+) \|$/gm)].map(([, ...cells]) => cells)
    const expected = eventIds.map((id) => [id, catalogue[id].level, catalogue[id].meaning, catalogue[id].action])
    assert.deepEqual(rows, expected)
  })

  it('has no event that the code does not report', () => {
    assert.deepEqual(
      eventIds.filter((id) => !sources.includes(`'${id}'`)),
      [],
    )
  })

  it('decides the level of a line, and the lines have the id of their event', () => {
    const lines: Record<string, unknown>[] = []
    const destination = { write: (line: string) => void lines.push(JSON.parse(line)) }
    const events = createEvents({ region: 'us-west-2', level: 'debug', destination })
    for (const id of eventIds) events.noted(id, { detail: 1 })
    assert.deepEqual(
      lines.map(({ event, level }) => [event, level]),
      eventIds.map((id) => [id, catalogue[id].level]),
    )
    events.failed({ operation: 'trim', error: new Error('x'), requestId: '' })
    events.failed({ operation: 'GetUser', error: new Error('x'), requestId: 'id' })
    assert.deepEqual(
      lines.slice(-2).map(({ event, requestId }) => [event, requestId]),
      [
        ['task-failed', undefined],
        ['request-failed', 'id'],
      ],
    )
  })

  it('warns of a lost peer and of refused replication', () => {
    assert.deepEqual([catalogue['peer-lost'].level, catalogue['replication-refused'].level], ['warn', 'warn'])
  })
})
