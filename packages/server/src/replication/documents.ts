import type { Topology } from '../store/kinds.ts'
import type { Replica } from '../store/merge.ts'

/*
 * The two documents that replication itself reads. It treats all other bodies as opaque text. `directory/document.ts` is above
 * this folder in the import order, so it cannot be used here.
 */

/** Parses the body of a `topology` row. */
export const parseTopology = (body: string): Topology => JSON.parse(body) as Topology

/** Parses the body of a `replica` row. */
export const parseReplica = (body: string): Replica => JSON.parse(body) as Replica
