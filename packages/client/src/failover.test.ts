import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  type CognitoIdentityProviderClient,
  DescribeUserPoolCommand,
  GetTokensFromRefreshTokenCommand,
  GetUserCommand,
  type GetUserCommandOutput,
  GlobalSignOutCommand,
  InitiateAuthCommand,
  RespondToAuthChallengeCommand,
  SignUpCommand,
  UpdateUserPoolCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { createFakeClock, type FakeClock } from '@twinpool/testing/fake-clock'
import {
  breaks,
  hangsUp,
  isInactive,
  isSilent,
  ok,
  PlayRegion,
  refuse,
  serves,
  throttles,
} from '@twinpool/testing/play-region'
import {
  AllRegionsFailedError,
  ChallengeLostError,
  ClientClosedError,
  createTwinpoolClient,
  DeadlineError,
  OutcomeUnknownError,
  RegionUnavailableError,
  type TwinpoolClient,
  type TwinpoolClientOptions,
  type TwinpoolEvents,
} from './index.ts'

const ClientId = '1example23456789'
const signIn = () =>
  new InitiateAuthCommand({
    AuthFlow: 'USER_PASSWORD_AUTH',
    ClientId,
    AuthParameters: { USERNAME: 'ana', PASSWORD: 'Passw0rd!x' },
  })
const refresh = () => new GetTokensFromRefreshTokenCommand({ ClientId, RefreshToken: 'r' })
const signUp = () => new SignUpCommand({ ClientId, Username: 'ana', Password: 'Passw0rd!x' })
const answer = (more: { Session?: string; ChallengeResponses?: Record<string, string> }, name = 'SMS_MFA') =>
  new RespondToAuthChallengeCommand({ ClientId, ChallengeName: name as 'SMS_MFA', ...more })

/** The SDK client interface that this package needs, with a counter of requests. */
type RegionClient = {
  config: unknown
  send(command: GetUserCommand, options: object): Promise<GetUserCommandOutput>
}

type Plane = {
  west: PlayRegion
  east: PlayRegion
  client: TwinpoolClient
  clock: FakeClock
  /** Requests in flight on real sockets. */
  flights: { open: number }
  attempts: TwinpoolEvents['attempt'][]
  requests: TwinpoolEvents['request'][]
  moves: string[]
}

const endings: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

async function play(options: Partial<TwinpoolClientOptions<RegionClient>> = {}): Promise<Plane> {
  const west = await new PlayRegion('us-west-2').start()
  const east = await new PlayRegion('us-east-1').start()
  const sdk = { 'us-west-2': west.client(), 'us-east-1': east.client() }
  const flights = { open: 0 }
  const counted = (inner: CognitoIdentityProviderClient): RegionClient => ({
    config: inner.config,
    send: (command, sdkOptions) => {
      flights.open += 1
      return inner.send(command, sdkOptions).finally(() => {
        flights.open -= 1
      })
    },
  })
  const regions = { 'us-west-2': counted(sdk['us-west-2']), 'us-east-1': counted(sdk['us-east-1']) }
  const clock = createFakeClock()
  const client = createTwinpoolClient({ regions, primary: 'us-west-2', clock, ...options })
  const plane: Plane = { west, east, client, clock, flights, attempts: [], requests: [], moves: [] }
  client.on('attempt', (event) => plane.attempts.push(event))
  client.on('request', (event) => plane.requests.push(event))
  for (const name of ['failover', 'failback', 'degraded', 'recovered'] as const) {
    client.on(name, () => plane.moves.push(name))
  }
  endings.push(
    () => client.close(),
    ...Object.values(sdk).map((each) => () => each.destroy()),
    () => west.kill(),
    () => east.kill(),
  )
  return plane
}

const tried = ({ attempts }: Plane) =>
  attempts.filter(({ probe }) => !probe).map(({ region, outcome }) => `${region} ${outcome}`)

/** Advances the clock, so that probes run, until the condition holds. */
async function until({ clock, flights }: Plane, condition: () => boolean): Promise<void> {
  for (let round = 0; !condition(); round += 1) {
    assert.ok(round < 2_000, 'the condition never held')
    await clock.advanceAndSettle(50)
    // Do not advance the clock while a request is in flight on a real socket.
    while (flights.open > 0) await new Promise((resolve) => setImmediate(resolve))
  }
}

