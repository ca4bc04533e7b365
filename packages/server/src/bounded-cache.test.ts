import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BoundedCache } from './bounded-cache.ts'

describe('a bounded cache', () => {
  it('keeps at least the latest half of its capacity, and recently used entries', () => {
    const memory = new BoundedCache<number>(8)
    const remembered = () => Array.from({ length: 20 }, (_, at) => at).filter((at) => memory.get(`${at}`) === at)
    for (let at = 0; at < 20; at += 1) {
      memory.set(`${at}`, at)
      assert.equal(memory.get('0'), 0)
    }
    const latest = remembered()
    for (const at of [0, 17, 18, 19]) assert.ok(latest.includes(at))
    assert.ok(latest.length <= 8)
  })

  it('keeps the latest value of a name', () => {
    const memory = new BoundedCache<string>(4)
    for (const value of ['a', 'b', 'c', 'd', 'e', 'f']) memory.set('name', value)
    memory.set('other', 'x')
    assert.equal(memory.get('name'), 'f')
    assert.equal(memory.get('other'), 'x')
    assert.equal(memory.get('none'), undefined)
  })
})
