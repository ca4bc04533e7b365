import type {
  EmailMfaConfigType,
  SoftwareTokenMfaConfigType,
  UserPoolType,
  WebAuthnConfigurationType,
} from '@aws-sdk/client-cognito-identity-provider'
import { CognitoError } from '../errors.ts'
import { type PoolCipher, type PoolKeys, SealBrokenError } from '../keys/pool-keys.ts'
import { type Cache, createCache, documentBytes } from '../store/cache.ts'
import { findCopyInProgress } from '../store/copies.ts'
import { ONLY, type Topology } from '../store/kinds.ts'
import type { Replica, ReplicaStatus } from '../store/merge.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { type Client, clientNotFound, findClient } from './client.ts'
import { findDocument, parseDocument, sealDocument } from './document.ts'
import type { OpenPool, PoolSeal } from './open-pool.ts'
import { findSigningKeys, openPrivateKey, SIGNING_USES } from './signing-key.ts'

/** Settings that each region stores for itself; a replica starts without them. https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-multi-region-replication.html */
const REGIONAL_SETTINGS = ['EmailConfiguration', 'SmsConfiguration', 'LambdaConfig', 'UserPoolTags'] as const
export type RegionalSetting = (typeof REGIONAL_SETTINGS)[number]

/** Body of a `pool` row. Times are ms since the epoch. */
export interface PoolDocument
  extends Omit<
    UserPoolType,
    RegionalSetting | 'CreationDate' | 'LastModifiedDate' | 'Id' | 'Arn' | 'EstimatedNumberOfUsers'
  > {
  created: number
  modified: number
  // The next four are set by SetUserPoolMfaConfig, besides MfaConfiguration.
  /** Whether text messages are a second factor. */
  smsMfa?: boolean
  softwareTokenMfa?: SoftwareTokenMfaConfigType
  emailMfa?: EmailMfaConfigType
  webAuthn?: WebAuthnConfigurationType
  /** How the pool stores groups, memberships, sign-outs and templates; absent: in plain text, as the first release did. Read formOf. */
  form?: 'sealing' | 'sealed'
  /** The members of TEMPLATES of a sealed pool, sealed, base64. They are absent from the stored document; openPoolOf restores them. */
  sealedTemplates?: string
}

/** Members with message texts, which Cognito promises to protect by a customer managed key. */
const TEMPLATES = [
  'SmsVerificationMessage',
  'EmailVerificationMessage',
  'EmailVerificationSubject',
  'VerificationMessageTemplate',
  'SmsAuthenticationMessage',
  'AdminCreateUserConfig',
  'emailMfa',
] as const satisfies (keyof PoolDocument)[]

/** Body of the `settings` row, which stays in this region. */
export type RegionalSettings = Pick<UserPoolType, RegionalSetting> & { modified?: number }

/** A pool as this region sees it. */
export interface Pool {
  id: string
  document: PoolDocument
  settings: RegionalSettings
  topology: Topology
  /** All regions of the pool except the primary, in the order of their names, without deleted replicas. */
  replicas: Replica[]
  role: 'PRIMARY' | 'SECONDARY'
  /**
   * The status of this region's replica; a primary is always ACTIVE. CREATING during the first copy, whatever the shared `replica`
   * row says: another region may set a status before it has received CREATING.
   */
  status: ReplicaStatus
  /** Whether the pool is being copied again: old rows are beside new ones. */
  isCopiedAgain: boolean
  /** The signing keys, if the document does not say that the pool is sealed: they may prove it. */
  signingKeys?: Awaited<ReturnType<typeof findSigningKeys>>
  /** The pool as it was opened last. */
  opened?: OpenPool
}

/** Pools and clients, cached; a change of their rows invalidates the entry. */
export interface Pools {
  /** Returns undefined when this region does not hold the pool. */
  find(id: string): Promise<Pool | undefined>
  /** Throws ResourceNotFoundException. */
  get(id: string): Promise<Pool>
  findClient(id: string): Promise<Client | undefined>
  /** Throws ResourceNotFoundException. */
  getClient(id: string): Promise<Client>
  /** Throws ResourceNotFoundException, also for a client of another pool. */
  getClientOf(pool: Pick<Pool, 'id'>, id: string): Promise<Client>
}

