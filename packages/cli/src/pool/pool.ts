import { connectDevPlane, type DevPlane } from '@twinpool/toolkit'
import { type Command, CommandError, readOptions, wholeNumber } from '../command.ts'
import { DEFAULT_PORT, invocation, portArguments } from '../invocation.ts'
import { type CreatedPool, createPool } from './create.ts'
import { runOrphans } from './orphans.ts'

export const pool: Command = {
  help: `twinpool pool create [options]
twinpool pool orphans|keep|delete --config FILE

  Creates a user pool with an app client in a running 'twinpool dev', without the AWS CLI. With --replica, creates a multi-Region
  key, replicates it, creates the pool with the shared issuer and the replica, and activates the replica. Exit code 0: success;
  1: the replica is not ACTIVE; 2: the pool could not be created.

  --replica REGION   the region of the replica                      (none)
  --name NAME        name of the pool                               (people)
  --client NAME      name of the app client                         (app)
  --port N           control port of the plane                      (${DEFAULT_PORT})
  --json             one object on stdout: region, replica, poolId, clientId, keyArn, issuer

  orphans lists the pools that have a replica in the region of a configuration file and that their primary does not know: it was
  put back to before the pool, or the pool was deleted while the region was away. keep makes the region the primary of such a pool;
  delete removes the replica, which may be the last copy. Exit code 0: success; 1: there are orphans; 2: the command could not run.

  --config FILE      the configuration of the region, as for 'twinpool serve'
  --pool ID          the pool to keep or to delete
  --json             one object on stdout
`,
  run: async ([action, ...args]) => {
    if (action === 'orphans' || action === 'keep' || action === 'delete') return runOrphans(action, args)
    if (action !== 'create') throw new CommandError('the subcommands are create, orphans, keep and delete (see --help)')
    const options = readOptions(args, {
      replica: { type: 'string' },
      name: { type: 'string', default: 'people' },
      client: { type: 'string', default: 'app' },
      port: { type: 'string', default: String(DEFAULT_PORT) },
      json: { type: 'boolean', default: false },
    })
    const port = wholeNumber('port', options.port, { least: 1, most: 65_000 })
    const plane = await connect(port)
    checkReplica(plane, options.replica)
    const created = await createPool({
      plane,
      name: options.name,
      clientName: options.client,
      replica: options.replica,
    }).catch((error: Error) => {
      throw new CommandError(`the pool could not be created: ${error.name}: ${error.message}`)
    })
    process.stdout.write(options.json ? `${JSON.stringify(created)}\n` : render(created, plane, port))
    return created.replica === null || created.replica.status === 'ACTIVE' ? 0 : 1
  },
}

async function connect(port: number): Promise<DevPlane> {
  const control = `http://127.0.0.1:${port}`
  try {
    return await connectDevPlane(control)
  } catch {
    throw new CommandError(`no plane is running at ${control}. Start one: ${invocation('dev', ...portArguments(port))}`)
  }
}

function checkReplica({ regions }: DevPlane, replica: string | undefined): void {
  if (replica === undefined) return
  const [primary, ...others] = Object.keys(regions)
  if (replica === primary) throw new CommandError(`--replica: ${replica} is the primary region of this plane`)
  if (!others.includes(replica)) {
    throw new CommandError(
      `--replica takes one of the other regions of this plane: ${others.join(', ') || 'there is none'}`,
    )
  }
}

function render(
  { region, replica, poolId, clientId, keyArn, issuer }: CreatedPool,
  plane: DevPlane,
  port: number,
): string {
  const rows = [
    ['pool', `${poolId} in ${region}`],
    ...(replica ? [['replica', `${replica.region}, ${replica.status}`]] : []),
    ['app client', clientId],
    ...(keyArn ? [['key', keyArn]] : []),
    ['issuer', issuer],
  ]
  const call = (at: string, operation: string, input: object): string =>
    `    curl -s ${plane.regions[at]?.endpoint} -H 'content-type: application/x-amz-json-1.1' \\
      -H 'x-amz-target: AWSCognitoIdentityProviderService.${operation}' \\
      -d '${JSON.stringify(input)}'`
  const [Username, Password, email] = ['ada', 'Analytical-1842', 'ada@example.com']
  const survivor = replica?.region ?? region
  const inbox = `${plane.control}/dev/inbox?to=${encodeURIComponent(email)}`
  return `
${rows.map(([name = '', value]) => `  ${name.padEnd(10)}  ${value}`).join('\n')}

  Try next. Sign up:

${call(region, 'SignUp', { ClientId: clientId, Username, Password, UserAttributes: [{ Name: 'email', Value: email }] })}

  Confirm with the code from the inbox:

    CODE=$(curl -s '${inbox}' | sed 's/.*"code":"\\([0-9]*\\)".*/\\1/')
${call(region, 'ConfirmSignUp', { ClientId: clientId, Username, ConfirmationCode: 'CODE' }).replace('"CODE"', `"'$CODE'"`)}
${
  replica
    ? `
  Lose the primary region:

    curl -X POST ${plane.control}/dev/regions/${region}/kill
`
    : ''
}
  Sign in at ${survivor}:

${call(survivor, 'InitiateAuth', { ClientId: clientId, AuthFlow: 'USER_PASSWORD_AUTH', AuthParameters: { USERNAME: Username, PASSWORD: Password } })}
${
  replica
    ? `
  Bring ${region} back, and see both regions:

    curl -X POST ${plane.control}/dev/regions/${region}/start
    curl ${plane.control}/dev/status
`
    : `
  Measure a failover:

    ${invocation('drill', ...portArguments(port))}
`
}
`
}
