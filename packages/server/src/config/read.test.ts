import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { ConfigError, parseConfig, readConfig } from './read.ts'
import type { RegionConfigInput } from './schema.ts'

const masterKey = Buffer.alloc(32, 7).toString('base64')

const least: RegionConfigInput = {
  region: 'us-west-2',
  store: { engine: 'sqlite', file: 'region.db' },
  credentials: [{ accessKeyId: 'AKIAEXAMPLE000000000', secretAccessKey: 'the-secret-access-key' }],
  keys: { provider: 'local', masterKey },
  cluster: { secret: randomBytes(32).toString('base64') },
}

/** Returns the syntax for an environment variable in the file. */
const clusterSecret = `\${CLUSTER_SECRET}`

const peer = { endpoint: 'http://127.0.0.1:9402' }

function mistakesOf(input: unknown): string {
  try {
    parseConfig(input)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.message
  }
  assert.fail('the configuration was taken')
}

describe('the configuration of a region', () => {
  it('fills in defaults', () => {
    const config = parseConfig(least)
    assert.equal(config.parity, 'aws')
    assert.deepEqual(config.listen, { host: '127.0.0.1', port: 9401 })
    assert.deepEqual(config.peers, {})
    assert.deepEqual(config.messages, { kind: 'none' })
    assert.equal(config.log.level, 'info')
    assert.equal(config.anyRegionInSignature, false)
  })

  it('accepts base URLs with or without a trailing slash', () => {
    const config = parseConfig({
      ...least,
      endpoint: 'https://idp.example.com/',
      issuerBase: 'https://issuer.example.com/base//',
      peers: { 'us-east-1': { endpoint: 'https://east.example.com/' } },
    })
    assert.equal(config.endpoint, 'https://idp.example.com')
    assert.equal(config.issuerBase, 'https://issuer.example.com/base')
    assert.equal(config.peers['us-east-1']?.endpoint, 'https://east.example.com')
  })

  const contradictions: Record<string, [Partial<RegionConfigInput> | Record<string, unknown>, RegExp]> = {
    'a region that is its own peer': [
      { peers: { 'us-west-2': peer } },
      /peers\.us-west-2: a region cannot be its own peer/,
    ],
    'two master keys': [
      { keys: { provider: 'local', masterKey, masterKeyFile: 'key' } },
      /keys: set exactly one of masterKey and masterKeyFile/,
    ],
    'no master key': [{ keys: { provider: 'local' } }, /keys: set exactly one of masterKey and masterKeyFile/],
    'a master key of another size': [
      { keys: { provider: 'local', masterKey: Buffer.alloc(16).toString('base64') } },
      /keys\.masterKey: must be 32 bytes in base64/,
    ],
    'an empty master key': [{ keys: { provider: 'local', masterKey: '' } }, /keys\.masterKey: /],
    'a master key that is not base64': [
      { keys: { provider: 'local', masterKey: '?'.repeat(44) } },
      /keys\.masterKey: /,
    ],
    'the KMS of one region and the key of another': [
      {
        keys: {
          provider: 'aws-kms',
          serviceKeyArn: 'arn:aws:kms:eu-west-1:000000000000:key/mrk-00000000000000000000000000000000',
        },
      },
      /keys\.serviceKeyArn: must be a key of the configured KMS region/,
    ],
    'a peer without a common issuer': [{ peers: { 'us-east-1': peer } }, /issuerBase: required with peers/],
    'two peers in `aws` parity': [
      { peers: { 'us-east-1': peer, 'eu-west-1': peer } },
      /peers: `aws` parity allows one other region/,
    ],
    'an access key id with two secrets': [
      {
        credentials: ['one-secret-of-a-key', 'another-secret-of-it'].map((secretAccessKey) => ({
          accessKeyId: 'AKIAEXAMPLE000000000',
          secretAccessKey,
        })),
      },
      /credentials: duplicate access key id/,
    ],
    'a master key in place of its file': [
      { keys: { provider: 'local', masterKeyFile: masterKey } },
      /keys\.masterKeyFile: a path, not the content of the file/,
    ],
    'a private key in place of its file': [
      { tls: { certificateFile: 'a.pem', keyFile: '-----BEGIN PRIVATE KEY-----\nMIG' } },
      /tls\.keyFile: a path, not the content of the file/,
    ],
    'a peer with a password': [
      { peers: { 'us-east-1': { endpoint: 'https://name:the-password@example.com' } } },
      /peers\.us-east-1\.endpoint: a URL without user name and password/,
    ],
    'an inbox with a password': [
      { messages: { kind: 'inbox', url: 'http://name:the-password@127.0.0.1/' } },
      /messages\.url: a URL without user name and password/,
    ],
    'a base URL with a query': [{ endpoint: 'https://example.com/?a=b' }, /endpoint: a base URL, without \? and #/],
    'port 0 without an endpoint': [{ listen: { port: 0 } }, /endpoint: required with port 0/],
    'no credentials': [{ credentials: [] }, /credentials: /],
    'a short cluster secret': [{ cluster: { secret: 'short' } }, /cluster\.secret: at least 32 characters/],
    'a short secret access key': [
      { credentials: [{ accessKeyId: 'AKIAEXAMPLE000000000', secretAccessKey: 'short' }] },
      /credentials\.0\.secretAccessKey: at least 16 characters/,
    ],
    'an invalid region': [{ region: 'west' }, /region: a region name such as us-west-2/],
    'an invalid peer': [{ peers: { east: peer } }, /peers\.east: /],
    'an unknown engine': [{ store: { engine: 'mysql', file: 'x' } }, /store\.engine: /],
    'a file for PostgreSQL': [{ store: { engine: 'postgres', file: 'x' } }, /store(\.url)?: /],
    'a URL with another protocol': [{ endpoint: 'ftp://example.com' }, /endpoint: /],
    'an invalid port': [{ listen: { port: 70_000 } }, /listen\.port: /],
    'a misspelt member': [{ isuerBase: 'http://127.0.0.1' }, /isuerBase: unknown member; did you mean issuerBase\?/],
    'a misspelt nested member': [
      { tls: { certificateFile: 'a', keyfile: 'b' } },
      /tls\.keyfile: unknown member; did you mean keyFile\?/,
    ],
    'a misspelt member of a peer': [
      { peers: { 'us-east-1': { ...peer, replicaton: 'http://127.0.0.1' } } },
      /peers\.us-east-1\.replicaton: unknown member; did you mean replication\?/,
    ],
    'a misspelt member of a variant': [
      { store: { engine: 'sqlite', fil: 'x' } },
      /store\.fil: unknown member; did you mean file\?/,
    ],
    'a member that resembles none': [
      { shutdown: { colour: 'red' } },
      /shutdown\.colour: unknown member; known are: noticeSeconds/,
    ],
    'plain HTTP to another machine': [
      { issuerBase: 'http://id.test', peers: { 'us-east-1': { endpoint: 'http://east.test' } } },
      /peers\.us-east-1\.endpoint: http: to another machine: use https:, or set allowHttp/,
    ],
    'a replication URL in plain HTTP': [
      { issuerBase: 'http://id.test', peers: { 'us-east-1': { ...peer, replication: 'http://10.0.0.1' } } },
      /peers\.us-east-1\.replication: http: to another machine/,
    ],
    'a client certificate without its key': [{ peerTls: { certificateFile: 'a' } }, /peerTls: .*belong together/],
    'a cluster secret that is a phrase': [
      { cluster: { secret: 'the secret of the cluster, 32 characters' } },
      /cluster\.secret: too easy to guess/,
    ],
    'a cluster secret of words': [
      { cluster: { secret: 'a-cluster-secret-of-a-few-words-0123456789' } },
      /cluster\.secret: too easy to guess/,
    ],
    'a cluster secret that repeats itself': [
      { cluster: { secret: 'aB3dE5gH9'.repeat(6) } },
      /cluster\.secret: too easy to guess/,
    ],
    'a new cluster secret that is a phrase': [
      { cluster: { secret: ['the new secret, which replaces the old', randomBytes(32).toString('hex')] } },
      /cluster\.secret\.0: too easy to guess/,
    ],
  }
  for (const [what, [difference, report]] of Object.entries(contradictions)) {
    it(`refuses ${what}`, () => assert.match(mistakesOf({ ...least, ...difference }), report))
  }

  it('accepts two peers in `extended` parity', () => {
    const peers = { 'us-east-1': peer, 'eu-west-1': peer }
    const config = parseConfig({ ...least, parity: 'extended', issuerBase: 'http://id.test', peers })
    assert.deepEqual(Object.keys(config.peers), Object.keys(peers))
  })

  it('accepts a new and an old secret and master key; the old secret may be a phrase', () => {
    const secret: [string, string] = [randomBytes(32).toString('hex'), 'the secret of the cluster, 32 characters']
    const keys = { provider: 'local' as const, masterKey: [masterKey, randomBytes(32).toString('base64')] }
    const config = parseConfig({ ...least, cluster: { secret }, keys })
    assert.deepEqual(config.cluster.secret, secret)
    assert.deepEqual(config.keys, keys)
  })

  it('accepts every secret of 32 random bytes', () => {
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      for (let n = 0; n < 200; n += 1) {
        parseConfig({ ...least, cluster: { secret: randomBytes(32).toString(encoding) } })
      }
    }
  })

  it('accepts plain HTTP to a peer on this machine, or where it is allowed', () => {
    for (const endpoint of ['http://localhost:9402', 'http://[::1]:9402', 'https://east.test']) {
      parseConfig({ ...least, issuerBase: 'http://id.test', peers: { 'us-east-1': { endpoint } } })
    }
    const peers = { 'us-east-1': { endpoint: 'http://east.test', allowHttp: true } }
    parseConfig({ ...least, issuerBase: 'http://id.test', peers })
  })

  it('reports all mistakes at once', () => {
    const report = mistakesOf({ ...least, region: 'x', parity: 'y', log: { level: 'z' } })
    for (const word of ['region', 'parity', 'log.level']) assert.match(report, new RegExp(`^  ${word}: `, 'm'))
  })

  it('refuses input that is not a configuration', () => {
    for (const input of [undefined, null, [], 'text', 1, {}]) mistakesOf(input)
  })

  it('never repeats a value of any member', () => {
    const secret = 'a-value-that-must-not-be-seen'
    const full = {
      ...least,
      accountId: '000000000000',
      parity: 'aws',
      listen: { host: 'h', port: 1 },
      tls: { certificateFile: 'c', keyFile: 'k' },
      endpoint: 'http://127.0.0.1',
      issuerBase: 'http://127.0.0.1',
      store: { engine: 'postgres', url: 'postgres://u:p@h/d', connections: 4 },
      anyRegionInSignature: false,
      peers: { 'us-east-1': { endpoint: 'http://127.0.0.1', replication: 'http://127.0.0.1' } },
      messages: { kind: 'inbox', url: 'http://127.0.0.1' },
      log: { level: 'info' },
    }
    parseConfig(full)
    let refused = 0
    for (const [input, path] of withEachLeaf(full, secret)) {
      try {
        parseConfig(input)
      } catch (error) {
        refused += 1
        assert.ok(error instanceof ConfigError, path)
        assert.doesNotMatch(error.message, /must-not-be-seen/, path)
        assert.match(error.message, new RegExp(path.split('.')[0] as string), path)
      }
    }
    assert.ok(refused >= 15, String(refused))
  })
})