export function createPools({ store }: { store: Store }): Pools {
  const pools: Cache<Pool | undefined> = createCache(
    // Twice: as it was read, and as it was opened.
    { store, bytesOf: ({ document, settings }) => 2 * documentBytes(document) + documentBytes(settings) },
    (id) => loadPool(store, id),
    ({ kind, pool }) => (POOL_KINDS.has(kind) ? pool : undefined),
  )
  const clients: Cache<Client | undefined> = createCache(
    { store, bytesOf: ({ document }) => documentBytes(document) },
    (id) => findClient(store, id),
    ({ kind, key }) => (kind === 'client' ? key : undefined),
  )
  const getClient = async (id: string): Promise<Client> => {
    const client = await clients.get(id)
    if (!client) throw clientNotFound(id)
    return client
  }
  return {
    find: (id) => pools.get(id),
    get: async (id) => {
      const pool = await pools.get(id)
      if (!pool) throw poolNotFound(id)
      return pool
    },
    findClient: (id) => clients.get(id),
    getClient,
    getClientOf: async (pool, id) => {
      const client = await getClient(id)
      if (client.pool !== pool.id) throw clientNotFound(id)
      return client
    },
  }
}

const POOL_KINDS = new Set(['pool', 'settings', 'topology', 'replica', 'signing-key'])

async function loadPool(store: Store, id: string): Promise<Pool | undefined> {
  const [document, settings, topologyRow, replicaRows] = await Promise.all([
    store.find('pool', { pool: id, key: ONLY }),
    store.find('settings', { pool: id, key: ONLY }),
    store.find('topology', { pool: id, key: ONLY }),
    store.list('replica', { pool: id, limit: 100 }),
  ])
  if (!document || !topologyRow) return undefined
  const topology = parseDocument('topology', topologyRow)
  const all = replicaRows.map((row) => parseDocument('replica', row))
  const role = topology.primary === store.region ? 'PRIMARY' : 'SECONDARY'
  const own = all.find(({ region }) => region === store.region)
  const { primary } = topology
  const copy = role === 'PRIMARY' ? undefined : await findCopyInProgress(store.db, { pool: id, primary })
  const status = role === 'PRIMARY' ? 'ACTIVE' : statusIn(own, copy)
  if (status === 'DELETED') return undefined
  const pool = parseDocument('pool', document)
  return {
    id,
    document: pool,
    settings: settings ? parseDocument('settings', settings) : own?.tags ? { UserPoolTags: own.tags } : {},
    topology,
    replicas: all
      .map((replica) => (replica === own && role === 'SECONDARY' ? { ...replica, status } : replica))
      .filter((replica) => replica.status !== 'DELETED'),
    role,
    status,
    isCopiedAgain: copy === 'again',
    ...(pool.form !== 'sealed' && { signingKeys: await findSigningKeys(store, id) }),
  }
}

/** The status that a secondary acts by. */
function statusIn(own: Replica | undefined, copy: 'first' | 'again' | undefined): ReplicaStatus {
  if (!own) return 'DELETED'
  return copy === 'first' && (own.status === 'INACTIVE' || own.status === 'ACTIVE') ? 'CREATING' : own.status
}

/** Opens the templates of a pool, and checks its form. Throws SealBrokenError. */
function openPool(pool: Pool, cipher: PoolCipher): OpenPool {
  if (pool.opened?.cipher === cipher) return pool.opened
  proveForm(pool, cipher)
  pool.opened = { pool: { ...pool, document: openTemplates({ pool, cipher }, pool.document) }, cipher }
  return pool.opened
}

/**
 * The pool document is not authenticated, and the data key of the time before the pool was sealed still unwraps. Signing keys of a
 * sealed pool prove to the cipher what both may hide.
 */
