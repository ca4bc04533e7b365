import { parseStored } from '../store/documents.ts'
import type { Topology } from '../store/kinds.ts'
import type { Replica } from '../store/merge.ts'

/* The two documents that replication itself reads. It treats all other bodies as opaque text. */

/** Parses the body of a `topology` row. */
export const parseTopology = (body: string): Topology => parseStored('topology', body)

/** Parses the body of a `replica` row. */
export const parseReplica = (body: string): Replica => parseStored('replica', body)
