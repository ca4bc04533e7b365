import {
  createDiffieHellman,
  createDiffieHellmanGroup,
  createHash,
  createHmac,
  DiffieHellman,
  hkdfSync,
} from 'node:crypto'

/**
 * SRP-6a as Cognito's clients implement it (RFC 2945, RFC 5054, with Cognito's own padding and key derivation). Numbers are
 * big-endian Buffers. N is the 3072-bit prime of RFC 3526 group 15, g is 2, H is SHA-256.
 */

/** The identity in a proof. Users: the pool id after the `_`, and the real username. Devices: device group and device key. */
export interface SrpIdentity {
  group: string
  name: string
}

/** The server's state between the two steps. It is secret. */
export interface SrpState {
  A: Buffer
  b: Buffer
  u: Buffer
}

export const SALT_BYTES = 16
const SECRET_BYTES = 32
const SESSION_KEY_BYTES = 16
const INFO = 'Caldera Derived Key'

const PRIME = createDiffieHellmanGroup('modp15').getPrime()
const N = toBigInt(PRIME)
const GENERATOR = Buffer.of(2)
const k = hash(pad(PRIME), pad(GENERATOR))

const diffieHellman = openGroup()

/**
 * DiffieHellman is the only constant-time modular exponentiation in node:crypto. The object of a named group lacks
 * setPrivateKey, so we borrow the method; createDiffieHellman(PRIME) gives the same, after a primality test of 1.5 s.
 */
function openGroup(): DiffieHellman {
  const group = createDiffieHellmanGroup('modp15') as DiffieHellman
  try {
    group.setPrivateKey = DiffieHellman.prototype.setPrivateKey
    group.setPrivateKey(GENERATOR)
    return group
  } catch {
    return createDiffieHellman(PRIME, 2)
  }
}

/** base^exponent mod N, 384 bytes. */
function power(base: Buffer, exponent: Buffer): Buffer {
  diffieHellman.setPrivateKey(exponent)
  return diffieHellman.computeSecret(base)
}

/** v = g^x mod N, which the server stores instead of the password. */
export function verifierOf({ group, name }: SrpIdentity, password: string, salt: Buffer): Buffer {
  const inner = createHash('sha256').update(`${group}${name}:${password}`, 'utf8').digest()
  return power(GENERATOR, hash(pad(salt), inner))
}

/** Parses the client's public value from hex. Returns undefined unless 1 < A < N - 1. */
export function parsePublicValue(hex: string): Buffer | undefined {
  if (!/^[0-9a-f]{1,1024}$/i.test(hex)) return undefined
  const value = BigInt(`0x${hex}`)
  return value > 1n && value < N - 1n ? toBuffer(value) : undefined
}

/** The server's first step: B, and the state for the second step. */
export function beginSrp(
  verifier: Buffer,
  A: Buffer,
  random: (size: number) => Buffer,
): { B: Buffer; state: SrpState } {
  for (;;) {
    const b = random(SECRET_BYTES)
    const B = toBuffer((toBigInt(k) * toBigInt(verifier) + toBigInt(power(GENERATOR, b))) % N)
    const u = hash(pad(A), pad(B))
    // A client aborts on B = 0 or u = 0 (RFC 5054 §2.5.3, §2.6); both are practically impossible.
    if (!isZero(B) && !isZero(u)) return { B, state: { A, b, u } }
  }
}

/** K, the session key that both sides compute if the client knows the password. */
export function sessionKeyOf(verifier: Buffer, { A, b, u }: SrpState): Buffer {
  const S = power(toBuffer((toBigInt(A) * toBigInt(power(verifier, u))) % N), b)
  return Buffer.from(hkdfSync('sha256', pad(S), pad(u), INFO, SESSION_KEY_BYTES))
}

/** The client's proof of K, over SECRET_BLOCK and the timestamp. */
export function claimSignature(
  key: Buffer,
  { group, name }: SrpIdentity,
  { secretBlock, timestamp }: { secretBlock: Buffer; timestamp: string },
): Buffer {
  return createHmac('sha256', key).update(group).update(name).update(secretBlock).update(timestamp).digest()
}

/** The hex format of clients, without padding. */
export const toHex = (value: Buffer): string => toBigInt(value).toString(16)

/** The shortest form, prefixed with a zero byte if the top bit is set: Java's BigInteger.toByteArray. */
function pad(value: Buffer): Buffer {
  const short = shorten(value)
  return ((short[0] as number) & 0x80) === 0 ? short : Buffer.concat([Buffer.of(0), short])
}

function shorten(value: Buffer): Buffer {
  let start = 0
  while (start < value.length - 1 && value[start] === 0) start += 1
  return value.subarray(start)
}

function hash(...parts: Buffer[]): Buffer {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest()
}

const isZero = (value: Buffer): boolean => value.every((byte) => byte === 0)

function toBigInt(value: Buffer): bigint {
  return BigInt(`0x${value.toString('hex') || '0'}`)
}

function toBuffer(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(PRIME.length * 2, '0'), 'hex')
}