test('sign-in goes to the preferred region, and writes go to the primary', async () => {
  const plane = await play({ prefer: 'us-east-1' })
  await plane.client.send(signIn())
  await plane.client.send(signUp())
  await plane.client.send(new GetUserCommand({ AccessToken: 't' }))
  assert.deepEqual(plane.east.asked, ['InitiateAuth', 'GetUser'])
  assert.deepEqual(plane.west.asked, ['SignUp'])
  assert.equal(plane.client.state.region, 'us-east-1')
})

test('when the primary is killed every sign-in, refresh and read is served by the other region, without the SDK retrying', async () => {
  const plane = await play()
  const { client, west, east } = plane
  await client.send(signIn())
  await west.kill()
  for (const command of [
    signIn(),
    refresh(),
    new AdminGetUserCommand({ UserPoolId: 'us-west-2_EXAMPLE12', Username: 'ana' }),
  ]) {
    await client.send(command as ReturnType<typeof signIn>)
  }
  assert.deepEqual(east.asked, ['InitiateAuth', 'GetTokensFromRefreshToken', 'AdminGetUser'])
  assert.deepEqual(tried(plane), [
    'us-west-2 success',
    'us-west-2 transportFailure',
    'us-east-1 success',
    'us-west-2 transportFailure',
    'us-east-1 success',
    'us-east-1 success',
  ])
  assert.deepEqual(plane.moves, ['failover', 'degraded'])
  assert.deepEqual(
    plane.requests.map(({ kind, result, attempts }) => `${kind} ${result} ${attempts}`),
    ['signIn served 1', 'signIn served 2', 'refresh served 2', 'read served 1'],
  )
})

test('with default settings and default SDK clients, first success after a kill takes less than a second by the wall clock', async () => {
  const { client, west } = await play({ clock: undefined })
  await client.send(signIn())
  const killedAt = performance.now()
  await west.kill()
  await client.send(signIn())
  assert.ok(performance.now() - killedAt < 1_000)
})

test('a region that does not respond is abandoned after the attempt timeout, and the other region serves the request', async () => {
  const plane = await play()
  plane.west.behaviour = isSilent
  const signedIn = plane.client.send(signIn())
  await plane.west.received(1)
  await plane.clock.advanceAndSettle(599)
  assert.equal(plane.east.asked.length, 0)
  await plane.clock.advanceAndSettle(1)
  await signedIn
  assert.deepEqual(tried(plane), ['us-west-2 timeout', 'us-east-1 success'])
})

test('the last usable region gets more time than the attempt timeout', async () => {
  const plane = await play()
  await plane.west.kill()
  for (let n = 0; n < 2; n += 1) await plane.client.send(signIn())
  plane.east.behaviour = isSilent
  const failed = assert.rejects(plane.client.send(signIn()), AllRegionsFailedError)
  await plane.east.received(3)
  await plane.clock.advanceAndSettle(9_999)
  assert.equal(plane.attempts.filter(({ probe, outcome }) => !probe && outcome === 'timeout').length, 0)
  await plane.clock.advanceAndSettle(1)
  await failed
})

for (const [what, behaviour, outcome] of [
  ['responds with HTTP 500', breaks, 'serverError'],
  ['hangs up', hangsUp, 'transportFailure'],
  ['responds with a proxy’s page', () => ({ status: 502, body: '<html>Bad gateway</html>' }), 'serverError'],
  ['responds with nonsense', () => ({ status: 200, body: '<html>Welcome to the hotel</html>' }), 'transportFailure'],
  ['does not serve the pool', isInactive, 'notEnabled'],
] as const) {
  test(`a sign-in fails over when the region ${what}`, async () => {
    const plane = await play()
    plane.west.behaviour = behaviour
    await plane.client.send(signIn())
    assert.deepEqual(tried(plane), [`us-west-2 ${outcome}`, 'us-east-1 success'])
    assert.equal(plane.west.asked.length, 1)
  })
}

