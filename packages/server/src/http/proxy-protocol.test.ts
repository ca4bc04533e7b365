import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readHeader } from './proxy-protocol.ts'

const v1 = (text: string) => readHeader(Buffer.from(text, 'latin1'))

const START = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
function v2(command: number, family: number, addresses: Buffer): Buffer {
  const fixed = Buffer.of(command, family, addresses.length >> 8, addresses.length & 0xff)
  return Buffer.concat([START, fixed, addresses])
}
const IPV4 = Buffer.of(192, 0, 2, 1, 192, 0, 2, 2, 1, 2, 3, 4)
const IPV6 = Buffer.concat([Buffer.from('20010db8000000000000000000000001', 'hex'), Buffer.alloc(20)])

describe('the header of the PROXY protocol', () => {
  it('names an address in version 1', () => {
    const text = 'PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\n'
    assert.deepEqual(v1(`${text}POST`), { address: '192.0.2.1', size: text.length })
    assert.deepEqual(v1('PROXY TCP6 2001:db8::1 ::1 1000 443\r\n'), { address: '2001:db8::1', size: 37 })
    assert.deepEqual(v1('PROXY UNKNOWN\r\n'), { address: undefined, size: 15 })
  })

  it('names an address in version 2, with or without extensions', () => {
    assert.deepEqual(readHeader(v2(0x21, 0x11, IPV4)), { address: '192.0.2.1', size: 28 })
    assert.deepEqual(readHeader(v2(0x21, 0x11, Buffer.concat([IPV4, Buffer.alloc(9)]))), {
      address: '192.0.2.1',
      size: 37,
    })
    assert.deepEqual(readHeader(v2(0x21, 0x21, IPV6)), { address: '2001:db8:0:0:0:0:0:1', size: 52 })
    assert.deepEqual(readHeader(v2(0x20, 0x00, Buffer.alloc(0))), { address: undefined, size: 16 })
    assert.deepEqual(readHeader(v2(0x21, 0x31, Buffer.alloc(216))), { address: undefined, size: 232 })
  })

  it('is awaited until it is complete', () => {
    for (const whole of [Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\n'), v2(0x21, 0x11, IPV4)]) {
      for (let length = 0; length < whole.length; length += 1) {
        assert.equal(readHeader(whole.subarray(0, length)), 'more', `${length} bytes`)
      }
    }
  })

  it('is absent from a request', () => {
    for (const text of ['POST / HTTP/1.1', 'PROPFIND / HTTP/1.1', 'GET', '\x16\x03\x01', '\r\nGET /']) {
      assert.equal(v1(text), 'none', text)
    }
  })

  it('is invalid if it is too long or malformed', () => {
    for (const text of [
      `PROXY TCP4 ${' '.repeat(200)}`,
      'PROXY TCP4 ::1 ::1 1 1\r\n',
      'PROXY TCP6 192.0.2.1 192.0.2.2 1 1\r\n',
      'PROXY TCP4 192.0.2.300 192.0.2.2 1 1\r\n',
      'PROXY \r\n',
      'PROXY constructor 192.0.2.1 192.0.2.2 1 1\r\n',
    ]) {
      assert.equal(v1(text), 'invalid', text)
    }
    assert.equal(readHeader(v2(0x31, 0x11, IPV4)), 'invalid')
    assert.equal(readHeader(v2(0x21, 0x21, IPV4)), 'invalid')
    assert.equal(readHeader(v2(0x21, 0x11, Buffer.alloc(3_000))), 'invalid')
  })
})
