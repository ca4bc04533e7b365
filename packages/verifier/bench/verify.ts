/**
 * Compares the throughput of this package with aws-jwt-verify: warm, same keys, same tokens, same process, alternating rounds.
 *
 *   node --conditions=twinpool-source packages/verifier/bench/verify.ts [--json] [--quick]
 *
 * With --json, the last line is `{name, rows: [{what, peer, ours, theirs, ratio}]}`, in tokens per second. A ratio is the
 * median over the rounds, and above 1 if this package is faster.
 */
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { CognitoJwtVerifier } from 'aws-jwt-verify'
import { cognitoPool, createVerifier, webSignatures } from '../src/index.ts'

const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 7 : 21
const ROUND_MS = quick ? 150 : 500

const userPoolId = 'us-west-2_Ab1Cd2Ef3'
const issuer = `https://cognito-idp.us-west-2.amazonaws.com/${userPoolId}`
const clientId = '1example23456789'

function makeKey(kid: string) {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' } }
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

function makeToken({ kid, privateKey }: { kid: string; privateKey: KeyObject }, claims: object): string {
  const now = Math.floor(Date.now() / 1000)
  const times = { iss: issuer, auth_time: now, iat: now, exp: now + 3600, jti: randomUUID(), sub: randomUUID() }
  const input = `${encode({ kid, alg: 'RS256' })}.${encode({ ...times, ...claims })}`
  return `${input}.${sign('RSA-SHA256', Buffer.from(input), privateKey).toString('base64url')}`
}

const [accessKey, idKey] = [makeKey('access-key='), makeKey('id-key=')]
const jwks = { keys: [accessKey.jwk, idKey.jwk] }

// Alternate between many tokens, as a server does: caching a single token must not improve a result.
const userClaims = () => ({
  event_id: randomUUID(),
  origin_jti: randomUUID(),
  'cognito:groups': ['readers', 'editors'],
})
const accessTokens = Array.from({ length: 100 }, () =>
  makeToken(accessKey, {
    ...userClaims(),
    token_use: 'access',
    client_id: clientId,
    scope: 'aws.cognito.signin.user.admin notes/read',
    username: randomUUID(),
  }),
)
const idTokens = Array.from({ length: 100 }, (_, index) =>
  makeToken(idKey, {
    ...userClaims(),
    token_use: 'id',
    aud: clientId,
    'cognito:username': randomUUID(),
    email: `person${index}@example.com`,
    email_verified: true,
    name: `Person ${index}`,
  }),
)

function ours(tokenUse: 'access' | 'id', signatures?: typeof webSignatures) {
  const pool = { ...cognitoPool({ userPoolId }), tokenUse, clientIds: clientId, seed: { jwks, fetchedAt: Date.now() } }
  return createVerifier({ pools: [pool], refreshTimer: false, signatures })
}

function theirs(tokenUse: 'access' | 'id') {
  const verifier = CognitoJwtVerifier.create({ userPoolId, tokenUse, clientId })
  verifier.cacheJwks(jwks as never)
  return verifier
}

type Run = (token: string) => unknown

/** Tokens per second, verified sequentially. */
async function measure(run: Run, tokens: readonly string[], ms: number): Promise<number> {
  const start = performance.now()
  let count = 0
  let elapsed = 0
  while (elapsed < ms) {
    for (const token of tokens) await run(token)
    count += tokens.length
    elapsed = performance.now() - start
  }
  return (count / elapsed) * 1000
}

/** Like `measure`, but without awaiting each token. */
function measureSync(run: Run, tokens: readonly string[], ms: number): number {
  const start = performance.now()
  let count = 0
  let elapsed = 0
  while (elapsed < ms) {
    for (const token of tokens) run(token)
    count += tokens.length
    elapsed = performance.now() - start
  }
  return (count / elapsed) * 1000
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] as number

async function compare(
  what: string,
  tokens: readonly string[],
  runOurs: Run,
  runTheirs: Run,
  gauge: typeof measure | typeof measureSync,
) {
  const rates = { ours: [] as number[], theirs: [] as number[], ratio: [] as number[] }
  await gauge(runOurs, tokens, ROUND_MS)
  await gauge(runTheirs, tokens, ROUND_MS)
  for (let round = 0; round < ROUNDS; round++) {
    // Alternate which package goes first.
    const oursFirst = round % 2 === 0
    const a = await gauge(oursFirst ? runOurs : runTheirs, tokens, ROUND_MS)
    const b = await gauge(oursFirst ? runTheirs : runOurs, tokens, ROUND_MS)
    const [ourRate, theirRate] = oursFirst ? [a, b] : [b, a]
    rates.ours.push(ourRate)
    rates.theirs.push(theirRate)
    rates.ratio.push(ourRate / theirRate)
  }
  const row = {
    what,
    peer: 'aws-jwt-verify',
    ours: Math.round(median(rates.ours)),
    theirs: Math.round(median(rates.theirs)),
    ratio: Number(median(rates.ratio).toFixed(2)),
  }
  process.stdout.write(`${what.padEnd(34)} ${row.ours} tokens/s, aws-jwt-verify ${row.theirs}, ratio ${row.ratio}\n`)
  return row
}

const access = { ours: ours('access'), theirs: theirs('access') }
const id = { ours: ours('id'), theirs: theirs('id') }
const web = ours('access', webSignatures)
await Promise.all([access.ours.ready(), id.ours.ready(), web.ready()])
const refused = `${accessTokens[0]?.slice(0, -8)}AAAAAAAA`
const attempt = (verify: (token: string) => Promise<unknown>) => (token: string) => verify(token).catch(() => {})

const rows = [
  await compare(
    'access token',
    accessTokens,
    (t) => access.ours.verify(t),
    (t) => access.theirs.verify(t),
    measure,
  ),
  await compare(
    'ID token',
    idTokens,
    (t) => id.ours.verify(t),
    (t) => id.theirs.verify(t),
    measure,
  ),
  await compare(
    'access token, verifySync',
    accessTokens,
    (t) => access.ours.verifySync(t),
    (t) => access.theirs.verifySync(t),
    measureSync,
  ),
  await compare(
    'forged signature',
    [refused],
    attempt((t) => access.ours.verify(t)),
    attempt((t) => access.theirs.verify(t)),
    measure,
  ),
]
if (!quick) {
  // The cost on a runtime without node:crypto; aws-jwt-verify still uses node:crypto here.
  rows.push(
    await compare(
      'access token, ours on WebCrypto',
      accessTokens,
      (t) => web.verify(t),
      (t) => access.theirs.verify(t),
      measure,
    ),
  )
}
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ name: 'verifier', rows })}\n`)
