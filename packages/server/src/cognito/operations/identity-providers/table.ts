import type { OperationRow } from '../../rows.ts'
import { pool } from '../../rows.ts'

// biome-ignore format: a table
export const identityProvidersOperations = {
  CreateIdentityProvider:          pool('P'),
  DescribeIdentityProvider:        pool('I'),
  GetIdentityProviderByIdentifier: pool('A'),
  UpdateIdentityProvider:          pool('P'),
  DeleteIdentityProvider:          pool('P'),
  ListIdentityProviders:           pool('I'),
} as const satisfies Record<string, OperationRow>
