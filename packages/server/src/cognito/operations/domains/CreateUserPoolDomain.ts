import { createDomain, domainTarget } from '../../../identity/pools/domains.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const CreateUserPoolDomain: Handler<'CreateUserPoolDomain', PoolCall> = async (context, call, input) => {
  const { ManagedLoginVersion, CustomDomainConfig, Routing } = await createDomain(context, call, input)
  return { ManagedLoginVersion, CloudFrontDomain: CustomDomainConfig && domainTarget(context), Routing }
}
