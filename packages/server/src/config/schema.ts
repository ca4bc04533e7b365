import { z } from 'zod'
import { isNetwork } from '../http/address.ts'
import { MIN_BUDGET_BYTES } from '../http/body-budget.ts'
import { hasEntropy } from './entropy.ts'

/*
 * Every member has a description: docs/configuration.md is generated from this schema (scripts/generate-configuration.ts).
 */

const regionName = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'a region name such as us-west-2')
/** Neither Node's fetch nor a browser calls a URL with a password, and errors would repeat it. */
const hasNoPassword = (url: string): boolean => {
  const { username, password } = URL.parse(url) ?? {}
  return !username && !password
}
const NO_PASSWORD = 'a URL without user name and password'
const baseUrl = z
  .url({ protocol: /^https?$/ })
  .refine(hasNoPassword, NO_PASSWORD)
  .refine((url) => !/[?#]/.test(url), 'a base URL, without ? and #')
  .transform((url) => url.replace(/\/+$/, ''))
const secret = (bytes: number) => z.string().min(bytes, `at least ${bytes} characters`)
/** Errors name the file: a master key, or a key in PEM, in its place would be in them. */
const isPath = (text: string): boolean => !/[\r\n\0]|^[\w+/-]{43}=$/.test(text)
const file = z.string().min(1).refine(isPath, 'a path, not the content of the file')
/** One value, or the new and the old value while one is replaced by the other. */
const current = <T extends z.ZodType>(value: T, old: T = value) => z.union([value, z.tuple([value, old])])

const clusterSecret = secret(32).refine(hasEntropy, 'too easy to guess: use 32 random bytes (openssl rand -base64 32)')
const masterKey = z.base64().refine((text) => Buffer.from(text, 'base64').length === 32, 'must be 32 bytes in base64')

export const schema = z
  .strictObject({
    region: regionName.describe('The name of the region, in the form of AWS region names.'),
    accountId: z
      .string()
      .regex(/^\d{12}$/)
      .default('000000000000')
      .describe('Twelve digits, used in ARNs.'),
    parity: z
      .enum(['aws', 'extended'])
      .default('aws')
      .describe('`aws`: the limits that Cognito documents, one replica. `extended`: several replicas.'),
    listen: z
      .strictObject({
        host: z.string().default('127.0.0.1').describe('Address to listen on; `0.0.0.0` for all.'),
        port: z.number().int().min(0).max(65_535).default(9401).describe('Port; 0 for any free port, with `endpoint`.'),
      })
      .prefault({})
      .describe('API, feed, health and metrics share this address, unless `management` is set.'),
    tls: z
      .strictObject({
        certificateFile: file.describe('Certificate chain, PEM. Read again at SIGHUP.'),
        keyFile: file.describe('Private key, PEM. Read again at SIGHUP.'),
        clientCaFile: file
          .optional()
          .describe('CA certificates, PEM: calls of the replication paths must present a certificate of one of them.'),
      })
      .optional()
      .describe('TLS in this process. Leave it out if a proxy terminates TLS.'),
    trustedProxies: z
      .array(z.string().refine(isNetwork, 'an IP address, or a network such as 10.0.0.0/8'))
      .default([])
      .describe(
        'Addresses and networks of the proxies in front; [only they say where a call comes from](operations.md#callers-without-credentials): X-Forwarded-For, Forwarded, PROXY protocol.',
      ),
    endpoint: baseUrl
      .optional()
      .describe(
        'URL under which clients reach this region. The ORIGINAL issuer of a pool created here is `<endpoint>/<poolId>`. Default: the address it listens on.',
      ),
    issuerBase: baseUrl
      .optional()
      .describe(
        'Base URL of UPDATED issuers, the same in all regions: an address that responds as long as one region is up. Required with peers; otherwise the endpoint.',
      ),
    store: z
      .discriminatedUnion('engine', [
        z.strictObject({
          engine: z.literal('sqlite').describe('A file, for one process.'),
          file: file.describe('The database file. One process per file.'),
        }),
        z.strictObject({
          engine: z.literal('postgres').describe('A database, for any number of processes of the region.'),
          url: z
            .string()
            .regex(/^postgres(ql)?:\/\//, 'a postgres:// URL')
            .describe(
              'A PostgreSQL for this region alone, version 14 or newer. With several addresses (`postgres://user@host1:5432,host2:5432/name`) the region uses the one that accepts writes.',
            ),
          connections: z
            .number()
            .int()
            .min(2)
            .max(500)
            .optional()
            .describe('Connections for calls. Default: 16. Each process opens six more.'),
          statementSeconds: z
            .number()
            .min(1)
            .max(300)
            .optional()
            .describe(
              'Timeout of a statement. Default: 15. The connection is closed if PostgreSQL has not responded a second later.',
            ),
        }),
      ])
      .describe('Where the region stores its data.'),
    credentials: z
      .array(
        z.strictObject({
          accessKeyId: z
            .string()
            .regex(/^\w{16,128}$/, '16 to 128 letters and digits')
            .describe('Access key id.'),
          secretAccessKey: secret(16).describe('Secret access key.'),
        }),
      )
      .min(1)
      .describe('The access keys that are accepted for signed calls. Read again at SIGHUP.'),
    anyRegionInSignature: z
      .boolean()
      .default(false)
      .describe(
        'Accepts calls signed for any region name: for regions behind a router that clients see as one region.',
      ),
    keys: z
      .discriminatedUnion('provider', [
        z.strictObject({
          provider: z.literal('local').describe('A key ring in the store, sealed under the master key.'),
          masterKey: current(masterKey)
            .optional()
            .describe(
              '32 bytes in base64. Set either this or `masterKeyFile`. **Without the master key the store cannot be read: keep a copy elsewhere.** `[new, old]` while `twinpool rekey` replaces it. Read again at SIGHUP.',
            ),
          masterKeyFile: current(file)
            .optional()
            .describe('File with the master key in base64, or `[new, old]`. Read again at SIGHUP.'),
        }),
        z.strictObject({
          provider: z.literal('aws-kms').describe('Keys in AWS KMS.'),
          region: regionName
            .optional()
            .describe(
              "The AWS region of KMS. Default: this region's name. With another region, pools cannot have keys of their own.",
            ),
          endpoint: baseUrl.optional().describe('Default: the public endpoint of KMS in that region.'),
          serviceKeyArn: z
            .string()
            .regex(/^arn:aws[a-z-]*:kms:[a-z\d-]+:\d{12}:key\/[\w-]+$/, 'the ARN of a KMS key')
            .describe('ARN (not an alias) of a symmetric encryption key, for pools without a customer managed key.'),
          unwrappedForMinutes: z
            .number()
            .int()
            .min(5)
            .max(10_080)
            .default(720)
            .describe('How long unwrapped data keys stay usable while KMS does not respond.'),
        }),
      ])
      .describe('Which service holds the keys that wrap the data keys of pools.'),
    dataKeyRotation: z
      .strictObject({
        afterDays: z
          .number()
          .min(1)
          .max(36_500)
          .default(365)
          .describe('Age at which a pool gets a new data key. Values sealed under older ones stay readable.'),
        afterSeals: z
          .number()
          .int()
          .min(65_536)
          .max(2 ** 32)
          .default(2 ** 31)
          .describe('Number of sealed values after which a pool gets a new data key. AES-GCM allows 2^32 per key.'),
      })
      .prefault({})
      .describe('When the primary gives a pool a new data key.'),
    cluster: z
      .strictObject({
        secret: current(clusterSecret, secret(32)).describe(
          'The shared secret with which regions authenticate to each other, the same in all regions: 32 random bytes in base64 or hex. `[new, old]` while it is replaced. Read again at SIGHUP.',
        ),
      })
      .describe('What all regions have in common.'),
    peers: z
      .record(
        regionName,
        z.strictObject({
          endpoint: baseUrl.describe('The URL for clients.'),
          replication: baseUrl
            .optional()
            .describe('The URL from which this region reads the changes of the peer. Default: `endpoint`.'),
          allowHttp: z
            .boolean()
            .default(false)
            .describe(
              'Permits `http:` to a peer that is not on this machine. Pool settings are then readable on the network; use it only inside a VPN or a service mesh.',
            ),
        }),
      )
      .default({})
      .describe('The other regions, by name.'),
    peerTls: z
      .strictObject({
        caFile: file.optional().describe('CA certificates, PEM, instead of the public ones. Read again at SIGHUP.'),
        certificateFile: file
          .optional()
          .describe('Client certificate chain, PEM, with `keyFile`. Read again at SIGHUP.'),
        keyFile: file.optional().describe('Private key of the client certificate, PEM. Read again at SIGHUP.'),
      })
      .optional()
      .describe('TLS of the connections to peers: a private CA, a client certificate.'),
    replication: z
      .strictObject({
        retentionHours: z
          .number()
          .positive()
          .max(24 * 365)
          .default(24)
          .describe(
            'How long changes are kept for an unreachable peer; after a longer absence the peer copies its pools again.',
          ),
        retentionChanges: z.number().int().min(1).default(5_000_000).describe('How many changes are kept at most.'),
        trimSeconds: z.number().min(0.1).max(3_600).default(30).describe('How often the log is trimmed.'),
      })
      .prefault({})
      .describe('The log of changes for peers.'),
    limits: z
      .strictObject({
        calls: z.number().int().min(1).default(2_000).describe('Maximum calls in progress.'),
        passwords: z
          .number()
          .int()
          .min(1)
          .default(500)
          .describe('Maximum calls that wait for the CPU to verify or set a password.'),
        connections: z
          .number()
          .int()
          .min(1)
          .optional()
          .describe(
            'Maximum open connections; the connection that has been idle for longest is closed first. Default: from the open-file limit.',
          ),
        failedAttemptsPerMinute: z
          .number()
          .int()
          .min(1)
          .default(100)
          .describe(
            "Unsigned calls per minute and [caller's address](operations.md#callers-without-credentials) that fail because of a wrong name, password or code.",
          ),
        messagesPerMinute: z
          .number()
          .int()
          .min(1)
          .default(100)
          .describe("Unsigned calls per minute and caller's address that may send a message."),
        messagesPerDestinationPerHour: z
          .number()
          .int()
          .min(1)
          .default(20)
          .describe('Messages per hour to one mailbox or phone number that unsigned calls may cause.'),
        bodyBytes: z
          .number()
          .int()
          .min(MIN_BUDGET_BYTES)
          .default(32 * 1024 * 1024)
          .describe('Maximum memory of request bodies in flight, in bytes; at least 20 MB.'),
        headersSeconds: z
          .number()
          .min(0.1)
          .max(300)
          .default(15)
          .describe('Time for the headers of a request to arrive.'),
        requestSeconds: z.number().min(0.1).max(3_600).default(30).describe('Time for a complete request to arrive.'),
        progressSeconds: z
          .number()
          .min(0.1)
          .max(300)
          .default(10)
          .describe('Maximum time without progress while a request is sent or a response is read.'),
        idleSeconds: z
          .number()
          .min(0.1)
          .max(3_600)
          .default(65)
          .describe('Keep-alive timeout; must be longer than that of a load balancer in front (usually 60 seconds).'),
      })
      .prefault({})
      .describe(
        'Calls above these limits are refused with TooManyRequestsException; connections above them are closed.',
      ),
    messages: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('none').describe('No messages are sent.') }),
        z.strictObject({
          kind: z.literal('inbox').describe('For development: each message is posted as JSON.'),
          url: z.url().refine(hasNoPassword, NO_PASSWORD).describe('Receives the messages.'),
        }),
      ])
      .default({ kind: 'none' })
      .describe('Delivery of e-mail and text messages.'),
    management: z
      .strictObject({
        host: z.string().default('127.0.0.1').describe('Address to listen on.'),
        port: z.number().int().min(1).max(65_535).describe('Port.'),
      })
      .optional()
      .describe(
        'A port of its own for `/metrics`, the details of `/health` and the page of the region, over plain HTTP. The port of the API then has only `/health`, without details.',
      ),
    audit: z
      .strictObject({
        file: file.describe(
          'The audit records of this process are appended to this file, as JSON lines. Opened again at SIGHUP.',
        ),
      })
      .optional()
      .describe('The [audit stream](audit.md). Without it there is none.'),
    shutdown: z
      .strictObject({
        noticeSeconds: z
          .number()
          .min(0)
          .max(300)
          .default(2)
          .describe(
            'After SIGTERM, how long `/health` returns 503 while all calls are still served, before connections drain: longer than a load balancer takes to notice.',
          ),
      })
      .prefault({})
      .describe('How the process stops.'),
    log: z
      .strictObject({
        level: z
          .enum(['silent', 'error', 'warn', 'info', 'debug'])
          .default('info')
          .describe(
            'Lowest level of the JSON lines on stderr ([troubleshooting.md](troubleshooting.md) explains each `event`). Read again at SIGHUP.',
          ),
      })
      .prefault({})
      .describe('Logging.'),
  })
  .superRefine((config, refinement) => {
    const refuse = (path: (string | number)[], message: string): void =>
      refinement.addIssue({ code: 'custom', path, message })
    if (Object.hasOwn(config.peers, config.region)) refuse(['peers', config.region], 'a region cannot be its own peer')
    for (const [name, { endpoint, replication, allowHttp }] of Object.entries(config.peers)) {
      if (allowHttp || !isPlainRemote(replication ?? endpoint)) continue
      const member = replication === undefined ? 'endpoint' : 'replication'
      refuse(['peers', name, member], 'http: to another machine: use https:, or set allowHttp')
    }
    if ((config.peerTls?.certificateFile === undefined) !== (config.peerTls?.keyFile === undefined)) {
      refuse(['peerTls'], 'certificateFile and keyFile belong together')
    }
    const { keys } = config
    if (keys.provider === 'local') {
      if ((keys.masterKey === undefined) === (keys.masterKeyFile === undefined)) {
        refuse(['keys'], 'set exactly one of masterKey and masterKeyFile')
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

/** Whether the URL leads to another machine without TLS. */
function isPlainRemote(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname } = new URL(url)
  return (
    protocol === 'http:' && hostname !== 'localhost' && hostname !== '[::1]' && !/^127\.\d+\.\d+\.\d+$/.test(hostname)
  )
}
