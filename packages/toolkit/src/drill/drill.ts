import {
  AdminGetUserCommand,
  CognitoIdentityProviderClient,
  ForgotPasswordCommand,
  GetUserCommand,
  GlobalSignOutCommand,
  InitiateAuthCommand,
  SignUpCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { KMSClient } from '@aws-sdk/client-kms'
import { createTwinpoolClient } from '@twinpool/client'
import type { DevPlane } from '../dev-plane.ts'
import { createServiceCaller } from '../service-call.ts'
import { markOf, startLoad } from './load.ts'
import { inParallel, pause, until } from './pace.ts'
import type { DrillReport } from './report.ts'
import { makeSetting, type Setting } from './setting.ts'

export interface DrillOptions {
  /** A plane of two regions; the drill kills the first one. */
  plane: DevPlane
  /** Number of users in the pool. */
  users: number
  /** Duration of the load before the kill, and of the primary's outage, in milliseconds. */
  warmUp?: number
  outage?: number
  /** Receives a line of text at each step. */
  progress?: (line: string) => void
}

interface Status {
  Peers: { Region: string; LagSeconds?: number | null }[]
}

const CATCH_UP_SECONDS = 120
const CHECKERS = 16

/**
 * Kills the primary region of a pool under load and measures the impact. Afterwards the plane runs as before, with one
 * additional pool. @throws Error if the drill itself could not be carried out
 */
export async function runDrill({
  plane,
  users,
  warmUp = 2_000,
  outage = 3_000,
  progress = () => {},
}: DrillOptions): Promise<DrillReport> {
  const [primary, secondary] = Object.keys(plane.regions)
  if (!primary || !secondary) throw new Error('a drill needs two regions')
  const settingsOf = (region: string) => ({
    region,
    endpoint: plane.regions[region]?.endpoint as string,
    credentials: plane.credentials,
  })
  const cognitoOf = (region: string) => new CognitoIdentityProviderClient(settingsOf(region))
  const [atPrimary, atSecondary] = [cognitoOf(primary), cognitoOf(secondary)]
  const kms = new KMSClient(settingsOf(primary))
  const [askPrimary, askSecondary] = [
    createServiceCaller(settingsOf(primary)),
    createServiceCaller(settingsOf(secondary)),
  ]

  const setting = await makeSetting({ primary, secondary, cognito: atPrimary, kms, count: users, progress })
  const checksums = async () => {
    const [one, two] = await Promise.all(
      [askPrimary, askSecondary].map((ask) =>
        ask<{ Checksum: string }>('GetDirectoryChecksum', { UserPoolId: setting.pool }),
      ),
    )
    return { primary: one?.Checksum ?? '', secondary: two?.Checksum ?? '', equal: one?.Checksum === two?.Checksum }
  }
  await until(async () => (await checksums()).equal, {
    seconds: CATCH_UP_SECONDS,
    what: 'the directories to be equal before the kill',
  })

  const signedIn = await signIn(atPrimary, setting, 0)
  const leaving = await signIn(atPrimary, setting, 1)

  const twinpool = createTwinpoolClient({ regions: { [primary]: atPrimary, [secondary]: atSecondary }, primary })
  const requests: DrillReport['requests'] = {}
  let killedAt = Number.POSITIVE_INFINITY
  let firstServed: number | null = null
  let detected: number | null = null
  let watching = true
  twinpool.on('failover', ({ at }) => {
    if (at >= killedAt) detected ??= Math.round(at - killedAt)
  })
  twinpool.on('request', ({ kind, result, attempts, at, region }) => {
    if (!watching || at < killedAt) return
    requests[kind] ??= { sent: 0, served: 0, retried: 0, failed: 0 }
    const counts = requests[kind]
    counts.sent += 1
    if (result === 'failed') counts.failed += 1
    else counts.served += 1
    if (attempts > 1) counts.retried += 1
    // Responses that the killed region still sent do not count.
    if (result === 'served' && region !== primary) firstServed ??= Math.round(at - killedAt)
  })
  const load = startLoad({
    setting,
    twinpool,
    writer: new CognitoIdentityProviderClient({ ...settingsOf(primary), maxAttempts: 1 }),
  })
  const issuer = watchIssuer(`${plane.control}/${setting.pool}/.well-known/jwks.json`)
  try {
    progress(`load: sign-ins and refreshes through the resilient client, writes at ${primary}`)
    await pause(warmUp)
    const lag = await lagOf(askSecondary, primary)

    progress(`killing ${primary}`)
    killedAt = Date.now()
    await plane.kill(primary)
    const acknowledged = new Map(load.acknowledged)

    const refused = await tryRefused(atSecondary, setting)
    const primaryTokenAtSecondary = await accepts(atSecondary, signedIn.AccessToken)
    const fresh = await signIn(atSecondary, setting, 2)
    await atSecondary.send(new GlobalSignOutCommand({ AccessToken: leaving.AccessToken }))
    const missing = await countMissing(atSecondary, setting, acknowledged)
    await pause(Math.max(0, outage - (Date.now() - killedAt)))
    watching = false

    progress(`starting ${primary}`)
    const startedAt = Date.now()
    await load.stop()
    await plane.start(primary)
    const returned = Date.now()
    let sums = await checksums()
    await until(
      async () => {
        sums = await checksums()
        return sums.equal && !(await accepts(atPrimary, leaving.AccessToken))
      },
      { seconds: CATCH_UP_SECONDS, what: 'the regions to catch up' },
    ).catch(() => {})
    const caughtUp = Date.now()
    const report: DrillReport = {
      ok: true,
      problems: [],
      pool: setting.pool,
      users,
      primary,
      secondary,
      detection: detected,
      rto: firstServed,
      rpo: { lagAtKill: lag, acknowledgedWritesMissing: missing, acknowledgedWrites: acknowledged.size },
      requests,
      refused,
      tokens: {
        primaryTokenAtSecondary,
        secondaryTokenAtPrimary: await accepts(atPrimary, fresh.AccessToken),
        issuerAnswered: await issuer.stop(),
        signOutSurvivedReturn:
          !(await accepts(atPrimary, leaving.AccessToken)) && !(await accepts(atSecondary, leaving.AccessToken)),
      },
      outage: returned - killedAt,
      catchUp: sums.equal ? caughtUp - startedAt : null,
      checksums: sums,
    }
    report.problems = problemsOf(report)
    report.ok = report.problems.length === 0
    return report
  } finally {
    await load.stop()
    await issuer.stop()
    twinpool.close()
    for (const client of [atPrimary, atSecondary, kms]) client.destroy()
  }
}

/** Signs in the user with the given number. */
async function signIn(cognito: CognitoIdentityProviderClient, { client, password, users }: Setting, which: number) {
  const { AuthenticationResult } = await cognito.send(
    new InitiateAuthCommand({
      ClientId: client,
      AuthFlow: 'USER_PASSWORD_AUTH',
      AuthParameters: { USERNAME: users[which % users.length] as string, PASSWORD: password },
    }),
  )
  return { AccessToken: AuthenticationResult?.AccessToken as string }
}

async function accepts(cognito: CognitoIdentityProviderClient, AccessToken: string): Promise<boolean> {
  return cognito.send(new GetUserCommand({ AccessToken })).then(
    () => true,
    () => false,
  )
}

async function lagOf(ask: ReturnType<typeof createServiceCaller>, peer: string): Promise<number | null> {
  const { Peers } = await ask<Status>('GetReplicationStatus', {})
  const seconds = Peers.find(({ Region }) => Region === peer)?.LagSeconds
  return seconds === undefined || seconds === null ? null : Math.round(seconds * 1_000)
}

/** Calls operations that a replica must refuse. https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-multi-region-replication.html */
async function tryRefused(
  cognito: CognitoIdentityProviderClient,
  { client, users }: Setting,
): Promise<DrillReport['refused']> {
  const calls = {
    SignUp: new SignUpCommand({ ClientId: client, Username: 'newcomer', Password: 'Newcomer-Passw0rd!' }),
    ForgotPassword: new ForgotPasswordCommand({ ClientId: client, Username: users[0] }),
  }
  return Promise.all(
    Object.entries(calls).map(async ([operation, command]) => {
      const error = await cognito.send(command as SignUpCommand).then(
        () => 'was carried out',
        (refusal: Error) => refusal.name,
      )
      return { operation, error, asDocumented: error === 'OperationNotEnabledException' }
    }),
  )
}

/** Counts the users that lack a mark that the primary had acknowledged. */
async function countMissing(
  cognito: CognitoIdentityProviderClient,
  { pool }: Setting,
  acknowledged: ReadonlyMap<string, number>,
): Promise<number> {
  let missing = 0
  await inParallel([...acknowledged], CHECKERS, async ([user, mark]) => {
    const { UserAttributes } = await cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username: user }))
    if (markOf(UserAttributes) < mark) missing += 1
  })
  return missing
}

