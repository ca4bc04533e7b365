import { readFileSync } from 'node:fs'
import { z } from 'zod'

const regionName = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'a region name such as us-west-2')
const baseUrl = z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, ''))
const secret = (bytes: number) => z.string().min(bytes, `at least ${bytes} characters`)

const schema = z
  .strictObject({
    region: regionName,
    accountId: z
      .string()
      .regex(/^\d{12}$/)
      .default('000000000000'),
    parity: z.enum(['aws', 'extended']).default('aws'),
    listen: z
      .strictObject({ host: z.string().default('127.0.0.1'), port: z.number().int().min(0).max(65_535).default(9401) })
      .prefault({}),
    /** TLS by this process itself: PEM files. Without it, a proxy in front ends TLS. */
    tls: z.strictObject({ certificateFile: z.string(), keyFile: z.string() }).optional(),
    /** How clients reach this region. Default: the address it listens on. */
    endpoint: baseUrl.optional(),
    /** Base of UPDATED issuers: an address that is answered as long as one region lives. Default, without peers: the endpoint. */
    issuerBase: baseUrl.optional(),
    store: z.discriminatedUnion('engine', [
      z.strictObject({ engine: z.literal('sqlite'), file: z.string().min(1) }),
      z.strictObject({
        engine: z.literal('postgres'),
        url: z.string().regex(/^postgres(ql)?:\/\//, 'a postgres:// URL'),
        connections: z.number().int().min(2).max(500).optional(),
        /** How long a statement may take: a PostgreSQL that says nothing is given up a second later. */
        statementSeconds: z.number().min(1).max(300).optional(),
      }),
    ]),
    /** Who may make signed calls. */
    credentials: z
      .array(
        z.strictObject({
          accessKeyId: z.string().regex(/^\w{16,128}$/, '16 to 128 letters and digits'),
          secretAccessKey: secret(16),
        }),
      )
      .min(1),
    /** Calls may be signed for any region's name: for a region behind a router that clients think of as another one. */
    anyRegionInSignature: z.boolean().default(false),
    keys: z.discriminatedUnion('provider', [
      z.strictObject({
        provider: z.literal('local'),
        /** 32 bytes, base64: what the local key ring is sealed under. Either this or masterKeyFile. */
        masterKey: z.base64().optional(),
        masterKeyFile: z.string().optional(),
      }),
      z.strictObject({
        provider: z.literal('aws-kms'),
        /** The AWS region whose KMS is asked. Default: this region's name. */
        region: regionName.optional(),
        /** Default: the public endpoint of KMS in that region. */
        endpoint: baseUrl.optional(),
        /** The key for pools that have none of their own. */
        serviceKeyArn: z.string().regex(/^arn:aws[a-z-]*:kms:[a-z\d-]+:\d{12}:key\/[\w-]+$/, 'the ARN of a KMS key'),
        /** How long data keys stay open while KMS does not answer. */
        unwrappedForMinutes: z.number().int().min(5).max(10_080).default(720),
      }),
    ]),
    /** With what the regions prove themselves to each other. */
    cluster: z.strictObject({ secret: secret(32) }),
    /** The other regions: where clients reach them, and where this one fetches their changes. */
    peers: z.record(regionName, z.strictObject({ endpoint: baseUrl, replication: baseUrl.optional() })).default({}),
    /** How long, and how many, changes are kept for a peer that is away; one that is away longer copies its pools again. */
    replication: z
      .strictObject({
        retentionHours: z
          .number()
          .positive()
          .max(24 * 365)
          .default(24),
        retentionChanges: z.number().int().min(1).default(5_000_000),
        /** How often the log is trimmed. */
        trimSeconds: z.number().min(0.1).max(3_600).default(30),
      })
      .prefault({}),
    /** What is too much is refused with TooManyRequestsException, or ended, so that the rest is answered in time. */
    limits: z
      .strictObject({
        /** Calls under way. */
        calls: z.number().int().min(1).default(2_000),
        /** Sign-ins and new passwords that wait for the processor. */
        passwords: z.number().int().min(1).default(500),
        /** Open connections; the one that has been idle for longest makes room. Default: what the open files allow. */
        connections: z.number().int().min(1).optional(),
        /** How long the headers of a request may take. */
        headersSeconds: z.number().min(0.1).max(300).default(15),
        /** How long a whole request may take to arrive. */
        requestSeconds: z.number().min(0.1).max(3_600).default(30),
        /** How long a connection is kept after an answer: longer than a load balancer in front keeps it (60 seconds, as a rule). */
        idleSeconds: z.number().min(0.1).max(3_600).default(65),
      })
      .prefault({}),
    messages: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('none') }),
        z.strictObject({ kind: z.literal('inbox'), url: z.url() }),
      ])
      .default({ kind: 'none' }),
    log: z.strictObject({ level: z.enum(['silent', 'error', 'warn', 'info', 'debug']).default('info') }).prefault({}),
  })
  .superRefine((config, refinement) => {
    const refuse = (path: string[], message: string): void => refinement.addIssue({ code: 'custom', path, message })
    if (Object.hasOwn(config.peers, config.region)) refuse(['peers', config.region], 'a region is no peer of itself')
    const { keys } = config
    if (keys.provider === 'local') {
      if ((keys.masterKey === undefined) === (keys.masterKeyFile === undefined)) {
        refuse(['keys'], 'exactly one of masterKey and masterKeyFile')
      }
      if (keys.masterKey !== undefined && Buffer.from(keys.masterKey, 'base64').length !== 32) {
        refuse(['keys', 'masterKey'], '32 bytes in base64')
      }
    } else if (keys.serviceKeyArn.split(':')[3] !== (keys.region ?? config.region)) {
      refuse(['keys', 'serviceKeyArn'], 'a key of the region whose KMS is asked')
    }
    if (new Set(config.credentials.map(({ accessKeyId }) => accessKeyId)).size !== config.credentials.length) {
      refuse(['credentials'], 'an access key id is there twice')
    }
    if (config.listen.port === 0 && config.endpoint === undefined) {
      refuse(['endpoint'], 'needed where the port is chosen by the system: tokens and links name it')
    }
    if (config.issuerBase === undefined && Object.keys(config.peers).length > 0) {
      refuse(
        ['issuerBase'],
        'needed where there are peers: by their own, regions would refuse the tokens of each other',
      )
    }
    if (config.parity === 'aws' && Object.keys(config.peers).length > 1) {
      refuse(['peers'], 'in `aws` parity there is one other region at most; use "parity": "extended" for more')
    }
  })

