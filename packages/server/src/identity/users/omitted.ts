import { omittedRows } from '../omitted.ts'
import type { GroupSettings } from './groups.ts'

/** UpdateGroup. */
// biome-ignore format: a table
export const GROUP_ROWS = omittedRows<GroupSettings>()({
  Description: { omitted: 'kept', source: 'example' },
  RoleArn:     { omitted: 'kept', source: 'example' },
  Precedence:  { omitted: 'kept', source: 'example' },
})
