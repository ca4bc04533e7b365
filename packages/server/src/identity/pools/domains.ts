import type {
  CreateUserPoolDomainCommandInput,
  CustomDomainConfigType,
  DomainDescriptionType,
  RoutingType,
} from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import { lockPool, type Pool, type PoolDocument } from '../../directory/pool.ts'
import { CognitoError } from '../../errors.ts'
import { countRowsOfAllPools, findRowsByKey } from '../../store/rows.ts'
import type { Transaction } from '../../store/write.ts'
import { listReplicas } from './replicas.ts'
import { checkTier } from './settings.ts'

/** Body of a `domain` row (a custom domain, the same in every region) and of a `prefix-domain` row (of this region alone). */
export interface DomainDocument {
  ManagedLoginVersion: number
  CustomDomainConfig?: CustomDomainConfigType
  Routing?: RoutingType
  /** Milliseconds since the epoch. */
  created: number
  modified: number
}

type DomainKind = 'domain' | 'prefix-domain'
type DomainInput = Pick<CreateUserPoolDomainCommandInput, 'ManagedLoginVersion' | 'CustomDomainConfig' | 'Routing'> & {
  Domain: string
}

/** https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html */
const CUSTOM_LIMIT = 4
const PREFIX = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const RESERVED = ['aws', 'amazon', 'cognito']
const HOST = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/
/** CloudFront takes certificates from this region only. */
const CERTIFICATE = /^arn:aws[\w-]*:acm:us-east-1:\d{12}:certificate\/[\w-]+$/

/**
 * Gives a pool a domain: one of its own under a certificate, in the primary region, or a prefix, which holds in this region
 * only. Throws InvalidParameterException, LimitExceededException, FeatureUnavailableInTierException.
 */
export async function createDomain(
  { store, clock }: Pick<Context, 'store' | 'clock'>,
  pool: Pool,
  input: DomainInput,
): Promise<DomainDocument> {
  const kind: DomainKind = input.CustomDomainConfig ? 'domain' : 'prefix-domain'
  if (kind === 'domain') checkCustom(pool, input)
  else checkPrefix(input)
  const now = clock.now()
  const { ManagedLoginVersion = 1, CustomDomainConfig, Routing } = input
  const domain: DomainDocument = { ManagedLoginVersion, CustomDomainConfig, Routing, created: now, modified: now }
  await store.write(async (tx) => {
    await checkSettings(tx, await lockPool(tx, pool.id), pool.id, domain)
    // Whoever wants the name, for whatever pool, waits here.
    await tx.lock(kind, { pool: '', key: input.Domain })
    if ((await findRowsByKey(tx.connection, kind, input.Domain)).length > 0) {
      throw invalid('Domain already associated with another user pool.')
    }
    if ((await tx.list(kind, { pool: pool.id, limit: 1 })).length > 0) {
      throw invalid('User pool already has a domain configured.')
    }
    if (kind === 'domain' && (await countRowsOfAllPools(tx.connection, 'domain')) >= CUSTOM_LIMIT) {
      throw new CognitoError('LimitExceededException', `Number of custom domains exceeds the limit of ${CUSTOM_LIMIT}.`)
    }
    await putDomain(tx, kind, { pool: pool.id, name: input.Domain, domain })
  })
  return domain
}

/** Changes a domain; what is left out stays as it is, `Routing: {}` ends the failover. Throws as createDomain. */
export async function updateDomain(
  { store, clock }: Pick<Context, 'store' | 'clock'>,
  pool: Pool,
  input: DomainInput,
): Promise<DomainDocument> {
  return store.write(async (tx) => {
    const document = await lockPool(tx, pool.id)
    const { kind, present } = await lockDomain(tx, pool, input.Domain)
    if (input.CustomDomainConfig && kind === 'prefix-domain')
      throw invalid('A prefix domain has no CustomDomainConfig.')
    if (kind === 'domain') checkCustom(pool, input)
    else checkRouting(input)
    const domain: DomainDocument = {
      ManagedLoginVersion: input.ManagedLoginVersion ?? present.ManagedLoginVersion,
      CustomDomainConfig: input.CustomDomainConfig ?? present.CustomDomainConfig,
      Routing: input.Routing ?? present.Routing,
      created: present.created,
      modified: clock.now(),
    }
    await checkSettings(tx, document, pool.id, domain)
    await putDomain(tx, kind, { pool: pool.id, name: input.Domain, domain })
    return domain
  })
}

