import type {
  EmailMfaConfigType,
  SoftwareTokenMfaConfigType,
  UserPoolClientType,
  UserPoolType,
  WebAuthnConfigurationType,
} from '@aws-sdk/client-cognito-identity-provider'
import { CognitoError } from '../errors.ts'
import { type Cache, createCache } from '../store/cache.ts'
import { ONLY, type Topology } from '../store/kinds.ts'
import type { Replica, ReplicaStatus } from '../store/merge.ts'
import { findRowsByKey } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'

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

/** Body of a `client` row. Secrets are sealed (purpose `row`, binding `client/<id>`), newest last, base64. */
export interface ClientDocument
  extends Omit<UserPoolClientType, 'ClientSecret' | 'CreationDate' | 'LastModifiedDate' | 'UserPoolId' | 'ClientId'> {
  created: number
  modified: number
  secrets: { id: string; sealed: string; created: number }[]
}

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

export interface Client {
  id: string
  pool: string
  document: ClientDocument
}

/** Pools and clients, kept in memory and dropped when they change. */
export interface Pools {
  /** Undefined when this region does not hold the pool. */
  find(id: string): Promise<Pool | undefined>
  /** Throws ResourceNotFoundException. */
  get(id: string): Promise<Pool>
  findClient(id: string): Promise<Client | undefined>
  /** The client of whatever pool. Throws ResourceNotFoundException. */
  getClient(id: string): Promise<Client>
}

export function createPools({ store }: { store: Store }): Pools {
  const pools: Cache<Pool | undefined> = createCache(
    { store },
    (id) => readPool(store, id),
    ({ kind, pool }) => (POOL_KINDS.has(kind) ? pool : undefined),
  )
  const clients: Cache<Client | undefined> = createCache(
    { store },
    async (id) => {
      const [row] = await findRowsByKey(store.db, 'client', id)
      return row && { id, pool: row.pool, document: JSON.parse(row.body) as ClientDocument }
    },
    ({ kind, key }) => (kind === 'client' ? key : undefined),
  )
  return {
    find: (id) => pools.get(id),
    get: async (id) => {
      const pool = await pools.get(id)
      if (!pool) throw noPool(id)
      return pool
    },
    findClient: (id) => clients.get(id),
    getClient: async (id) => {
      const client = await clients.get(id)
      if (!client) throw new CognitoError('ResourceNotFoundException', `User pool client ${id} does not exist.`)
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
  const topology = JSON.parse(topologyRow.body) as Topology
  const all = replicaRows.map((row) => JSON.parse(row.body) as Replica)
  const role = topology.primary === store.region ? 'PRIMARY' : 'SECONDARY'
  const own = all.find(({ region }) => region === store.region)
  const status = role === 'PRIMARY' ? 'ACTIVE' : (own?.status ?? 'DELETED')
  if (status === 'DELETED') return undefined
  return {
    id,
    document: JSON.parse(document.body) as PoolDocument,
    settings: settings ? (JSON.parse(settings.body) as RegionalSettings) : own?.tags ? { UserPoolTags: own.tags } : {},
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
  return JSON.parse(row.body) as PoolDocument
}

/** Writes the document of a pool. */
export async function putPool(tx: Transaction, id: string, document: PoolDocument): Promise<void> {
  await tx.put('pool', { pool: id, key: ONLY, body: JSON.stringify(document), fields: { name: document.Name ?? null } })
}

const noPool = (id: string): CognitoError =>
  new CognitoError('ResourceNotFoundException', `User pool ${id} does not exist.`)
