import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { isNetwork } from './http/address.ts'
import { MIN_BUDGET_BYTES } from './http/body-budget.ts'

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
    /** PEM files for TLS in this process. Leave it out if a proxy terminates TLS. */
    tls: z.strictObject({ certificateFile: z.string(), keyFile: z.string() }).optional(),
    /** Addresses and networks of the proxies that may say where a call comes from: X-Forwarded-For, Forwarded, PROXY protocol. */
    trustedProxies: z.array(z.string().refine(isNetwork, 'an IP address, or a network such as 10.0.0.0/8')).default([]),
    /** URL under which clients reach this region. Default: the address it listens on. */
    endpoint: baseUrl.optional(),
    /** Base URL of UPDATED issuers; it must reach any region that is up. Default, without peers: the endpoint. */
    issuerBase: baseUrl.optional(),
    store: z.discriminatedUnion('engine', [
      z.strictObject({ engine: z.literal('sqlite'), file: z.string().min(1) }),
      z.strictObject({
        engine: z.literal('postgres'),
        url: z.string().regex(/^postgres(ql)?:\/\//, 'a postgres:// URL'),
        connections: z.number().int().min(2).max(500).optional(),
        /** Timeout of a statement. The connection is closed if PostgreSQL has not responded a second later. */
        statementSeconds: z.number().min(1).max(300).optional(),
      }),
    ]),
    /** The access keys that are accepted for signed calls. */
    credentials: z
      .array(
        z.strictObject({
          accessKeyId: z.string().regex(/^\w{16,128}$/, '16 to 128 letters and digits'),
          secretAccessKey: secret(16),
        }),
      )
      .min(1),
    /** Accepts calls signed for any region name: for regions behind a router that clients see as one region. */
    anyRegionInSignature: z.boolean().default(false),
    keys: z.discriminatedUnion('provider', [
      z.strictObject({
        provider: z.literal('local'),
        /** 32 bytes in base64; the local key ring is encrypted under it. Set either this or masterKeyFile. */
        masterKey: z.base64().optional(),
        masterKeyFile: z.string().optional(),
      }),
      z.strictObject({
        provider: z.literal('aws-kms'),
        /** The AWS region of KMS. Default: this region's name. */
        region: regionName.optional(),
        /** Default: the public endpoint of KMS in that region. */
        endpoint: baseUrl.optional(),
        /** The KMS key for pools without a customer managed key. */
        serviceKeyArn: z.string().regex(/^arn:aws[a-z-]*:kms:[a-z\d-]+:\d{12}:key\/[\w-]+$/, 'the ARN of a KMS key'),
        /** How long unwrapped data keys stay usable while KMS does not respond. */
        unwrappedForMinutes: z.number().int().min(5).max(10_080).default(720),
      }),
    ]),
    /** The shared secret with which regions authenticate to each other. */
    cluster: z.strictObject({ secret: secret(32) }),
    /** The other regions: the URL for clients, and the URL from which this region reads their changes. */
    peers: z.record(regionName, z.strictObject({ endpoint: baseUrl, replication: baseUrl.optional() })).default({}),
    /** How long and how many changes are kept for an unreachable peer; after a longer absence the peer copies its pools again. */
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
    /** Calls above these limits are refused with TooManyRequestsException; connections above them are closed. */
    limits: z
      .strictObject({
        /** Maximum calls in progress. */
        calls: z.number().int().min(1).default(2_000),
        /** Maximum calls that wait for the CPU to verify or set a password. */
        passwords: z.number().int().min(1).default(500),
        /** Maximum open connections; the connection that has been idle for longest is closed first. Default: from the open-file limit. */
        connections: z.number().int().min(1).optional(),
        /** Unsigned calls per minute and caller's address that fail because of a wrong name, password or code. */
        failedAttemptsPerMinute: z.number().int().min(1).default(100),
        /** Unsigned calls per minute and caller's address that may send a message. */
        messagesPerMinute: z.number().int().min(1).default(100),
        /** Messages per hour to one address that unsigned calls may cause. */
        messagesPerDestinationPerHour: z.number().int().min(1).default(20),
        /** Maximum memory of request bodies in flight, in bytes. */
        bodyBytes: z
          .number()
          .int()
          .min(MIN_BUDGET_BYTES)
          .default(32 * 1024 * 1024),
        /** Time for the headers of a request to arrive. */
        headersSeconds: z.number().min(0.1).max(300).default(15),
        /** Time for a complete request to arrive. */
        requestSeconds: z.number().min(0.1).max(3_600).default(30),
        /** Maximum time without progress while a request is sent or a response is read. */
        progressSeconds: z.number().min(0.1).max(300).default(10),
        /** Keep-alive timeout; must be longer than that of a load balancer in front (usually 60 seconds). */
        idleSeconds: z.number().min(0.1).max(3_600).default(65),
      })
      .prefault({}),
    messages: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('none') }),
        z.strictObject({ kind: z.literal('inbox'), url: z.url() }),
      ])
      .default({ kind: 'none' }),
    /** A port of its own for metrics, details of health and the page of the region. Without it, they are on the port of the API. */
    management: z
      .strictObject({ host: z.string().default('127.0.0.1'), port: z.number().int().min(1).max(65_535) })
      .optional(),
    /** The audit records of this process are appended to this file, as JSON lines. */
    audit: z.strictObject({ file: z.string().min(1) }).optional(),
    log: z.strictObject({ level: z.enum(['silent', 'error', 'warn', 'info', 'debug']).default('info') }).prefault({}),
  })
  .superRefine((config, refinement) => {
    const refuse = (path: string[], message: string): void => refinement.addIssue({ code: 'custom', path, message })
    if (Object.hasOwn(config.peers, config.region)) refuse(['peers', config.region], 'a region cannot be its own peer')
    const { keys } = config
    if (keys.provider === 'local') {
      if ((keys.masterKey === undefined) === (keys.masterKeyFile === undefined)) {
        refuse(['keys'], 'set exactly one of masterKey and masterKeyFile')
      }
      if (keys.masterKey !== undefined && Buffer.from(keys.masterKey, 'base64').length !== 32) {
        refuse(['keys', 'masterKey'], 'must be 32 bytes in base64')
      }
    } else if (keys.serviceKeyArn.split(':')[3] !== (keys.region ?? config.region)) {
      refuse(['keys', 'serviceKeyArn'], 'must be a key of the configured KMS region')
    }
    if (new Set(config.credentials.map(({ accessKeyId }) => accessKeyId)).size !== config.credentials.length) {
      refuse(['credentials'], 'duplicate access key id')
    }
    if (config.listen.port === 0 && config.endpoint === undefined) {
      refuse(['endpoint'], 'required with port 0: tokens and links contain the endpoint')
    }
    if (config.issuerBase === undefined && Object.keys(config.peers).length > 0) {
      refuse(
        ['issuerBase'],
        'required with peers: with different issuers, regions would refuse the tokens of each other',
      )
    }
    if (config.parity === 'aws' && Object.keys(config.peers).length > 1) {
      refuse(['peers'], '`aws` parity allows one other region; use "parity": "extended" for more')
    }
  })

export type RegionConfig = z.output<typeof schema>
export type RegionConfigInput = z.input<typeof schema>

/** Lists the mistakes of a configuration, one per line. It never contains a value, which may be a secret. */
export class ConfigError extends Error {
  constructor(mistakes: readonly string[]) {
    super(`the configuration is invalid:\n${mistakes.map((line) => `  ${line}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

/** Checks a configuration and fills in defaults. Throws ConfigError. */
export function parseConfig(input: unknown): RegionConfig {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  throw new ConfigError(result.error.issues.map(({ path, message }) => `${path.join('.') || '(root)'}: ${message}`))
}

/**
 * Reads a configuration file (JSON). A value of the form `"${NAME}"` is replaced by the environment variable, so that the file
 * needs no secrets. Throws ConfigError.
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
      if (found === undefined) throw new ConfigError([`the environment variable ${name} is not set`])
      return found
    })
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError([`${file} is not JSON`])
  }
  return parseConfig(input)
}