/** All copies of the value with one leaf replaced. */
function* withEachLeaf(value: unknown, by: string, path = ''): Generator<[unknown, string]> {
  if (typeof value !== 'object' || value === null) return yield [by, path]
  for (const [name, inner] of Object.entries(value)) {
    for (const [changed, at] of withEachLeaf(inner, by, path === '' ? name : `${path}.${name}`)) {
      yield [Array.isArray(value) ? value.with(Number(name), changed) : { ...value, [name]: changed }, at]
    }
  }
}

describe('the configuration file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-test-'))
  after(() => rmSync(directory, { recursive: true, force: true }))
  const fileOf = (text: string): string => {
    const file = join(directory, 'region.json')
    writeFileSync(file, text)
    return file
  }
  const refusalOf = (file: string, environment: NodeJS.ProcessEnv = {}): string => {
    try {
      readConfig(file, environment)
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error))
      return error.message
    }
    assert.fail('the file was taken')
  }

  it('reads values from the environment, and only as whole strings', () => {
    const file = fileOf(
      JSON.stringify({
        ...least,
        cluster: { secret: clusterSecret },
        store: { engine: 'sqlite', file: `of-${clusterSecret}.db` },
      }),
    )
    const secret = randomBytes(32).toString('hex')
    const config = readConfig(file, { CLUSTER_SECRET: secret })
    assert.equal(config.cluster.secret, secret)
    assert.deepEqual(config.store, { engine: 'sqlite', file: `of-${clusterSecret}.db` })
  })

  it('names the missing environment variable', () => {
    const file = fileOf(JSON.stringify({ ...least, cluster: { secret: clusterSecret } }))
    assert.match(refusalOf(file), /cluster\.secret: the environment variable CLUSTER_SECRET is not set/)
  })

  it('reads values from files, and names the member whose file is missing', () => {
    const secret = randomBytes(32).toString('hex')
    const from = join(directory, 'cluster.secret')
    const file = fileOf(JSON.stringify({ ...least, cluster: { secret: `\${file:${from}}` } }))
    assert.match(refusalOf(file), /cluster\.secret: .*cluster\.secret: ENOENT/)
    writeFileSync(from, `${secret}\n`)
    assert.equal(readConfig(file, {}).cluster.secret, secret)
  })

  it('refuses a device and a large file, which it would read for ever', () => {
    const large = join(directory, 'large')
    writeFileSync(large, Buffer.alloc(1024 * 1024 + 1))
    for (const [from, why] of [
      ['/dev/zero', /cluster\.secret: \/dev\/zero: a device, not a file/],
      [large, /cluster\.secret: .*large: larger than 1 MB/],
    ] as const) {
      if (process.platform === 'win32' && from === '/dev/zero') continue
      const file = fileOf(JSON.stringify({ ...least, cluster: { secret: `\${file:${from}}` } }))
      assert.match(refusalOf(file), why)
    }
  })

  it('refuses a reference that it cannot follow, instead of using it as a secret', () => {
    for (const secretAccessKey of [
      `\${THE-SECRET-ACCESS-KEY}`,
      ` \${SECRET_ACCESS_KEY} `,
      `\${env:SECRET_ACCESS_KEY}`,
    ]) {
      const credentials = [{ ...least.credentials[0], secretAccessKey }]
      const report = refusalOf(fileOf(JSON.stringify({ ...least, credentials })), { SECRET_ACCESS_KEY: 'x'.repeat(40) })
      assert.match(report, /credentials\.0\.secretAccessKey: neither "\$\{NAME\}"/)
    }
    const inherited = fileOf(JSON.stringify({ ...least, cluster: { secret: `\${constructor}` } }))
    assert.match(refusalOf(inherited), /cluster\.secret: the environment variable constructor is not set/)
  })

  it('does not repeat the value of a variable', () => {
    const file = fileOf(JSON.stringify({ ...least, cluster: { secret: clusterSecret } }))
    const report = refusalOf(file, { CLUSTER_SECRET: 'too short a secret' })
    assert.match(report, /cluster\.secret/)
    assert.doesNotMatch(report, /too short a secret/)
  })

  it('that is missing or not JSON is refused by name, without its content', () => {
    assert.match(refusalOf(join(directory, 'none.json')), /none\.json: ENOENT/)
    assert.match(refusalOf(directory), /EISDIR/)
    const report = refusalOf(fileOf('{"cluster":{"secret":"half-a-secret'))
    assert.match(report, /region\.json is not JSON: line 1, column 36/)
    assert.doesNotMatch(report, /half-a-secret/)
  })

  it('cannot reach a prototype', () => {
    const file = fileOf(`{"__proto__": {"region": "us-west-2"}, ${JSON.stringify(least).slice(1)}`)
    assert.match(refusalOf(file), /__proto__|Unrecognized/)
    assert.equal(({} as { region?: string }).region, undefined)
  })
})

