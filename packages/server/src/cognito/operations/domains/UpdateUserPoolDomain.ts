import { domainTarget, updateDomain } from '../../../identity/pools/domains.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const UpdateUserPoolDomain: Handler<'UpdateUserPoolDomain', PoolCall> = async (context, call, input) => {
  const { ManagedLoginVersion, CustomDomainConfig, Routing } = await updateDomain(context, call, input)
  return { ManagedLoginVersion, CloudFrontDomain: CustomDomainConfig && domainTarget(context), Routing }
}
