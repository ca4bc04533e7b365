/**
 * A failover on this machine, with real code: the official AWS SDK, `@twinpool/client`, and two regions that are processes.
 *
 *     npm run example
 *
 * It starts its own development plane on free ports, keeps nothing, and takes a few seconds. Exit code 0: every step worked.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  AdminConfirmSignUpCommand,
  CognitoIdentityProviderClient,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
  CreateUserPoolReplicaCommand,
  GetUserCommand,
  InitiateAuthCommand,
  ListUserPoolReplicasCommand,
  SignUpCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { CreateKeyCommand, KMSClient, ReplicateKeyCommand } from '@aws-sdk/client-kms'
import { createTwinpoolClient } from '@twinpool/client'

const [PRIMARY, SECONDARY] = ['us-west-2', 'us-east-1'] as const
const PASSWORD = 'Analytical-1842'

const began = performance.now()
const step = (text: string): void =>
  console.log(`${((performance.now() - began) / 1_000).toFixed(1).padStart(5)} s  ${text}`)

/** What `twinpool dev --json` prints once both regions are up. */
interface Ready {
  control: string
  regions: Record<string, { endpoint: string }>
  credentials: { accessKeyId: string; secretAccessKey: string }
}

/** The first of three consecutive free ports: the control port and one per region. */
async function freePort(): Promise<number> {
  for (let port = 19_400; port < 60_000; port += 10) {
    const free = await Promise.all([port, port + 1, port + 2].map(isFree))
    if (free.every(Boolean)) return port
  }
  throw new Error('no free port')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** The value that a response must have. */
function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`the response has no ${name}`)
  return value
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within 30 s`)
    await delay(100)
  }
}

const accepted = (call: Promise<unknown>): Promise<boolean> =>
  call.then(
    () => true,
    () => false,
  )

async function main({ control, regions, credentials }: Ready): Promise<void> {
  const settings = (region: string) => ({ region, endpoint: regions[region]?.endpoint, credentials, maxAttempts: 1 })
  const west = new CognitoIdentityProviderClient(settings(PRIMARY))
  const east = new CognitoIdentityProviderClient(settings(SECONDARY))
  const kms = new KMSClient(settings(PRIMARY))
  const order = async (action: 'kill' | 'start'): Promise<void> => {
    const response = await fetch(`${control}/dev/regions/${PRIMARY}/${action}`, { method: 'POST' })
    if (!response.ok) throw new Error(`${action} ${PRIMARY}: ${await response.text()}`)
  }

  // 1. Create: a pool under a multi-Region key, with the issuer that both regions share.
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ MultiRegion: true }))
  await kms.send(new ReplicateKeyCommand({ KeyId: KeyMetadata?.KeyId, ReplicaRegion: SECONDARY }))
  const { UserPool } = await west.send(
    new CreateUserPoolCommand({
      PoolName: 'people',
      KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: KeyMetadata?.Arn },
      IssuerConfiguration: { Type: 'UPDATED' },
    }),
  )
  const UserPoolId = required(UserPool?.Id, 'pool id')
  const { UserPoolClient } = await west.send(
    new CreateUserPoolClientCommand({
      UserPoolId,
      ClientName: 'app',
      ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'],
    }),
  )
  const ClientId = required(UserPoolClient?.ClientId, 'client id')
  step(`created    pool ${UserPoolId} in ${PRIMARY}`)

  // 2. Replicate: the replica copies the pool, then it is activated.
  const replicaIs = (status: string) => async (): Promise<boolean> => {
    const { UserPoolReplicas } = await west.send(new ListUserPoolReplicasCommand({ UserPoolId }))
    return UserPoolReplicas?.some((replica) => replica.RegionName === SECONDARY && replica.Status === status) ?? false
  }
  await west.send(new CreateUserPoolReplicaCommand({ UserPoolId, RegionName: SECONDARY }))
  await until('the first copy', replicaIs('INACTIVE'))
  await west.send(new UpdateUserPoolReplicaCommand({ UserPoolId, RegionName: SECONDARY, Status: 'ACTIVE' }))
  await until('the activation of the replica', replicaIs('ACTIVE'))
  step(`replicated to ${SECONDARY}: the replica is ACTIVE`)

  // 3. Sign up and sign in, through the client that fails over.
  const twinpool = createTwinpoolClient({ regions: { [PRIMARY]: west, [SECONDARY]: east }, primary: PRIMARY })
  twinpool.on('failover', ({ from, to }) => step(`failover   the client changed from ${from} to ${to}`))
  let servedBy = ''
  twinpool.on('request', ({ region, result }) => {
    if (result === 'served') servedBy = region ?? ''
  })
  const signIn = async () => {
    const { AuthenticationResult } = await twinpool.send(
      new InitiateAuthCommand({
        ClientId,
        AuthFlow: 'USER_PASSWORD_AUTH',
        AuthParameters: { USERNAME: 'ada', PASSWORD },
      }),
    )
    return {
      access: required(AuthenticationResult?.AccessToken, 'access token'),
      refresh: required(AuthenticationResult?.RefreshToken, 'refresh token'),
    }
  }
  await twinpool.send(new SignUpCommand({ ClientId, Username: 'ada', Password: PASSWORD }))
  await west.send(new AdminConfirmSignUpCommand({ UserPoolId, Username: 'ada' }))
  step('signed up  ada')
  const before = await signIn()
  step(`signed in  ada, served by ${servedBy}`)
  await until('the token is accepted by the replica', () =>
    accepted(east.send(new GetUserCommand({ AccessToken: before.access }))),
  )

  // 4. Kill the primary region with SIGKILL.
  await order('kill')
  const killed = performance.now()
  step(`KILLED     ${PRIMARY}`)

  // 5. Go on: the same client, pool, password and tokens, in the other region.
  const during = await signIn()
  step(`signed in  ada, served by ${servedBy}, ${Math.round(performance.now() - killed)} ms after the kill`)
  await twinpool.send(new GetUserCommand({ AccessToken: before.access }))
  step(`accepted   the access token from before the kill, served by ${servedBy}`)
  await twinpool.send(
    new InitiateAuthCommand({
      ClientId,
      AuthFlow: 'REFRESH_TOKEN_AUTH',
      AuthParameters: { REFRESH_TOKEN: before.refresh },
    }),
  )
  step(`refreshed  with the refresh token from before the kill, served by ${servedBy}`)
  const keys = await fetch(`${control}/${UserPoolId}/.well-known/jwks.json`)
  if (!keys.ok) throw new Error(`the shared issuer returned ${keys.status}`)
  step('verified   the shared issuer still publishes its keys')
  const refused = await east
    .send(new SignUpCommand({ ClientId, Username: 'eve', Password: PASSWORD }))
    .catch((error: Error) => error)
  if (!(refused instanceof Error)) throw new Error('the replica accepted a sign-up')
  step(`refused    a sign-up: a replica does not write (${refused.name})`)

  // 6. Come back: the primary catches up and accepts what the other region issued.
  await order('start')
  await until('the primary accepts the tokens of the outage', () =>
    accepted(west.send(new GetUserCommand({ AccessToken: during.access }))),
  )
  step(`STARTED    ${PRIMARY}; it accepts the token that ${SECONDARY} issued during the outage`)
  step(`waiting    until the client trusts ${PRIMARY} again (about 10 s)`)
  await until('the client returns to the primary', async () => {
    await twinpool.send(new GetUserCommand({ AccessToken: during.access }))
    return servedBy === PRIMARY
  })
  await signIn()
  step(`signed in  ada, served by ${servedBy} again`)

  twinpool.close()
  for (const client of [west, east, kms]) client.destroy()
}

const port = await freePort()
const command = [fileURLToPath(new URL('../packages/cli/bin/twinpool.mjs', import.meta.url))]
const plane = spawn(process.execPath, [...command, 'dev', '--ephemeral', '--json', '--port', String(port)], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
const ended = once(plane, 'exit')
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => plane.kill('SIGTERM'))
try {
  step('starting   two regions, each a process of its own')
  const [line] = (await Promise.race([
    once(createInterface({ input: plane.stdout }), 'line'),
    ended.then(([code]) => {
      throw new Error(`twinpool dev ended with ${code}. Run: npm run doctor`)
    }),
  ])) as [string]
  const ready = JSON.parse(line) as Ready
  for (const [region, { endpoint }] of Object.entries(ready.regions)) step(`up         ${region} at ${endpoint}`)
  await main(ready)
  step('done       Next: npm start, and README.md')
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  plane.kill('SIGTERM')
  await ended
}
