import type {
  CreateUserPoolDomainCommandInput,
  CustomDomainConfigType,
  DomainDescriptionType,
} from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import {
  countCustomDomains,
  type DomainDocument,
  type DomainKind,
  findDomainNames,
  lockDomain,
  lockDomainName,
  putDomain,
  removeDomain,
} from '../../directory/domain.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { lockPool, type Pool, type PoolDocument } from '../../directory/pool.ts'
import { listReplicas } from '../../directory/replica.ts'
import { CognitoError, invalidParameter } from '../../errors.ts'
import type { Transaction } from '../../store/write.ts'
import { withKept } from '../omitted.ts'
import { DOMAIN_ROWS } from './omitted.ts'
import { checkTier } from './settings.ts'

type DomainInput = Pick<CreateUserPoolDomainCommandInput, 'ManagedLoginVersion' | 'CustomDomainConfig' | 'Routing'> & {
  UserPoolId: string | undefined
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
 * Creates a domain: a custom domain with a certificate, in the primary region only, or a prefix, which is valid in this region
 * only. Throws InvalidParameterException, LimitExceededException, FeatureUnavailableInTierException.
 */
export async function createDomain(
  { store }: Pick<Context, 'store'>,
  openPool: OpenPool,
  input: DomainInput,
): Promise<DomainDocument> {
  const { pool } = openPool
  const kind: DomainKind = input.CustomDomainConfig ? 'domain' : 'prefix-domain'
  if (kind === 'domain') checkCustom(pool, input)
  else checkPrefix(input)
  const { ManagedLoginVersion = 1, CustomDomainConfig, Routing } = input
  return store.write(async (tx) => {
    const domain: DomainDocument = {
      ManagedLoginVersion,
      CustomDomainConfig,
      Routing,
      created: tx.now,
      modified: tx.now,
    }
    await checkSettings(tx, await lockPool(tx, openPool), pool.id, domain)
    if (await lockDomainName(tx, kind, input.Domain)) {
      throw invalidParameter('Domain already associated with another user pool.')
    }
    if ((await findDomainNames(tx, pool.id))[kind] !== undefined) {
      throw invalidParameter('User pool already has a domain configured.')
    }
    if (kind === 'domain' && (await countCustomDomains(tx)) >= CUSTOM_LIMIT) {
      throw new CognitoError('LimitExceededException', `Number of custom domains exceeds the limit of ${CUSTOM_LIMIT}.`)
    }
    await putDomain(tx, kind, { pool: pool.id, name: input.Domain, domain })
    return domain
  })
}

/** Changes the given members of a domain; `Routing: {}` turns failover off. Throws the errors of createDomain. */
export async function updateDomain(
  { store }: Pick<Context, 'store'>,
  openPool: OpenPool,
  input: DomainInput,
): Promise<DomainDocument> {
  const { pool } = openPool
  return store.write(async (tx) => {
    const document = await lockPool(tx, openPool)
    const { kind, present } = await lockExistingDomain(tx, pool, input.Domain)
    if (input.CustomDomainConfig && kind === 'prefix-domain')
      throw invalidParameter('A prefix domain cannot have CustomDomainConfig.')
    if (kind === 'domain') checkCustom(pool, input)
    else checkRouting(input)
    const complete = withKept(DOMAIN_ROWS, input, present)
    const { ManagedLoginVersion = present.ManagedLoginVersion, CustomDomainConfig, Routing } = complete
    const domain: DomainDocument = {
      ManagedLoginVersion,
      CustomDomainConfig,
      Routing,
      created: present.created,
      modified: tx.now,
    }
    await checkSettings(tx, document, pool.id, domain)
    await putDomain(tx, kind, { pool: pool.id, name: input.Domain, domain })
    return domain
  })
}

/** Throws InvalidParameterException. */
export async function deleteDomain({ store }: Pick<Context, 'store'>, pool: Pool, name: string): Promise<void> {
  await store.write(async (tx) => {
    const { kind } = await lockExistingDomain(tx, pool, name)
    await removeDomain(tx, kind, { pool: pool.id, key: name })
  })
}

/** The DNS target of a custom domain: a host that works as long as one region is up. */
export const domainTarget = ({ issuerBase }: Pick<Context, 'issuerBase'>): string => new URL(issuerBase).host

/** The domain as the API describes it. */
export function describeDomain(
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
  if (!PREFIX.test(Domain)) throw invalidParameter('A domain with dots needs CustomDomainConfig.')
  const reserved = RESERVED.find((word) => Domain.includes(word))
  if (reserved) throw invalidParameter(`Domain cannot contain reserved word: ${reserved}`)
  checkRouting(input)
}

function checkRouting({ Routing }: DomainInput): void {
  if (Routing?.Failover) throw invalidParameter('Routing is supported only for custom domains.')
}

function checkCustom({ role }: Pick<Pool, 'role'>, { Domain, CustomDomainConfig }: DomainInput): void {
  if (role !== 'PRIMARY')
    throw invalidParameter('A custom domain can be configured only in the primary Region of the user pool.')
  if (!HOST.test(Domain)) throw invalidParameter('Custom domain is not a valid subdomain.')
  if (CustomDomainConfig && !CERTIFICATE.test(CustomDomainConfig.CertificateArn ?? '')) {
    throw invalidParameter('CertificateArn must name a certificate of AWS Certificate Manager in us-east-1.')
  }
}

/** Checks the settings that depend on the pool: its tier, and the region of the failover. */
async function checkSettings(
  tx: Transaction,
  { UserPoolTier = 'ESSENTIALS' }: PoolDocument,
  pool: string,
  { ManagedLoginVersion, Routing }: DomainDocument,
): Promise<void> {
  checkTier(UserPoolTier, [['ESSENTIALS', ManagedLoginVersion === 2, 'Managed login']])
  const target = Routing?.Failover?.SecondaryRegion
  if (target !== undefined && !(await listReplicas(tx, pool)).some(({ region }) => region === target)) {
    throw invalidParameter(`The user pool has no replica in ${target}.`)
  }
}

async function lockExistingDomain(tx: Transaction, pool: Pool, name: string) {
  const found = await lockDomain(tx, pool.id, name)
  if (!found) throw invalidParameter('No such domain or user pool exists.')
  return found
}