test('a throttled request is retried in the same region within its budget, then fails over', async () => {
  const plane = await play()
  plane.west.behaviour = throttles
  const signedIn = plane.client.send(signIn())
  await until(plane, () => plane.east.asked.length > 0)
  await signedIn
  assert.deepEqual(tried(plane), [...Array(3).fill('us-west-2 throttled'), 'us-east-1 success'])
  assert.equal(plane.client.state.regions['us-west-2']?.state, 'SUSPECT')
  assert.equal(plane.client.state.region, 'us-west-2', 'throttling alone moves nobody else')
})

test('all requests share one budget of throttling retries per region', async () => {
  const plane = await play({ throttleBackoffMs: 0 })
  plane.west.behaviour = throttles
  const signIns = Promise.all(Array.from({ length: 30 }, () => plane.client.send(signIn())))
  await until(plane, () => plane.east.asked.length === 30)
  await signIns
  assert.equal(plane.west.asked.length, 30 + 20)
})

test('when every region throttles, the caller gets the error of the service', async () => {
  const plane = await play({ throttleRetries: 0 })
  plane.west.behaviour = throttles
  plane.east.behaviour = throttles
  await assert.rejects(plane.client.send(signIn()), { name: 'TooManyRequestsException' })
})

for (const name of [
  'NotAuthorizedException',
  'UserNotFoundException',
  'UserNotConfirmedException',
  'PasswordResetRequiredException',
  'CodeMismatchException',
  'InvalidParameterException',
  'ResourceNotFoundException',
  'LimitExceededException',
  'ForbiddenException',
  'RefreshTokenReuseException',
  'UserLambdaValidationException',
  'UnheardOfException',
]) {
  test(`${name} reaches the caller unchanged and is not retried in another region`, async () => {
    const plane = await play()
    plane.west.behaviour = () => refuse(name)
    await assert.rejects(plane.client.send(signIn()), { name })
    assert.deepEqual(plane.east.asked, [])
    assert.equal(plane.client.state.regions['us-west-2']?.state, 'HEALTHY')
    assert.deepEqual(
      plane.requests.map(({ result, error }) => `${result} ${error}`),
      [`refused ${name}`],
    )
  })
}

for (const [what, behaviour] of [
  ['breaks the connection', hangsUp],
  ['responds with HTTP 500', breaks],
] as const) {
  test(`a write is sent once, and its outcome is reported as unknown, when the primary ${what}`, async () => {
    const plane = await play()
    plane.west.behaviour = behaviour
    await assert.rejects(plane.client.send(signUp()), (error) => {
      assert.ok(error instanceof OutcomeUnknownError)
      assert.equal(error.operation, 'SignUp')
      assert.equal(error.region, 'us-west-2')
      return true
    })
    assert.deepEqual([plane.west.asked.length, plane.east.asked.length], [1, 0])
  })
}

test('a write without a response has an unknown outcome', async () => {
  const plane = await play()
  plane.west.behaviour = isSilent
  const failed = assert.rejects(plane.client.send(signUp(), { timeoutMs: 2_000 }), OutcomeUnknownError)
  await plane.west.received(1)
  await plane.clock.advanceAndSettle(2_000)
  await failed
  assert.equal(plane.east.asked.length, 0)
})

test('a write that could not be sent is reported as not executed', async () => {
  const plane = await play()
  await plane.west.kill()
  await assert.rejects(plane.client.send(signUp()), RegionUnavailableError)
  await assert.rejects(plane.client.send(signUp()), RegionUnavailableError)
  assert.equal(plane.client.state.canWrite, false)
  assert.equal(plane.east.asked.length, 0)
})

test('a write to a primary that is known not to respond fails at once', async () => {
  const plane = await play({ probe: false })
  plane.west.behaviour = isSilent
  const signIns = Array.from({ length: 4 }, () => plane.client.send(signIn()))
  await plane.west.received(4)
  await plane.clock.advanceAndSettle(600)
  await Promise.all(signIns)
  assert.equal(plane.client.state.canWrite, false)
  const before = plane.west.asked.length
  await assert.rejects(plane.client.send(signUp()), (error) => {
    assert.ok(error instanceof RegionUnavailableError)
    assert.ok(error.cause instanceof DeadlineError)
    return true
  })
  assert.equal(plane.west.asked.length, before)
})

