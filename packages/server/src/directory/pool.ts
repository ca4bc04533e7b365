import type {
  EmailMfaConfigType,
  SoftwareTokenMfaConfigType,
  UserPoolType,
  WebAuthnConfigurationType,
} from '@aws-sdk/client-cognito-identity-provider'
import { CognitoError } from '../errors.ts'
import { type Cache, createCache } from '../store/cache.ts'
import { ONLY, type Topology } from '../store/kinds.ts'
import type { Replica, ReplicaStatus } from '../store/merge.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { type Client, findClient, noClient } from './client.ts'
import { parseDocument } from './document.ts'

/** Settings that each region keeps for itself, and that a replica starts without. https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-multi-region-replication.html */
export const REGIONAL_SETTINGS = ['EmailConfiguration', 'SmsConfiguration', 'LambdaConfig', 'UserPoolTags'] as const
export type RegionalSetting = (typeof REGIONAL_SETTINGS)[number]

/** Times are ms since the epoch wherever a document of ours carries one. */
export interface PoolDocument
  extends Omit<
    UserPoolType,
    RegionalSetting | 'CreationDate' | 'LastModifiedDate' | 'Id' | 'Arn' | 'EstimatedNumberOfUsers'
  > {
  created: number
  modified: number
  /** What SetUserPoolMfaConfig keeps beside MfaConfiguration. `smsMfa`: whether text messages are one of the factors. */
  smsMfa?: boolean
  softwareTokenMfa?: SoftwareTokenMfaConfigType
  emailMfa?: EmailMfaConfigType
  webAuthn?: WebAuthnConfigurationType
}

/** Body of the `settings` row: only in this region. */
export type RegionalSettings = Pick<UserPoolType, RegionalSetting> & { modified?: number }

/** A pool as this region sees it. */
export interface Pool {
  id: string
  document: PoolDocument
  settings: RegionalSettings
  topology: Topology
  /** All regions of the pool but the primary, in the order of their names; those that are gone left out. */
  replicas: Replica[]
  role: 'PRIMARY' | 'SECONDARY'
  /** How this region stands to the pool; a primary is always ACTIVE. */
  status: ReplicaStatus
}

/** Pools and clients, kept in memory and dropped when they change. */
export interface Pools {
  /** Undefined when this region does not hold the pool. */
  find(id: string): Promise<Pool | undefined>
  /** Throws ResourceNotFoundException. */
  get(id: string): Promise<Pool>
  findClient(id: string): Promise<Client | undefined>
  /** The client of any pool. Throws ResourceNotFoundException. */
  getClient(id: string): Promise<Client>
  /** A client of this pool. Throws ResourceNotFoundException, also for a client of another pool. */
  getClientOf(pool: Pick<Pool, 'id'>, id: string): Promise<Client>
}

export function createPools({ store }: { store: Store }): Pools {
  const pools: Cache<Pool | undefined> = createCache(
    { store },
    (id) => readPool(store, id),
    ({ kind, pool }) => (POOL_KINDS.has(kind) ? pool : undefined),
  )
  const clients: Cache<Client | undefined> = createCache(
    { store },
    (id) => findClient(store, id),
    ({ kind, key }) => (kind === 'client' ? key : undefined),
  )
  const getClient = async (id: string): Promise<Client> => {
    const client = await clients.get(id)
    if (!client) throw noClient(id)
    return client
  }
  return {
    find: (id) => pools.get(id),
    get: async (id) => {
      const pool = await pools.get(id)
      if (!pool) throw noPool(id)
      return pool
    },
    findClient: (id) => clients.get(id),
    getClient,
    getClientOf: async (pool, id) => {
      const client = await getClient(id)
      if (client.pool !== pool.id) throw noClient(id)
      return client
    },
  }
}

const POOL_KINDS = new Set(['pool', 'settings', 'topology', 'replica'])

async function readPool(store: Store, id: string): Promise<Pool | undefined> {
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
  const status = role === 'PRIMARY' ? 'ACTIVE' : (own?.status ?? 'DELETED')
  if (status === 'DELETED') return undefined
  return {
    id,
    document: parseDocument('pool', document),
    settings: settings ? parseDocument('settings', settings) : own?.tags ? { UserPoolTags: own.tags } : {},
    topology,
    replicas: all.filter((replica) => replica.status !== 'DELETED'),
    role,
    status,
  }
}

/** Reads the document of a pool that is to be written, or on whose life the transaction depends. Throws ResourceNotFoundException. */
export async function lockPool(tx: Transaction, id: string): Promise<PoolDocument> {
  const row = await tx.lock('pool', { pool: id, key: ONLY })
  if (!row) throw noPool(id)
  return parseDocument('pool', row)
}

/** Writes the document of a pool. */
export async function putPool(tx: Transaction, id: string, document: PoolDocument): Promise<void> {
  await tx.put('pool', { pool: id, key: ONLY, body: JSON.stringify(document), fields: { name: document.Name ?? null } })
}

export const removePool = (tx: Transaction, id: string): Promise<void> => tx.remove('pool', { pool: id, key: ONLY })

/** Reads the settings of this region that are to be written; those of the pool as it was read where there are none yet. */
export async function lockSettings(
  tx: Transaction,
  { id, settings }: Pick<Pool, 'id' | 'settings'>,
): Promise<RegionalSettings> {
  const row = await tx.lock('settings', { pool: id, key: ONLY })
  return row ? parseDocument('settings', row) : settings
}

/** Writes the settings of this region. */
export const putSettings = (tx: Transaction, id: string, settings: RegionalSettings): Promise<void> =>
  tx.set('settings', { pool: id, key: ONLY, body: JSON.stringify(settings) })

const noPool = (id: string): CognitoError =>
  new CognitoError('ResourceNotFoundException', `User pool ${id} does not exist.`)
