import type { OperationRow } from '../../rows.ts'
import { account } from '../../rows.ts'
import { ListTagsForResource } from './ListTagsForResource.ts'
import { TagResource } from './TagResource.ts'
import { UntagResource } from './UntagResource.ts'

// biome-ignore format: a table
export const tagsOperations = {
  TagResource:         account('I', TagResource),
  UntagResource:       account('I', UntagResource),
  ListTagsForResource: account('I', ListTagsForResource),
} as const satisfies Record<string, OperationRow>
