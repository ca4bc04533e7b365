import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

/** The proxies whose statements about the address of a caller are believed. */
export type TrustedProxies = (address: string) => boolean

/** @param networks addresses and networks in CIDR notation */
export function trustedProxies(networks: readonly string[]): TrustedProxies {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = familyOf(address)
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return (address) => networks.length > 0 && isIP(address) !== 0 && list.check(address, familyOf(address))
}

/** Whether the text is an address, or a network in CIDR notation. */
export function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

/**
 * The address of the caller of a request. Each proxy appends the address from which it received the request to `X-Forwarded-For`
 * or `Forwarded` (RFC 7239), so the lists are read from their end, as long as the address that wrote the entry is a trusted proxy.
 * A proxy maintains one of the two and passes the other one on as the client wrote it: if they disagree, neither is believed.
 *
 * @param peerOf the other end of the connection, or what the PROXY protocol says about it
 */
export function createAddressReader(
  isTrusted: TrustedProxies,
  peerOf: (incoming: IncomingMessage) => string,
): (incoming: IncomingMessage) => string {
  const follow = (peer: string, entries: readonly (string | undefined)[]): string => {
    let address = peer
    for (const entry of entries.toReversed()) {
      if (!isTrusted(address) || entry === undefined) break
      address = entry
    }
    return address
  }
  return (incoming) => {
    const peer = peerOf(incoming)
    if (!isTrusted(peer)) return peer
    const { 'x-forwarded-for': list, forwarded } = incoming.headers
    const found = new Set<string>()
    if (list !== undefined) found.add(follow(peer, String(list).split(',').map(addressIn)))
    if (forwarded !== undefined) found.add(follow(peer, forwarded.split(',').map(forwardedFor)))
    const [address = peer, other] = found
    return other === undefined ? address : peer
  }
}

/** The `for` of an entry of `Forwarded`; undefined for an obfuscated or unknown one. */
function forwardedFor(entry: string): string | undefined {
  const [, value] = /(?:^|;)\s*for\s*=\s*("[^"]*"|[^;\s]*)/i.exec(entry) ?? []
  return value === undefined ? undefined : addressIn(value.replaceAll('"', ''))
}

/** An address without its port and brackets; undefined if the text is none. */
function addressIn(text: string): string | undefined {
  const bare = text.trim()
  const [, inBrackets] = /^\[([^\]]*)\](?::\d+)?$/.exec(bare) ?? []
  const [, beforePort] = /^([\d.]+):\d+$/.exec(bare) ?? []
  const address = inBrackets ?? beforePort ?? bare
  return isIP(address) === 0 ? undefined : address
}
