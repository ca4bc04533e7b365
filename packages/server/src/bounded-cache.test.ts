import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BoundedCache } from './bounded-cache.ts'

describe('a bounded cache', () => {
  it('keeps at least the latest half of its memory, and recently used entries', () => {
    const cache = new BoundedCache<number>({ bytes: 8 * 1_000, bytesOf: () => 898 })
    const kept = () => Array.from({ length: 20 }, (_, at) => at).filter((at) => cache.get(`${at}`) === at)
    for (let at = 0; at < 20; at += 1) {
      cache.set(`${at}`, at)
      assert.equal(cache.get('0'), 0)
    }
    const latest = kept()
    for (const at of [0, 17, 18, 19]) assert.ok(latest.includes(at))
    assert.ok(latest.length <= 8)
  })

  it('keeps the latest value of a name', () => {
    const cache = new BoundedCache<string>({ bytes: 4 * 110 })
    for (const value of ['a', 'b', 'c', 'd', 'e', 'f']) cache.set('name', value)
    cache.set('other', 'x')
    assert.equal(cache.get('name'), 'f')
    assert.equal(cache.get('other'), 'x')
    assert.equal(cache.get('none'), undefined)
  })

  it('counts the bytes of values and names, and keeps no value that is larger than half of it', () => {
    const cache = new BoundedCache<string>({ bytes: 10_000, bytesOf: (value) => value.length })
    for (let at = 0; at < 100; at += 1) cache.set(`${at}`, 'x'.repeat(1_000))
    const kept = Array.from({ length: 100 }, (_, at) => cache.get(`${at}`) ?? '').join('')
    assert.ok(kept.length > 0 && kept.length <= 10_000, `${kept.length} bytes`)
    cache.set('99', 'y'.repeat(6_000))
    assert.equal(cache.get('99'), undefined)
    cache.set('z'.repeat(6_000), 'y')
    assert.equal(cache.get('z'.repeat(6_000)), undefined)
  })
})