test('a refused write is passed on and does not count against the primary', async () => {
  const plane = await play()
  plane.west.behaviour = isInactive
  for (let n = 0; n < 3; n += 1) {
    await assert.rejects(plane.client.send(signUp()), { name: 'OperationNotEnabledException' })
  }
  assert.equal(plane.client.state.canWrite, true)
  assert.equal(plane.east.asked.length, 0)
})

test('calls about regional settings are never redirected', async () => {
  const plane = await play({ prefer: 'us-east-1' })
  const UserPoolId = 'us-west-2_EXAMPLE12'
  await plane.client.send(new DescribeUserPoolCommand({ UserPoolId }))
  await plane.client.send(new UpdateUserPoolCommand({ UserPoolId }))
  await plane.client.send(new UpdateUserPoolCommand({ UserPoolId }), { region: 'us-east-1' })
  assert.deepEqual(plane.west.asked, ['DescribeUserPool', 'UpdateUserPool'])
  assert.deepEqual(plane.east.asked, ['UpdateUserPool'])
  await plane.west.kill()
  await assert.rejects(plane.client.send(new DescribeUserPoolCommand({ UserPoolId })), RegionUnavailableError)
  await assert.rejects(plane.client.send(new UpdateUserPoolCommand({ UserPoolId })), RegionUnavailableError)
  assert.equal(plane.east.asked.length, 1)
})

test('when every region fails, the error has the cause in each region', async () => {
  const plane = await play()
  await plane.west.kill()
  plane.east.behaviour = breaks
  await assert.rejects(plane.client.send(signIn()), (error) => {
    assert.ok(error instanceof AllRegionsFailedError && error instanceof AggregateError)
    assert.equal((error.causes['us-west-2'] as { code: string }).code, 'ECONNREFUSED')
    assert.equal((error.causes['us-east-1'] as Error).name, 'InternalErrorException')
    return true
  })
})

test('a challenge response goes to the region that issued the challenge, whichever region is preferred now', async () => {
  for (const more of [
    { Session: 'session-of-east-0123456789' },
    { ChallengeResponses: { USERNAME: 'ana', PASSWORD_CLAIM_SECRET_BLOCK: 'block-of-east' } },
  ]) {
    const plane = await play()
    const challenge = { ChallengeName: 'PASSWORD_VERIFIER', ChallengeParameters: { SECRET_BLOCK: 'block-of-east' } }
    plane.east.behaviour = (operation) =>
      operation === 'InitiateAuth' ? ok({ ...challenge, Session: 'session-of-east-0123456789' }) : ok()
    plane.west.behaviour = breaks
    await plane.client.send(signIn())
    plane.west.behaviour = serves
    await plane.client.send(answer(more))
    assert.deepEqual(plane.east.asked, ['InitiateAuth', 'RespondToAuthChallenge'])
  }
})

test('when the region that issued a portable challenge dies, the response goes to the other region', async () => {
  const plane = await play()
  plane.west.behaviour = () => ok({ ChallengeName: 'SMS_MFA', Session: 'session-of-west-0123456789' })
  const { Session } = await plane.client.send(signIn())
  await plane.west.kill()
  await plane.client.send(answer({ Session }))
  assert.deepEqual(plane.east.asked, ['RespondToAuthChallenge'])
})

test('when the region that issued a pinned challenge dies, the caller gets ChallengeLostError', async () => {
  const plane = await play({ challenges: 'pinned' })
  plane.west.behaviour = () => ok({ ChallengeName: 'SMS_MFA', Session: 'session-of-west-0123456789' })
  const { Session } = await plane.client.send(signIn())
  await plane.west.kill()
  await assert.rejects(plane.client.send(answer({ Session })), ChallengeLostError)
  assert.deepEqual(plane.east.asked, [])
})

