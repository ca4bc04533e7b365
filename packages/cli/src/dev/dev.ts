import { join } from 'node:path'
import { type Command, CommandError, oneOf, readOptions, wholeNumber } from '../command.ts'
import { DEFAULT_PORT, invocation, portArguments } from '../invocation.ts'
import { reportUnless, untilAskedToStop } from '../signals.ts'
import { describePlane, type Ready, startControl } from './control.ts'
import { startPlane } from './plane.ts'
import { STOP_SECONDS } from './region-process.ts'

const REGION = /^[a-z]{2}(-[a-z]+)+-\d$/

export const dev: Command = {
  help: `twinpool dev [options]

  Runs each region in its own process, and a control port with a router in front of them, until SIGINT or SIGTERM.

  --regions A,B          regions; pools are created in the first one  (us-west-2,us-east-1)
  --port N               control port; regions use the next ports     (${DEFAULT_PORT})
  --data DIR             data directory of the regions                (.twinpool)
  --ephemeral            use a temporary directory, removed at the end
  --store sqlite|postgres|postgres://...                              (sqlite)
  --parity aws|extended  the limits that Cognito documents, or none   (aws)
  --keep-changes N       changes kept for an unreachable region; a region that missed more copies its pools again   (5000000)
  --json                 print one line {"event":"ready", ...} on stdout once all regions are ready

  Controls:  POST /dev/regions/<region>/kill|stop|start|pause|resume|cut|heal|slow|throttle|clock
             GET /dev/inbox?to=<address>   GET /dev/status
`,
  run: async (args) => {
    const options = readOptions(args, {
      regions: { type: 'string', default: 'us-west-2,us-east-1' },
      port: { type: 'string', default: String(DEFAULT_PORT) },
      data: { type: 'string' },
      ephemeral: { type: 'boolean', default: false },
      store: { type: 'string', default: 'sqlite' },
      parity: { type: 'string', default: 'aws' },
      'keep-changes': { type: 'string' },
      json: { type: 'boolean', default: false },
    })
    if (options.data && options.ephemeral) throw new CommandError('--data and --ephemeral exclude each other')
    const port = wholeNumber('port', options.port, { least: 1, most: 65_000 })
    const regions = readRegions(options.regions)
    const parity = oneOf('parity', options.parity, ['aws', 'extended'])
    if (parity === 'aws' && regions.length > 2)
      throw new CommandError('more than two regions require --parity extended')

    const kept = options['keep-changes']
    const keepChanges = kept === undefined ? undefined : wholeNumber('keep-changes', kept, { least: 1, most: 1e9 })

    const report = reportUnless(options.json)
    const stopping = untilAskedToStop({ drainSeconds: STOP_SECONDS, report })
    const { ready, stop } = await startDevPlane({
      regions,
      port,
      directory: options.ephemeral ? undefined : (options.data ?? join(process.cwd(), '.twinpool')),
      store: options.store,
      parity,
      keepChanges,
    })
    try {
      process.stdout.write(options.json ? `${JSON.stringify(ready)}\n` : welcome(ready))
      await stopping
    } finally {
      await stop()
    }
    report('stopped')
    return 0
  },
}

/** Starts a plane with its control port. Throws CommandError. */
export async function startDevPlane(
  options: Parameters<typeof startPlane>[0],
): Promise<{ ready: Ready; stop(): Promise<void> }> {
  const control = await startControl(options).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
    throw new CommandError(
      `port ${options.port} is taken: is another plane running? Choose another: ${invocation('dev', '--port', String(anotherPort(options.port)))}`,
    )
  })
  try {
    const plane = await startPlane(options)
    control.attach(plane)
    return {
      ready: describePlane(plane, options.port),
      stop: async () => {
        await plane.stop()
        await control.close()
      },
    }
  } catch (error) {
    await control.close()
    throw error
  }
}

/** Leaves room for the ports of the regions. */
const anotherPort = (port: number): number => (port + 100 <= 65_000 ? port + 100 : port - 100)

function readRegions(text: string): string[] {
  const regions = text.split(',').map((name) => name.trim())
  for (const name of regions) {
    if (!REGION.test(name))
      throw new CommandError(`--regions: ${JSON.stringify(name)} is not a region name such as us-west-2`)
  }
  if (new Set(regions).size !== regions.length) throw new CommandError('--regions names a region twice')
  return regions
}

function welcome({ control, regions, credentials }: Ready): string {
  const [first = '', second] = Object.keys(regions)
  const port = portArguments(Number(new URL(control).port))
  const endpoint = regions[first]?.endpoint
  const rows = [
    ['control, router, issuer', control],
    ...Object.entries(regions).map(([name, region], at) => [
      at === 0 ? `${name} (pools are created here)` : name,
      region.endpoint,
    ]),
    [
      'metrics (Prometheus)',
      Object.values(regions)
        .map(({ metrics }) => metrics)
        .join(' '),
    ],
    ['AWS_ACCESS_KEY_ID', credentials.accessKeyId],
    ['AWS_SECRET_ACCESS_KEY', credentials.secretAccessKey],
  ]
  const width = Math.max(...rows.map(([name = '']) => name.length))
  return `
  Twinpool is up.

${rows.map(([name = '', value]) => `  ${name.padEnd(width)}  ${value}`).join('\n')}

  Try next, in another terminal:

    # a pool with an app client${second ? ' and a replica' : ''}; prints calls to try
    ${invocation('pool create', ...(second ? ['--replica', second] : []), ...port)}
${
  second
    ? `
    # kill the primary region under load, and measure what that costs
    ${invocation('drill', ...port)}
`
    : ''
}
    # the state of the regions; then lose one, and start it again
    curl ${control}/dev/status
    curl -X POST ${control}/dev/regions/${first}/kill
    curl -X POST ${control}/dev/regions/${first}/start

    # with the AWS CLI
    export AWS_ACCESS_KEY_ID=${credentials.accessKeyId} AWS_SECRET_ACCESS_KEY=${credentials.secretAccessKey}
    aws cognito-idp list-user-pools --max-results 10 --endpoint-url ${endpoint} --region ${first}

  Ctrl-C stops it.

`
}
