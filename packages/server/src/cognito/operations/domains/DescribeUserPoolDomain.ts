import { checkGate } from '../../../admission/gate.ts'
import { findDomain } from '../../../directory/domain.ts'
import { describeDomain } from '../../../identity/pools/domains.ts'
import type { AccountCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

/** A domain that does not exist is not an error: its description is empty. */
export const DescribeUserPoolDomain: Handler<'DescribeUserPoolDomain', AccountCall> = async (
  context,
  _call,
  { Domain: name },
) => {
  const found = await findDomain(context.store, name)
  const pool = found && (await context.pools.find(found.pool))
  if (!found || !pool) return { DomainDescription: {} }
  checkGate(pool, 'I')
  return { DomainDescription: describeDomain(context, { ...found, name }) }
}