describe('keys in AWS KMS', () => {
  const arn = 'arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
  const withKeys = (more: object) => ({ ...least, keys: { provider: 'aws-kms', serviceKeyArn: arn, ...more } })

  it('stay unwrapped for 12 hours by default', () => {
    const keys = { provider: 'aws-kms', serviceKeyArn: arn }
    assert.deepEqual(parseConfig(withKeys({})).keys, { ...keys, unwrappedForMinutes: 720 })
    parseConfig(withKeys({ unwrappedForMinutes: 5 }))
    assert.match(mistakesOf(withKeys({ unwrappedForMinutes: 4 })), /keys\.unwrappedForMinutes/)
  })

  it('are named by the ARN of a key in the configured KMS region', () => {
    assert.match(mistakesOf(withKeys({ serviceKeyArn: undefined })), /keys\.serviceKeyArn/)
    for (const serviceKeyArn of ['alias/pools', arn.replace('key/', 'alias/')]) {
      assert.match(mistakesOf(withKeys({ serviceKeyArn })), /keys\.serviceKeyArn: the ARN of a KMS key/)
    }
    assert.match(mistakesOf(withKeys({ region: 'us-east-1' })), /must be a key of the configured KMS region/)
    parseConfig(withKeys({ region: 'us-east-1', serviceKeyArn: arn.replace('us-west-2', 'us-east-1') }))
  })

  it('have no master key', () => {
    assert.match(mistakesOf(withKeys({ masterKey })), /keys\.masterKey: unknown member/)
  })
})