/** Polls the shared issuer for its keys. `stop` returns whether every request succeeded. */
function watchIssuer(url: string): { stop(): Promise<boolean> } {
  let running = true
  let allSucceeded = true
  const watch = (async () => {
    while (running) {
      const succeeded = await fetch(url).then(
        async (response) => response.ok && ((await response.json()) as { keys?: unknown[] }).keys?.length === 2,
        () => false,
      )
      allSucceeded &&= succeeded
      await pause(50)
    }
  })()
  return {
    stop: async () => {
      running = false
      await watch
      return allSucceeded
    },
  }
}

function problemsOf({ rto, detection, refused, tokens, catchUp, checksums }: DrillReport): string[] {
  const found: [boolean, string][] = [
    [rto === null, 'no request was served after the kill'],
    [detection === null, 'the client never failed over from the killed region'],
    [refused.some(({ asDocumented }) => !asDocumented), 'the replica did not refuse an operation that it must refuse'],
    [!tokens.primaryTokenAtSecondary, 'a token of the primary was not accepted at the replica'],
    [!tokens.secondaryTokenAtPrimary, 'a token of the replica was not accepted at the primary after its return'],
    [!tokens.issuerAnswered, 'the shared issuer did not respond throughout'],
    [!tokens.signOutSurvivedReturn, 'a sign-out on the replica was lost when the primary returned'],
    [catchUp === null, 'the regions did not catch up'],
    [!checksums.equal, 'the directories differ'],
  ]
  return found.filter(([wrong]) => wrong).map(([, sentence]) => sentence)
}
