import type { Topology } from '../store/kinds.ts'
import { isFact, type Replica } from '../store/merge.ts'

/*
 * The two documents that replication itself reads. It treats all other bodies as opaque text. `directory/document.ts` is above
 * this folder in the import order, so it cannot be used here.
 */

/** Parses the body of a `topology` row. */
export const parseTopology = (body: string): Topology => JSON.parse(body) as Topology

/** Parses the body of a `replica` row. */
export const parseReplica = (body: string): Replica => JSON.parse(body) as Replica

/** Like parseTopology, but returns undefined for a body that another region cannot have meant. */
export function findTopology(body: string): Topology | undefined {
  try {
    const topology = parseTopology(body)
    return typeof topology.primary === 'string' && Number.isSafeInteger(topology.epoch) ? topology : undefined
  } catch {
    return undefined
  }
}

/** Like parseReplica, but returns undefined for a body that is not a replica. */
export const findReplica = (body: string): Replica | undefined =>
  isFact('replica', body) ? parseReplica(body) : undefined