test('a challenge response that the issuing region refuses goes to the other region, and the issuing region stays in use', async () => {
  const plane = await play({ prefer: 'us-east-1' })
  plane.east.behaviour = (operation) =>
    operation === 'InitiateAuth'
      ? ok({ ChallengeName: 'SOFTWARE_TOKEN_MFA', Session: 'session-of-east-0123456789' })
      : isInactive(operation, {})
  for (let n = 0; n < 4; n += 1) {
    const { Session } = await plane.client.send(signIn())
    await plane.client.send(answer({ Session }, 'SOFTWARE_TOKEN_MFA'))
  }
  assert.equal(plane.west.asked.length, 4)
  assert.equal(plane.client.state.region, 'us-east-1')
})

test('a challenge response that sets a password is a write: sent once, to the primary', async () => {
  const plane = await play({ prefer: 'us-east-1' })
  plane.east.behaviour = () => ok({ ChallengeName: 'NEW_PASSWORD_REQUIRED', Session: 'session-of-east-0123456789' })
  plane.west.behaviour = hangsUp
  const { Session } = await plane.client.send(signIn())
  await assert.rejects(plane.client.send(answer({ Session }, 'NEW_PASSWORD_REQUIRED')), OutcomeUnknownError)
  assert.deepEqual(plane.west.asked, ['RespondToAuthChallenge'])
  assert.deepEqual(plane.east.asked, ['InitiateAuth'])
})

test('traffic returns only after enough successes over enough time, and probes need no user', async () => {
  const plane = await play()
  const { client, clock, west, east } = plane
  await west.kill()
  await client.send(signIn())
  await client.send(signIn())
  assert.equal(client.state.region, 'us-east-1')
  assert.equal(client.state.canWrite, false)
  await clock.advanceAndSettle(3_000)
  await west.start()
  await until(plane, () => client.state.canWrite)
  assert.equal(client.state.regions['us-west-2']?.state, 'RECOVERING')
  const risenAt = client.state.regions['us-west-2']?.since ?? 0
  const before = east.asked.length
  await client.send(signIn())
  assert.equal(east.asked.length, before + 1, 'sign-ins stay where they are for now')
  await until(plane, () => client.state.region === 'us-west-2')
  assert.ok(clock.now() - risenAt >= 10_000)
  assert.deepEqual(plane.moves, ['failover', 'degraded', 'failback', 'recovered'])
  assert.equal(client.state.degraded, false)
  await client.send(signIn())
  assert.equal(west.asked.at(-1), 'InitiateAuth')
  assert.equal(clock.pending, 0, 'nothing is probed while all is well')
})

test('a region that fails during recovery does not get its traffic back', async () => {
  const plane = await play()
  const { client, clock, west } = plane
  await west.kill()
  for (let n = 0; n < 2; n += 1) await client.send(signIn())
  await west.start()
  await until(plane, () => client.state.canWrite)
  west.behaviour = breaks
  await until(plane, () => !client.state.canWrite)
  await clock.advanceAndSettle(20_000)
  assert.deepEqual(plane.moves, ['failover', 'degraded'])
})

test('without a probe, one real request at a time tests the region', async () => {
  const plane = await play({ probe: false })
  const { client, clock, west } = plane
  await west.kill()
  for (let n = 0; n < 2; n += 1) await client.send(signIn())
  await west.start()
  await client.send(signIn())
  assert.equal(west.asked.length, 0)
  await clock.advanceAndSettle(1_000)
  await client.send(signIn())
  assert.equal(west.asked.length, 1)
  assert.equal(client.state.regions['us-west-2']?.state, 'RECOVERING')
})

test('a probe function of the caller is used, and a modelled exception of the service counts as alive', async () => {
  const asked: string[] = []
  const plane = await play({
    probe: (sdk, { region, signal }) => {
      asked.push(region)
      return sdk.send(new GetUserCommand({ AccessToken: 'twinpool.probe' }), { abortSignal: signal })
    },
  })
  await plane.west.kill()
  for (let n = 0; n < 2; n += 1) await plane.client.send(signIn())
  await plane.west.start()
  await until(plane, () => plane.client.state.regions['us-west-2']?.state === 'HEALTHY')
  assert.ok(asked.length >= 3 && asked.every((region) => region === 'us-west-2'))
})