export type RegionConfig = z.output<typeof schema>
export type RegionConfigInput = z.input<typeof schema>

/** What is wrong with a configuration, a line per mistake; never a value, for it may be a secret. */
export class ConfigError extends Error {
  constructor(mistakes: readonly string[]) {
    super(`the configuration is not usable:\n${mistakes.map((line) => `  ${line}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

/** Checks a configuration and fills in what has defaults. Throws ConfigError. */
export function parseConfig(input: unknown): RegionConfig {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  throw new ConfigError(result.error.issues.map(({ path, message }) => `${path.join('.') || '(root)'}: ${message}`))
}

/**
 * Reads a configuration file (JSON). A value of the form `"${NAME}"` is taken from the environment, so that secrets need not
 * stand in the file. Throws ConfigError.
 */
export function readConfig(file: string, environment: NodeJS.ProcessEnv = process.env): RegionConfig {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError([`${file}: ${(error as NodeJS.ErrnoException).code ?? 'cannot be read'}`])
  }
  let input: unknown
  try {
    input = JSON.parse(text, (_, value: unknown) => {
      const name = typeof value === 'string' ? /^\$\{(\w+)\}$/.exec(value)?.[1] : undefined
      if (name === undefined) return value
      const found = environment[name]
      if (found === undefined) throw new ConfigError([`the environment has no ${name}`])
      return found
    })
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError([`${file} is not JSON`])
  }
  return parseConfig(input)
}