/** Takes a domain from a pool. Throws InvalidParameterException. */
export async function deleteDomain({ store }: Pick<Context, 'store'>, pool: Pool, name: string): Promise<void> {
  await store.write(async (tx) => {
    const { kind } = await lockDomain(tx, pool, name)
    if (kind === 'domain') await tx.remove(kind, { pool: pool.id, key: name })
    else await tx.unset(kind, { pool: pool.id, key: name })
  })
}

/** Finds a domain of whatever pool, by its name: a prefix alone, or a full host name. */
export async function findDomain(
  { store }: Pick<Context, 'store'>,
  name: string,
): Promise<{ pool: string; domain: DomainDocument } | undefined> {
  for (const kind of ['domain', 'prefix-domain'] as const) {
    const [row] = await findRowsByKey(store.db, kind, name)
    if (row) return { pool: row.pool, domain: JSON.parse(row.body) as DomainDocument }
  }
  return undefined
}

/** Where a custom domain is to point: a host that answers as long as one region lives. */
export const domainTarget = ({ issuerBase }: Pick<Context, 'issuerBase'>): string => new URL(issuerBase).host

/** The domain as the API describes it. */
export function domainType(
  context: Pick<Context, 'accountId' | 'issuerBase'>,
  { pool, name, domain }: { pool: string; name: string; domain: DomainDocument },
): DomainDescriptionType {
  const { ManagedLoginVersion, CustomDomainConfig, Routing, modified } = domain
  return {
    UserPoolId: pool,
    AWSAccountId: context.accountId,
    Domain: name,
    CloudFrontDistribution: CustomDomainConfig && domainTarget(context),
    Version: new Date(modified).toISOString().replace(/\D/g, '').slice(0, 14),
    Status: 'ACTIVE',
    CustomDomainConfig: CustomDomainConfig ?? ({} as CustomDomainConfigType),
    ManagedLoginVersion,
    Routing,
  }
}

function checkPrefix(input: DomainInput): void {
  const { Domain } = input
  if (!PREFIX.test(Domain)) throw invalid('A domain with dots needs CustomDomainConfig.')
  const reserved = RESERVED.find((word) => Domain.includes(word))
  if (reserved) throw invalid(`Domain cannot contain reserved word: ${reserved}`)
  checkRouting(input)
}

function checkRouting({ Routing }: DomainInput): void {
  if (Routing?.Failover) throw invalid('Routing is supported only for custom domains.')
}

function checkCustom({ role }: Pick<Pool, 'role'>, { Domain, CustomDomainConfig }: DomainInput): void {
  if (role !== 'PRIMARY')
    throw invalid('A custom domain can be configured only in the primary Region of the user pool.')
  if (!HOST.test(Domain)) throw invalid('Custom domain is not a valid subdomain.')
  if (CustomDomainConfig && !CERTIFICATE.test(CustomDomainConfig.CertificateArn ?? '')) {
    throw invalid('CertificateArn must name a certificate of AWS Certificate Manager in us-east-1.')
  }
}

/** What depends on the pool: its plan, and the region that failover leads to. */
async function checkSettings(
  tx: Transaction,
  { UserPoolTier = 'ESSENTIALS' }: PoolDocument,
  pool: string,
  { ManagedLoginVersion, Routing }: DomainDocument,
): Promise<void> {
  checkTier(UserPoolTier, [['ESSENTIALS', ManagedLoginVersion === 2, 'Managed login']])
  const target = Routing?.Failover?.SecondaryRegion
  if (target !== undefined && !(await listReplicas(tx, pool)).some(({ region }) => region === target)) {
    throw invalid(`The user pool has no replica in ${target}.`)
  }
}

async function lockDomain(
  tx: Transaction,
  pool: Pool,
  name: string,
): Promise<{ kind: DomainKind; present: DomainDocument }> {
  for (const kind of ['domain', 'prefix-domain'] as const) {
    const row = await tx.lock(kind, { pool: pool.id, key: name })
    if (row) return { kind, present: JSON.parse(row.body) as DomainDocument }
  }
  throw invalid('No such domain or user pool exists.')
}

function putDomain(
  tx: Transaction,
  kind: DomainKind,
  { pool, name, domain }: { pool: string; name: string; domain: DomainDocument },
): Promise<void> {
  const draft = { pool, key: name, body: JSON.stringify(domain) }
  return kind === 'domain' ? tx.put(kind, draft) : tx.set(kind, draft)
}

const invalid = (message: string): CognitoError => new CognitoError('InvalidParameterException', message)