test('an occasional slow response does not move the traffic', async () => {
  const plane = await play()
  for (let n = 0; n < 10; n += 1) {
    plane.west.behaviour = isSilent
    const slow = plane.client.send(signIn())
    await plane.west.received(plane.west.asked.length + 1)
    await plane.clock.advanceAndSettle(600)
    await slow
    plane.west.behaviour = serves
    await plane.client.send(signIn())
  }
  assert.deepEqual(plane.moves, [])
})

test('missing credentials are the caller’s error: no other region is tried, and no circuit counts a failure', async () => {
  const plane = await play()
  const error = new Error('no credentials here')
  const sdk = plane.west.client().constructor as unknown as new (config: object) => ReturnType<PlayRegion['client']>
  const broken = new sdk({ region: 'us-west-2', credentials: () => Promise.reject(error) })
  endings.push(() => broken.destroy())
  const client = createTwinpoolClient({
    regions: { 'us-west-2': broken, 'us-east-1': plane.east.client() },
    primary: 'us-west-2',
    clock: plane.clock,
  })
  await assert.rejects(
    client.send(new AdminGetUserCommand({ UserPoolId: 'us-west-2_EXAMPLE12', Username: 'ana' })),
    /no credentials here/,
  )
  assert.deepEqual(plane.east.asked, [])
  assert.equal(client.state.degraded, false)
  client.close()
})

test('an abort by the caller ends the request with its reason, and no circuit counts a failure', async () => {
  const plane = await play()
  plane.west.behaviour = isSilent
  const abort = new AbortController()
  const failed = assert.rejects(plane.client.send(signIn(), { abortSignal: abort.signal }), /changed my mind/)
  await plane.west.received(1)
  abort.abort(new Error('changed my mind'))
  await failed
  assert.equal(plane.client.state.regions['us-west-2']?.state, 'HEALTHY')
  assert.deepEqual(plane.east.asked, [])
})

test('requests in flight when the primary is killed are served by the other region, each exactly once', async () => {
  const plane = await play()
  plane.west.behaviour = isSilent
  const signIns = Array.from({ length: 20 }, () => plane.client.send(signIn()))
  await plane.west.received(20)
  await plane.west.kill()
  await Promise.all(signIns)
  assert.equal(plane.east.asked.length, 20)
  assert.deepEqual(
    plane.requests.map(({ result, attempts }) => `${result} ${attempts}`),
    Array(20).fill('served 2'),
  )
  assert.deepEqual(plane.moves, ['failover', 'degraded'])
})

test('a request signed with a skewed clock is signed again in the same region', async () => {
  const plane = await play()
  const future = new Date(Date.now() + 3_600_000).toUTCString()
  plane.west.behaviour = () =>
    plane.west.asked.length === 0
      ? { ...refuse('InvalidSignatureException', 'Signature expired'), headers: { date: future } }
      : ok({ Username: 'ana' })
  const user = await plane.client.send(new AdminGetUserCommand({ UserPoolId: 'us-west-2_EXAMPLE12', Username: 'ana' }))
  assert.equal(user.Username, 'ana')
  assert.deepEqual(tried(plane), ['us-west-2 businessError', 'us-west-2 success'])
})

test('a listener that throws fails as an uncaught error, not the request', async (t) => {
  const uncaught: (() => void)[] = []
  t.mock.method(globalThis, 'queueMicrotask', (task: () => void) => uncaught.push(task))
  const plane = await play()
  plane.client.on('circuit', () => {
    throw new Error('a fault of the listener')
  })
  plane.west.behaviour = breaks
  await plane.client.send(signIn())
  t.mock.restoreAll()
  assert.ok(uncaught.some((task) => /a fault of the listener/.test(String(outcomeOf(task)))))
})

function outcomeOf(task: () => void): unknown {
  try {
    return task()
  } catch (error) {
    return error
  }
}