function proveForm(pool: Pool, cipher: PoolCipher): void {
  if (cipher.isSealed || pool.document.form === 'sealed') return
  if (!pool.signingKeys) throw new SealBrokenError(`the signing keys of ${pool.id} are missing`)
  for (const use of SIGNING_USES) openPrivateKey({ pool, cipher }, use, pool.signingKeys[use].sealed)
}

/**
 * Opens a pool with its cipher. A pool that was read before it was sealed is read again: its document and its data key change in one
 * transaction. Throws ResourceNotFoundException, KeyUnavailableError, SealBrokenError.
 */
export async function openPoolOf({ pools, keys }: OpenPoolContext, pool: Pool): Promise<OpenPool> {
  const cipher = await keys.get(pool.id)
  return openPool(cipher.isSealed && pool.document.form !== 'sealed' ? await pools.get(pool.id) : pool, cipher)
}

/** Throws ResourceNotFoundException, KeyUnavailableError, SealBrokenError. */
export const getOpenPool = async (context: OpenPoolContext, id: string): Promise<OpenPool> =>
  openPoolOf(context, await context.pools.get(id))

interface OpenPoolContext {
  pools: Pick<Pools, 'get'>
  keys: Pick<PoolKeys, 'get'>
}

/**
 * Locks the document of a pool: the transaction writes it, or requires that the pool exists. Throws
 * ResourceNotFoundException.
 */
export async function lockPool(tx: Transaction, openPool: PoolSeal): Promise<PoolDocument> {
  const { id } = openPool.pool
  const row = await tx.lock('pool', { pool: id, key: ONLY })
  if (!row) throw poolNotFound(id)
  return openTemplates(openPool, parseDocument('pool', row))
}

/** Writes the document of a pool. If the pool is known to be sealed, `form` is set whatever the document says. */
export async function putPool(tx: Transaction, openPool: PoolSeal, document: PoolDocument): Promise<void> {
  const isSealed = openPool.cipher.isSealed || document.form === 'sealed'
  const body = JSON.stringify(isSealed ? sealTemplates(openPool, { ...document, form: 'sealed' }) : document)
  await tx.put('pool', { pool: openPool.pool.id, key: ONLY, body, fields: { name: document.Name ?? null } })
}

function sealTemplates(seal: PoolSeal, document: PoolDocument): PoolDocument {
  const rest = { ...document }
  const templates: Partial<PoolDocument> = {}
  for (const name of TEMPLATES) {
    Object.assign(templates, { [name]: document[name] })
    delete rest[name]
  }
  return { ...rest, sealedTemplates: sealDocument(seal, 'pool', TEMPLATES_KEY, templates) }
}

/**
 * Opens the templates of a pool. Plain members of a sealed pool were not written by this build, so they are ignored. Sealed ones
 * that are missing or altered count as absent: the pool sends the default texts, and sign-in goes on.
 */
function openTemplates(seal: PoolSeal, { sealedTemplates, ...document }: PoolDocument): PoolDocument {
  if (sealedTemplates === undefined && !seal.cipher.isSealed) return document
  const rest: PoolDocument = { ...document }
  for (const name of TEMPLATES) delete rest[name]
  return { ...rest, ...findDocument(seal, 'pool', { key: TEMPLATES_KEY, body: sealedTemplates ?? '' }) }
}

const TEMPLATES_KEY = 'templates'

export const removePool = (tx: Transaction, id: string): Promise<void> => tx.remove('pool', { pool: id, key: ONLY })

/** Locks the settings of this region. Without a row yet, returns the settings of the pool as it was read. */
export async function lockSettings(
  tx: Transaction,
  { id, settings }: Pick<Pool, 'id' | 'settings'>,
): Promise<RegionalSettings> {
  const row = await tx.lock('settings', { pool: id, key: ONLY })
  return row ? parseDocument('settings', row) : settings
}

export const putSettings = (tx: Transaction, id: string, settings: RegionalSettings): Promise<void> =>
  tx.set('settings', { pool: id, key: ONLY, body: JSON.stringify(settings) })

const poolNotFound = (id: string): CognitoError =>
  new CognitoError('ResourceNotFoundException', `User pool ${id} does not exist.`)
