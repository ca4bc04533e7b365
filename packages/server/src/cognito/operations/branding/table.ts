import type { OperationRow } from '../../rows.ts'
import { pool } from '../../rows.ts'

// biome-ignore format: a table
export const brandingOperations = {
  CreateManagedLoginBranding:           pool('P'),
  DescribeManagedLoginBranding:         pool('I'),
  DescribeManagedLoginBrandingByClient: pool('I'),
  UpdateManagedLoginBranding:           pool('P'),
  DeleteManagedLoginBranding:           pool('P'),
  CreateTerms:                          pool('P'),
  DescribeTerms:                        pool('I'),
  DescribeTermsByClient:                pool('P'),
  UpdateTerms:                          pool('P'),
  DeleteTerms:                          pool('P'),
  ListTerms:                            pool('I'),
  GetUICustomization:                   pool('I'),
  SetUICustomization:                   pool('P'),
} as const satisfies Record<string, OperationRow>
