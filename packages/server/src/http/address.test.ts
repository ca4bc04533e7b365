import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { describe, it } from 'node:test'
import { createAddressReader, isNetwork, trustedProxies } from './address.ts'

const isTrusted = trustedProxies(['10.0.0.0/8', '2001:db8:1::/48', '192.0.2.1'])

function addressOf(peer: string, headers: Record<string, string>): string {
  return createAddressReader(isTrusted, () => peer)({ headers } as unknown as IncomingMessage)
}

describe('the address of a caller', () => {
  it('is that of the connection, whatever its headers say, unless a trusted proxy made it', () => {
    const headers = { 'x-forwarded-for': '198.51.100.1', forwarded: 'for=198.51.100.1' }
    assert.equal(addressOf('203.0.113.9', headers), '203.0.113.9')
    assert.equal(addressOf('192.0.2.2', headers), '192.0.2.2')
    assert.equal(addressOf('10.1.2.3', {}), '10.1.2.3')
  })

  for (const [list, address] of [
    ['198.51.100.1', '198.51.100.1'],
    ['forged, 198.51.100.1', '198.51.100.1'],
    ['1.1.1.1, 198.51.100.1, 10.9.9.9', '198.51.100.1'],
    ['198.51.100.1:4711', '198.51.100.1'],
    ['2001:db8:2::1', '2001:db8:2::1'],
    ['[2001:db8:2::1]:4711, 2001:db8:1::7', '2001:db8:2::1'],
    ['nonsense', '10.1.2.3'],
    ['198.51.100.1, nonsense', '10.1.2.3'],
    ['', '10.1.2.3'],
  ] as const) {
    it(`is ${address} for X-Forwarded-For "${list}" of a trusted proxy`, () => {
      assert.equal(addressOf('10.1.2.3', { 'x-forwarded-for': list }), address)
      assert.equal(addressOf('::ffff:10.1.2.3', { 'x-forwarded-for': list }).replace('::ffff:', ''), address)
    })
  }

  for (const [list, address] of [
    ['for=198.51.100.1;proto=https;by=10.1.2.3', '198.51.100.1'],
    ['proto=https; For="198.51.100.1:4711"', '198.51.100.1'],
    ['for=1.1.1.1, for="[2001:db8:2::1]:4711"', '2001:db8:2::1'],
    ['for=_hidden', '10.1.2.3'],
    ['for=unknown, for=10.9.9.9', '10.9.9.9'],
    ['proto=https', '10.1.2.3'],
  ] as const) {
    it(`is ${address} for Forwarded ${list} of a trusted proxy`, () => {
      assert.equal(addressOf('10.1.2.3', { forwarded: list }), address)
    })
  }

  it('is that of the proxy if the two headers disagree, because the client may have written one of them', () => {
    const headers = { 'x-forwarded-for': '198.51.100.1', forwarded: 'for=198.51.100.1' }
    assert.equal(addressOf('10.1.2.3', headers), '198.51.100.1')
    assert.equal(addressOf('10.1.2.3', { ...headers, forwarded: 'for=198.51.100.2' }), '10.1.2.3')
  })

  it('comes from proxies that are given as addresses and networks', () => {
    for (const text of ['10.0.0.0/8', '::1', '2001:db8::/32', '192.0.2.1/32']) assert.ok(isNetwork(text), text)
    for (const text of ['', 'proxy', '10.0.0.0/33', '10.0.0.0/', '::/129', '10.0.0.0/8/8', '10.0.0.0/-1'])
      assert.ok(!isNetwork(text), text)
  })
})
