/** The lifecycle of keys, against a real HTTP server that is killed and restarted. SPEC.md has the rules. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, beforeEach, describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createFakeClock, type FakeClock } from '@twinpool/testing/fake-clock'
import {
  accessClaims,
  CLIENT,
  type IssuerKey,
  type JwksServer,
  makeKey,
  signToken,
  startJwksServer,
} from '@twinpool/testing/issuer'
import { saveSeed, seedFile } from './file.ts'
import { createVerifier, KeysUnavailableError, TokenRefusedError, type VerifierEvent, webSignatures } from './index.ts'
import type { VerifierOptions } from './settings.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const [one, two, three] = [makeKey('key-1='), makeKey('key-2='), makeKey('key-3=')] as const

let clock: FakeClock
let server: JwksServer
let events: VerifierEvent[]

const servers: JwksServer[] = []
async function publish(keys: readonly IssuerKey[]): Promise<JwksServer> {
  const started = await startJwksServer(keys)
  servers.push(started)
  return started
}

beforeEach(async () => {
  clock = createFakeClock()
  server = await publish([one, two])
  events = []
})
afterEach(() => Promise.all(servers.splice(0).map((started) => started.stop())))

type More = Partial<VerifierOptions> & { seed?: unknown; jwksUris?: string[]; issuers?: string[] }

function start({ seed, jwksUris, issuers = [server.issuer], ...more }: More = {}) {
  const pool = { issuers, jwksUris, tokenUse: 'access' as const, clientIds: CLIENT, seed: seed as undefined }
  const received = events
  const onEvent = (event: VerifierEvent) => void received.push(event)
  return createVerifier({ pools: [pool], clock, onEvent, refreshTimer: false, ...(more as object) })
}

const tokenOf = (key: IssuerKey) => signToken(key, accessClaims(server.issuer, clock.now()))
const jwksOf = (...keys: IssuerKey[]) => ({ keys: keys.map(({ jwk }) => jwk) })
const types = () => events.map(({ type }) => type)

async function warm(more?: More) {
  const verifier = start(more)
  await verifier.verify(tokenOf(one))
  assert.equal(server.hits, 1)
  return verifier
}

const refusedFor = (check: string) => (error: unknown) => {
  assert.ok(error instanceof TokenRefusedError, `${error}`)
  assert.equal(error.check, check)
  return true
}
const unavailable = (error: unknown) => {
  assert.ok(error instanceof KeysUnavailableError, `${error}`)
  assert.equal(error.check, 'keys')
  assert.equal(error.status, 503)
  return true
}

describe('keys whose address is dead', () => {
  it('fresh: verifies from memory and fetches nothing', async () => {
    const verifier = await warm()
    await server.stop()
    clock.advance(10 * MINUTE - 1)
    await verifier.verify(tokenOf(one))
    await verifier.verify(tokenOf(two))
    assert.deepEqual(types(), ['refreshed'])
  })

  it('stale: still verifies, up to 24 hours', async () => {
    const verifier = await warm()
    await server.stop()
    for (const age of [10 * MINUTE, 11 * MINUTE, HOUR, 12 * HOUR, 24 * HOUR]) {
      clock.advance(age - (verifier.state[0]?.ageMs as number))
      await verifier.verify(tokenOf(one))
      await verifier.settled()
      assert.equal(verifier.state[0]?.state, 'stale')
    }
    clock.advance(1)
    await assert.rejects(verifier.verify(tokenOf(one)), unavailable)
    assert.equal(verifier.state[0]?.state, 'expired')
  })

  it('stale: honours the configured bound', async () => {
    const verifier = await warm({ maxStaleMs: HOUR })
    await server.stop()
    clock.advance(HOUR)
    await verifier.verify(tokenOf(one))
    clock.advance(1)
    await assert.rejects(verifier.verify(tokenOf(one)), unavailable)
    await server.start()
    clock.advance(MINUTE)
    await verifier.verify(tokenOf(one))
  })

  it('a clock that is set back does not extend the lifetime of keys beyond the bound from then on', async () => {
    const verifier = await warm({ maxStaleMs: HOUR })
    await server.stop()
    clock.advance(-MINUTE)
    await verifier.verify(tokenOf(one))
    clock.advance(HOUR + 1)
    await assert.rejects(verifier.verify(tokenOf(one)), unavailable)
  })

  for (const [name, seed] of [
    ['a value', () => jwksOf(one, two)],
    ['a snapshot', () => ({ jwks: jwksOf(one, two), fetchedAt: clock.now() - HOUR })],
    ['a loader', () => async () => jwksOf(one, two)],
  ] as const) {
    it(`cold, with a seed that is ${name}: verifies`, async () => {
      await server.stop()
      const verifier = start({ seed: seed() })
      await verifier.ready()
      await verifier.verify(tokenOf(one))
      await verifier.settled()
      await verifier.verify(tokenOf(two))
      assert.deepEqual(types(), ['seeded', 'refresh-failed'])
    })
  }

  it('cold, with a seed: the bound applies to it, counted from its fetchedAt if given', async () => {
    await server.stop()
    const snapshot = { jwks: jwksOf(one), fetchedAt: clock.now() - 23 * HOUR }
    const verifier = start({ seed: snapshot })
    await verifier.verify(tokenOf(one))
    clock.advance(HOUR + 1)
    await assert.rejects(verifier.verify(tokenOf(one)), unavailable)
    await assert.rejects(
      start({ seed: { ...snapshot, fetchedAt: clock.now() - 25 * HOUR } }).verify(tokenOf(one)),
      unavailable,
    )
  })

  it('cold, without a seed: reports that and the error of each address', async () => {
    await server.stop()
    const verifier = start()
    const error: unknown = await verifier.verify(tokenOf(one)).catch((caught) => caught)
    assert.ok(error instanceof KeysUnavailableError)
    assert.equal(error.message, 'The keys of the pool could not be fetched, and no seed provided any')
    const [cause] = (error.cause as AggregateError).errors
    assert.equal(cause.message, `${server.url}: unreachable`)
    await assert.rejects(verifier.ready(), unavailable)
  })

  it('cold, without a seed: requests fail at once until the next retry is due, then recover by themselves', async () => {
    server.answer = (response) => response.destroy()
    const verifier = start()
    for (let round = 0; round < 20; round++) await assert.rejects(verifier.verify(tokenOf(one)), unavailable)
    assert.equal(server.hits, 1)
    server.answer = undefined
    clock.advance(1_000)
    await verifier.verify(tokenOf(one))
    assert.equal(server.hits, 2)
  })

  it('cold, with a seed loader that fails or hangs: the address is used', async () => {
    const failing = start({ seed: async () => assert.fail('no such file') })
    await failing.verify(tokenOf(one))
    assert.deepEqual(types(), ['seed-failed', 'refreshed'])

    const hanging = start({ seed: () => new Promise(() => {}) })
    const verified = hanging.verify(tokenOf(one))
    clock.advance(3_000)
    await verified
  })

  it('failed refreshes are retried, at most twice per minute in the long run', async () => {
    const verifier = await warm()
    server.answer = (response) => response.destroy()
    clock.advance(10 * MINUTE)
    const before = server.hits
    for (let second = 0; second < 3600; second++) {
      await verifier.verify(tokenOf(one))
      await verifier.settled()
      clock.advance(1_000)
    }
    const hits = server.hits - before
    assert.ok(hits > 100 && hits < 200, `${hits}`)
    server.answer = undefined
    clock.advance(30_000)
    await verifier.verify(tokenOf(one))
    await verifier.settled()
    assert.equal(verifier.state[0]?.state, 'fresh')
  })
})

describe('keys that change', () => {
  it('a withdrawn key is not trusted after the next successful refresh', async () => {
    const verifier = await warm()
    server.keys = [two]
    clock.advance(10 * MINUTE)
    await verifier.verify(tokenOf(one))
    await verifier.settled()
    await assert.rejects(verifier.verify(tokenOf(one)), refusedFor('kid'))
    await verifier.verify(tokenOf(two))
    const last = events.at(-1)
    assert.ok(
      events.some((event) => event.type === 'refreshed' && event.withdrawn.includes(one.kid)),
      JSON.stringify(last),
    )
  })

  it('a withdrawn key is trusted while the address is down, but not once it is up again', async () => {
    const verifier = await warm()
    await server.stop()
    server.keys = [two]
    clock.advance(HOUR)
    await verifier.verify(tokenOf(one))
    await verifier.settled()
    await server.start()
    clock.advance(MINUTE)
    await verifier.verify(tokenOf(one))
    await verifier.settled()
    await assert.rejects(verifier.verify(tokenOf(one)), refusedFor('kid'))
  })

  it('a withdrawn key is not trusted again although an address of lower authority still publishes it', async () => {
    const other = await publish([one, two])
    const verifier = await warm({ jwksUris: [server.url, other.url] })
    server.keys = [two]
    await verifier.refresh()
    await server.stop()
    await verifier.refresh()
    assert.equal(other.hits, 1)
    await assert.rejects(verifier.verify(tokenOf(one)), refusedFor('kid'))
    await verifier.verify(tokenOf(two))
    await server.start()
    server.keys = [one, two]
    clock.advance(MINUTE)
    await verifier.refresh()
    await verifier.verify(tokenOf(one))
  })

  it('an empty set withdraws all keys; a response that is not a key set withdraws none', async () => {
    const verifier = await warm()
    server.answer = (response) => response.end('<html>')
    await assert.rejects(verifier.refresh(), unavailable)
    await verifier.verify(tokenOf(one))
    server.answer = (response) => response.end('{"keys":[]}')
    await verifier.refresh()
    await assert.rejects(verifier.verify(tokenOf(one)), refusedFor('kid'))
  })

  it('a key with a known id and another modulus replaces the old key', async () => {
    const verifier = await warm()
    const replacement = makeKey(one.kid)
    server.keys = [replacement]
    await verifier.refresh()
    await assert.rejects(verifier.verify(tokenOf(one)), refusedFor('signature'))
    await verifier.verify(tokenOf(replacement))
  })

  it('the first token that a rotated key signed is verified', async () => {
    const verifier = await warm()
    server.keys = [one, two, three]
    await verifier.verify(tokenOf(three))
    await verifier.verify(tokenOf(one))
    assert.equal(server.hits, 2)
  })

  it('a key that is used before its publication is found seconds later', async () => {
    const verifier = await warm()
    await assert.rejects(verifier.verify(tokenOf(three)), refusedFor('kid'))
    server.keys = [one, two, three]
    await assert.rejects(verifier.verify(tokenOf(three)), refusedFor('kid'))
    clock.advance(10_000)
    await verifier.verify(tokenOf(three))
  })

  it('an unknown key while the address is down causes KeysUnavailableError', async () => {
    const verifier = await warm()
    await server.stop()
    await assert.rejects(verifier.verify(tokenOf(three)), unavailable)
    await verifier.verify(tokenOf(one))
  })

  it('verifySync accepts a rotated key a moment later', async () => {
    const verifier = await warm()
    server.keys = [three]
    assert.throws(() => verifier.verifySync(tokenOf(three)), refusedFor('kid'))
    // verify shares the refresh that verifySync has started.
    await verifier.verify(tokenOf(three))
    verifier.verifySync(tokenOf(three))
    assert.equal(server.hits, 2)
  })
})

describe('forged tokens', () => {
  const forge = (n: number) =>
    signToken(three, accessClaims(server.issuer, clock.now()), { alg: 'RS256', kid: `forged-${n}` })

  it('with changing key ids cause at most one fetch in five seconds', async () => {
    const verifier = await warm()
    const before = server.hits
    for (let second = 0; second < 60; second++) {
      const flood = Array.from({ length: 20 }, (_, n) => verifier.verify(forge(second * 20 + n)))
      for (const { status } of await Promise.allSettled(flood)) assert.equal(status, 'rejected')
      clock.advance(1_000)
    }
    assert.equal(server.hits - before, 12)
    await verifier.verify(tokenOf(one))
  })

  it('do not prevent a rotated key from being found within five seconds', async () => {
    const verifier = await warm()
    await assert.rejects(verifier.verify(forge(1)), refusedFor('kid'))
    server.keys = [three]
    await assert.rejects(verifier.verify(tokenOf(three)), refusedFor('kid'))
    clock.advance(5_000)
    await verifier.verify(tokenOf(three))
  })

  it('with one key id cause one fetch in ten seconds', async () => {
    const verifier = await warm()
    const before = server.hits
    for (let second = 0; second < 60; second++) {
      await assert.rejects(verifier.verify(forge(1)), refusedFor('kid'))
      clock.advance(1_000)
    }
    assert.equal(server.hits - before, 6)
  })

  it('cause no fetch if their claims, issuer or algorithm would be refused', async () => {
    const verifier = await warm()
    const expired = accessClaims(server.issuer, clock.now() - 2 * HOUR)
    await assert.rejects(verifier.verify(signToken(three, expired)), refusedFor('exp'))
    const foreign = accessClaims('https://cognito-idp.us-west-2.amazonaws.com/us-west-2_Other', clock.now())
    await assert.rejects(verifier.verify(signToken(three, foreign)), refusedFor('iss'))
    const none = signToken(three, accessClaims(server.issuer, clock.now()), { alg: 'none', kid: 'x' })
    await assert.rejects(verifier.verify(none), refusedFor('alg'))
    assert.equal(server.hits, 1)
  })

  it('on a cold start cause one fetch', async () => {
    const verifier = start()
    await assert.rejects(verifier.verify(forge(1)), refusedFor('kid'))
    assert.equal(server.hits, 1)
  })
})

describe('fetching keys', () => {
  it('happens once for all waiting callers', async () => {
    const verifier = start()
    await Promise.all(Array.from({ length: 50 }, (_, n) => verifier.verify(tokenOf(n % 2 ? one : two))))
    assert.equal(server.hits, 1)
  })

  it('happens in the background once warm: no request waits for an address that hangs', async () => {
    const verifier = await warm()
    const held: ServerResponse[] = []
    server.answer = (response) => void held.push(response)
    clock.advance(11 * MINUTE)
    for (let n = 0; n < 100; n++) await verifier.verify(tokenOf(one))
    assert.equal(verifier.state[0]?.state, 'stale')
    clock.advance(3_000)
    await verifier.settled()
    assert.deepEqual(types(), ['refreshed', 'refresh-failed'])
    assert.ok(held.length <= 1)
  })

  it('happens by a timer, so that keys in use never become stale', async () => {
    const verifier = await warm({ refreshTimer: true })
    for (let hits = 2; hits < 8; hits++) {
      for (let second = 0; second < 525; second++) {
        clock.advance(1_000)
        assert.equal(verifier.state[0]?.state, 'fresh')
        await verifier.settled()
      }
      assert.equal(server.hits, hits)
    }
    verifier.close()
    assert.equal(clock.pending, 0)
  })

  it('uses a timer that does not keep a dropped verifier alive', async () => {
    setFlagsFromString('--expose-gc')
    const gc: () => void = runInNewContext('gc')
    const pause = () => new Promise((resolve) => setImmediate(resolve))
    let asked = 0
    const fetch: VerifierOptions['fetch'] = (address, init) => {
      asked++
      return globalThis.fetch(address, init)
    }
    const held = await (async () => {
      const verifier = await warm({ refreshTimer: true, fetch })
      return new WeakRef(verifier)
    })()
    for (let n = 0; n < 50 && held.deref() !== undefined; n++) {
      await pause()
      gc()
    }
    assert.equal(held.deref(), undefined)
    assert.equal(clock.pending, 1)
    clock.advance(HOUR)
    assert.equal(clock.pending, 0)
    assert.equal(asked, 1)
  })

  it('sends no request before the first token', () => {
    start({ refreshTimer: true })
    assert.equal(clock.pending, 0)
    assert.equal(server.hits, 0)
  })

  const misbehaviours: [string, RegExp, (response: ServerResponse) => void][] = [
    ['an error', /responds with HTTP 500$/, (response) => response.writeHead(500).end(JSON.stringify(jwksOf(one)))],
    [
      'a redirect',
      /responds with a redirect$/,
      (response) => response.writeHead(302, { location: '/elsewhere' }).end(),
    ],
    ['HTML', /not JSON$/, (response) => response.end('<html>')],
    ['JSON of another kind', /not a JSON Web Key Set$/, (response) => response.end('{"keys":{}}')],
    [
      'too many bytes',
      /longer than 65536 bytes$/,
      (response) => response.end(`{"keys":[],"x":"${'x'.repeat(70_000)}"}`),
    ],
    ['too many bytes, in chunks', /longer than 65536 bytes$/, (response) => void endless(response)],
    ['too many keys', /more than 100 keys$/, (response) => response.end(JSON.stringify({ keys: Array(101).fill({}) }))],
    ['half a response', /unreachable$/, (response) => response.write('{"keys":', () => response.destroy())],
  ]
  for (const [what, message, answer] of misbehaviours) {
    it(`an address that serves ${what} is ignored, and the next one is tried`, async () => {
      const bad = await publish([])
      bad.answer = answer
      const verifier = start({ jwksUris: [bad.url] })
      const error: unknown = await verifier.ready().catch((caught) => caught)
      assert.ok(error instanceof KeysUnavailableError)
      assert.match((error.cause as AggregateError).errors[0].message, message)
      await start({ jwksUris: [bad.url, server.url] }).verify(tokenOf(one))
    })
  }

  async function endless(response: ServerResponse) {
    response.write('{"keys":[],"x":"')
    const closed = once(response, 'close')
    const more = () => {
      if (!response.closed) response.write('x'.repeat(16_384), more)
    }
    more()
    await closed
  }

  it('an address that does not respond times out after three seconds, through headers and body', async () => {
    for (const answer of [() => {}, (response: ServerResponse) => void response.write('{"keys":')]) {
      const arrived = new Promise<void>((resolve) => {
        server.answer = (response) => {
          answer(response)
          resolve()
        }
      })
      const verifier = start()
      const ready = verifier.ready()
      await Promise.all([
        arrived,
        assert.rejects(Promise.race([ready, arrived.then(() => clock.advance(3_000)).then(() => ready)]), unavailable),
      ])
      const [cause] = (((await verifier.ready().catch((error) => error)) as Error).cause as AggregateError).errors
      assert.match(cause.message, /no response within 3000 ms$/)
    }
  })

  it('after half a second without a response the next address is tried, and the slow one comes last for a minute', async () => {
    const other = await publish([one, two])
    const arrived = new Promise<void>((resolve) => {
      server.answer = () => resolve()
    })
    const verifier = start({ jwksUris: [server.url, other.url] })
    const verified = verifier.verify(tokenOf(one))
    await arrived
    assert.equal(other.hits, 0)
    clock.advance(500)
    await verified
    assert.deepEqual([server.hits, other.hits], [1, 1])
    server.answer = undefined
    await verifier.refresh()
    assert.deepEqual([server.hits, other.hits], [1, 2])
    clock.advance(MINUTE)
    await verifier.refresh()
    assert.deepEqual([server.hits, other.hits], [2, 2])
  })

  it('one key set verifies all issuers of a pool, and none of another pool', async () => {
    const foreign = await publish([three])
    const shared = 'https://issuer-cognito-idp.us-west-2.amazonaws.com/us-west-2_Ab1Cd2Ef3'
    const pool = { tokenUse: 'access', clientIds: CLIENT } as const
    const verifier = createVerifier({
      pools: [
        { ...pool, issuers: [server.issuer, shared], jwksUris: [server.url] },
        { ...pool, issuers: [foreign.issuer] },
      ],
      clock,
      refreshTimer: false,
    })
    await verifier.ready()
    const sign = (key: IssuerKey, issuer: string) => signToken(key, accessClaims(issuer, clock.now()))
    await verifier.verify(sign(one, server.issuer))
    await verifier.verify(sign(one, shared))
    await verifier.verify(sign(three, foreign.issuer))
    await assert.rejects(verifier.verify(sign(one, foreign.issuer)), refusedFor('kid'))
    await assert.rejects(verifier.verify(sign(three, shared)), refusedFor('kid'))
  })

  it('when the first region is down, keys come from the second', async () => {
    const other = await publish([one, two])
    await server.stop()
    const verifier = start({ jwksUris: [server.url, other.url] })
    await verifier.verify(tokenOf(one))
    assert.equal(other.hits, 1)
  })

  it('keys of other types, and keys that are too short, are skipped', async () => {
    const short = makeKey('short=', 1024)
    const jwks = {
      keys: [
        short.jwk,
        { ...two.jwk, kid: 'for-encryption', use: 'enc' },
        { ...two.jwk, kid: 'other-alg', alg: 'PS256' },
        { ...two.jwk, kid: 'even-exponent', e: 'AQAA' },
        { ...two.jwk, kid: 'exponent-one', e: 'AQ' },
        { ...two.jwk, kid: 'not-base64', n: '***' },
        { ...two.jwk, kid: undefined },
        { kty: 'EC', kid: 'curve', crv: 'P-256', x: 'AA', y: 'AA' },
        { kty: 'oct', kid: 'secret', k: 'c2VjcmV0' },
        null,
        'key',
        { ...one.jwk, alg: undefined, use: undefined, x5c: ['ignored'] },
        { ...two.jwk, kid: one.kid },
      ],
    }
    server.answer = (response) => response.end(JSON.stringify(jwks))
    const verifier = start()
    await verifier.verify(tokenOf(one))
    assert.deepEqual(verifier.state[0]?.keyIds, [one.kid])
    await assert.rejects(verifier.verify(tokenOf(short)), refusedFor('kid'))
  })

  it('works the same with WebCrypto and node:crypto', async () => {
    const verifier = start({ signatures: webSignatures })
    await verifier.verify(tokenOf(one))
    await assert.rejects(verifier.verify(tokenOf({ ...three, kid: one.kid })), refusedFor('signature'))
    assert.throws(() => verifier.verifySync(tokenOf(one)), { name: 'VerifierOptionsError' })
  })

  it('verifySync before keys are loaded reports that', async () => {
    const verifier = start()
    assert.throws(() => verifier.verifySync(tokenOf(one)), unavailable)
    await verifier.ready()
    assert.equal(verifier.verifySync(tokenOf(one)).client_id, CLIENT)
    assert.equal(server.hits, 1)
  })

  it('a listener that throws has no effect', async () => {
    const onEvent = () => assert.fail('a listener of the caller')
    await start({ onEvent }).verify(tokenOf(one))
  })
})

describe('a seed in a file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'twinpool-verifier-'))
  after(() => rm(folder, { recursive: true }))

  it('holds the keys of an earlier verifier', async () => {
    const path = join(folder, 'seed.json')
    const verifier = await warm()
    const snapshot = verifier.snapshot(server.issuer)
    assert.ok(snapshot)
    await saveSeed(path, snapshot)
    await server.stop()
    clock.advance(HOUR)
    const next = start({ seed: seedFile(path) })
    await next.verify(tokenOf(two))
    assert.equal(next.state[0]?.ageMs, HOUR)
    assert.equal(JSON.parse(await readFile(path, 'utf8')).fetchedAt, snapshot.fetchedAt)
  })

  it('may be a published key set', async () => {
    const path = join(folder, 'jwks.json')
    await writeFile(path, JSON.stringify(jwksOf(one)))
    await server.stop()
    await start({ seed: seedFile(path) }).verify(tokenOf(one))
  })

  it('that is missing causes only an event', async () => {
    await start({ seed: seedFile(join(folder, 'none.json')) }).verify(tokenOf(one))
    assert.deepEqual(types(), ['seed-failed', 'refreshed'])
  })
})
