import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encode } from './encode.ts'

describe('an output on the wire', () => {
  it('has times in seconds and bytes as base64, at any depth', () => {
    const output = { At: new Date(1_500), Bytes: Buffer.from('ab'), In: { At: [new Date(0), { At: new Date(2_000) }] } }
    assert.equal(encode(output), '{"At":1.5,"Bytes":"YWI=","In":{"At":[0,{"At":2}]}}')
  })

  it('leaves out undefined members, and keeps empty ones', () => {
    assert.equal(
      encode({ A: undefined, B: null, C: '', D: 0, E: false, F: [], G: {} }),
      '{"C":"","D":0,"E":false,"F":[],"G":{}}',
    )
  })

  it('is empty for an operation without an output', () => {
    assert.equal(encode(undefined), '')
  })

  it('keeps user-chosen names, even if they are special in JavaScript', () => {
    const chosen = JSON.parse('{"__proto__":"a","constructor":{"__proto__":null,"x":"y"}}')
    assert.equal(encode({ Map: chosen }), '{"Map":{"__proto__":"a","constructor":{"x":"y"}}}')
  })

  it('does not modify its input', () => {
    const output = { At: new Date(1_000), In: { At: new Date(2_000) } }
    encode(output)
    assert.deepEqual(output, { At: new Date(1_000), In: { At: new Date(2_000) } })
  })
})