test('the caller’s SDK client keeps its own middleware and its own retries', async () => {
  const plane = await play()
  const sdk = plane.west.client()
  endings.push(() => sdk.destroy())
  const seen: string[] = []
  sdk.middlewareStack.add(
    (next, context) => (args) => {
      seen.push(String(context.commandName))
      return next(args)
    },
    { step: 'build', name: 'callersOwn' },
  )
  const before = sdk.middlewareStack.identify()
  const client = createTwinpoolClient({ regions: { 'us-west-2': sdk }, primary: 'us-west-2', clock: plane.clock })
  const output = await client.send(signIn())
  assert.equal(output.$metadata.attempts, 1)
  assert.deepEqual(seen, ['InitiateAuthCommand'])
  assert.deepEqual(sdk.middlewareStack.identify(), before)
  plane.west.behaviour = breaks
  await assert.rejects(sdk.send(signIn()))
  client.close()
})

test('connections are kept alive between requests', async () => {
  const plane = await play()
  const sdk = plane.west.client()
  endings.push(() => sdk.destroy())
  const client = createTwinpoolClient({ regions: { 'us-west-2': sdk }, primary: 'us-west-2', clock: plane.clock })
  const before = plane.west.connections
  for (let n = 0; n < 5; n += 1) await client.send(signIn())
  assert.equal(plane.west.connections - before, 1)
  client.close()
})

test('a command can be sent again after it failed over', async () => {
  const plane = await play()
  const command = signIn()
  plane.west.behaviour = breaks
  await plane.client.send(command)
  plane.west.behaviour = serves
  await plane.client.send(command)
  assert.deepEqual(tried(plane), ['us-west-2 serverError', 'us-east-1 success', 'us-west-2 success'])
})

test('a closed client sends nothing and leaves no timer', async () => {
  const plane = await play()
  await plane.west.kill()
  for (let n = 0; n < 2; n += 1) await plane.client.send(signIn())
  assert.ok(plane.clock.pending > 0)
  plane.client.close()
  assert.equal(plane.clock.pending, 0)
  await assert.rejects(plane.client.send(signIn()), ClientClosedError)
})

test('the state is one object until it changes, and subscribers see each change', async () => {
  const plane = await play()
  const { client, west } = plane
  const seen: boolean[] = []
  const unsubscribe = client.subscribe(({ degraded }) => seen.push(degraded))
  const before = client.state
  await client.send(signIn())
  assert.equal(client.state, before)
  await west.kill()
  await client.send(signIn())
  await client.send(signIn())
  assert.notEqual(client.state, before)
  assert.deepEqual(seen, [false, true])
  unsubscribe()
})

test('no event carries user input or a token', async () => {
  const plane = await play()
  await plane.west.kill()
  await plane.client.send(signIn())
  await plane.client.send(new GlobalSignOutCommand({ AccessToken: 'very-secret-token' }))
  await assert.rejects(plane.client.send(signUp()))
  await assert.rejects(
    plane.client.send(new AdminCreateUserCommand({ UserPoolId: 'us-west-2_EXAMPLE12', Username: 'ana' })),
  )
  const output = JSON.stringify([plane.attempts, plane.requests, plane.client.state])
  assert.doesNotMatch(output, /Passw0rd|very-secret-token|"ana"/)
})

test('contradictory options are refused', () => {
  const regions = { 'us-west-2': { send: async () => ({}) } }
  assert.throws(() => createTwinpoolClient({ regions, primary: 'eu-west-1' }), TypeError)
  assert.throws(() => createTwinpoolClient({ regions, primary: 'us-west-2', prefer: 'eu-west-1' }), TypeError)
  assert.throws(() => createTwinpoolClient({ regions, primary: 'us-west-2', attemptTimeoutMs: 0 }), RangeError)
  assert.throws(() => createTwinpoolClient({ regions, primary: 'us-west-2', recoveryMs: Number.NaN }), RangeError)
})

test('a region receives the complete input of a command', async () => {
  const plane = await play()
  const received: object[] = []
  plane.west.behaviour = (_operation, input) => {
    received.push(input)
    return ok()
  }
  await plane.client.send(signIn())
  await plane.client.send(signUp())
  assert.deepEqual(received, [signIn().input, signUp().input])
})
