/**
 * The lower bound: a bare server that does only the cryptography of a call, so that the difference to Twinpool is visible.
 * It also reads and parses the body, which every server must do.
 *
 * POST /sign-2     two RS256 signatures
 * POST /password   one modular exponentiation over 3072 bits, two RS256 signatures
 * POST /srp-begin  one exponentiation (g^b)
 * POST /srp-end    two exponentiations (v^u and S), two RS256 signatures
 * POST /read       verifies the RS256 token of the body and makes one indexed read
 */
import { createDiffieHellmanGroup, DiffieHellman, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const PEOPLE = 10_000

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
// Borrows the setter, as in packages/server/src/identity/credentials/srp.ts: an object created from the prime would
// test it for primality first.
const group = createDiffieHellmanGroup('modp15') as DiffieHellman
group.setPrivateKey = DiffieHellman.prototype.setPrivateKey
const base = group.getPrime().map((byte, at) => (at === 0 ? 0x7f : byte ^ 0x55))

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const header = encode({ kid: 'raw', alg: 'RS256' })
const payload = (sub: string): string =>
  encode({ sub, iss: 'https://raw.example', exp: 4_000_000_000, filler: 'x'.repeat(400) })
const anyPayload = payload('someone')

const power = (): void => {
  group.setPrivateKey(randomBytes(32))
  group.computeSecret(base)
}

function token(claims = anyPayload): Promise<string> {
  const text = `${header}.${claims}`
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  sign('RSA-SHA256', Buffer.from(text), privateKey, (error, signature) =>
    error ? reject(error) : resolve(`${text}.${signature.toString('base64url')}`),
  )
  return promise
}
const twoTokens = async (): Promise<string> => JSON.stringify(await Promise.all([token(), token()]))

const db = new DatabaseSync(join(process.argv[2] as string, 'raw.db'))
db.exec('pragma journal_mode = wal; create table people (id text primary key, body text) without rowid; begin')
const insert = db.prepare('insert into people values (?, ?)')
for (let at = 0; at < PEOPLE; at += 1) insert.run(`person-${at}`, JSON.stringify({ filler: 'x'.repeat(600) }))
db.exec('commit')
const find = db.prepare('select body from people where id = ?')

const read = ({ AccessToken }: { AccessToken: string }): string => {
  const [head, claims, signature] = AccessToken.split('.') as [string, string, string]
  if (!verify('RSA-SHA256', Buffer.from(`${head}.${claims}`), publicKey, Buffer.from(signature, 'base64url'))) {
    throw new Error('the token was not signed by this server')
  }
  const { sub } = JSON.parse(Buffer.from(claims, 'base64url').toString())
  return (find.get(sub) as { body: string }).body
}

const work: Record<string, (input: never) => Promise<string> | string> = {
  '/sign-2': twoTokens,
  '/password': () => {
    power()
    return twoTokens()
  },
  '/srp-begin': () => {
    power()
    return '{}'
  },
  '/srp-end': () => {
    power()
    power()
    return twoTokens()
  },
  '/read': read,
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  request
    .on('data', (chunk: Buffer) => chunks.push(chunk))
    .on('end', resolve)
    .on('error', reject)
  await promise
  return Buffer.concat(chunks).toString()
}

const server = createServer(async (request, response) => {
  const input = JSON.parse((await bodyOf(request)) || '{}') as never
  const text = (await work[request.url ?? '']?.(input)) ?? ''
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
})
server.listen(0, '127.0.0.1', async () => {
  const tokens = await Promise.all(Array.from({ length: 100 }, (_, at) => token(payload(`person-${at * 97}`))))
  process.send?.({ endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, tokens })
})
process.once('disconnect', () => process.exit(0))
