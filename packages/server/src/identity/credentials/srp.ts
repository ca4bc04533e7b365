import {
  createDiffieHellman,
  createDiffieHellmanGroup,
  createHash,
  createHmac,
  DiffieHellman,
  hkdfSync,
} from 'node:crypto'

/**
 * SRP-6a as Cognito's clients speak it (RFC 2945, RFC 5054, with Cognito's own padding and key derivation). Numbers are
 * big-endian Buffers. N is the 3072-bit prime of RFC 3526 group 15, g is 2, H is SHA-256.
 */

/** Who proves a password: for users the pool's name (its id after the `_`) and the real username; for devices their group and key. */
export interface SrpIdentity {
  group: string
  name: string
}

/** What the server keeps between its two answers. It is secret. */
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
 * DiffieHellman is the one constant-time modular exponentiation that node:crypto offers. A named group's object lacks only
 * the setter, which it can borrow; an object over the prime itself would be the same after a primality test of 1.5 s.
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

/** v = g^x mod N, what the server keeps instead of the password. */
export function verifierOf({ group, name }: SrpIdentity, password: string, salt: Buffer): Buffer {
  const inner = createHash('sha256').update(`${group}${name}:${password}`, 'utf8').digest()
  return power(GENERATOR, hash(pad(salt), inner))
}

/** Reads the client's public value from hex. Undefined when it is no number between 1 and N - 1, these two left out. */
export function parsePublicValue(hex: string): Buffer | undefined {
  if (!/^[0-9a-f]{1,1024}$/i.test(hex)) return undefined
  const value = BigInt(`0x${hex}`)
  return value > 1n && value < N - 1n ? toBuffer(value) : undefined
}

/** The server's first answer: B, and what it must remember. */
export function beginSrp(
  verifier: Buffer,
  A: Buffer,
  random: (size: number) => Buffer,
): { B: Buffer; state: SrpState } {
  for (;;) {
    const b = random(SECRET_BYTES)
    const B = toBuffer((toBigInt(k) * toBigInt(verifier) + toBigInt(power(GENERATOR, b))) % N)
    const u = hash(pad(A), pad(B))
    // B = 0 or u = 0 would make the client give up (RFC 5054 §2.5.3, §2.6); neither is ever seen.
    if (!isZero(B) && !isZero(u)) return { B, state: { A, b, u } }
  }
}

/** K, the key that both sides have if the client knows the password. */
export function sessionKeyOf(verifier: Buffer, { A, b, u }: SrpState): Buffer {
  const S = power(toBuffer((toBigInt(A) * toBigInt(power(verifier, u))) % N), b)
  return Buffer.from(hkdfSync('sha256', pad(S), pad(u), INFO, SESSION_KEY_BYTES))
}

/** The proof of K that the client sends, over the server's block and the time. */
export function claimSignature(
  key: Buffer,
  { group, name }: SrpIdentity,
  { secretBlock, timestamp }: { secretBlock: Buffer; timestamp: string },
): Buffer {
  return createHmac('sha256', key).update(group).update(name).update(secretBlock).update(timestamp).digest()
}

/** As clients read and write numbers: hex without padding. */
export const toHex = (value: Buffer): string => toBigInt(value).toString(16)

/** The shortest form, with a zero byte in front where the top bit is set: Java's BigInteger.toByteArray. */
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
