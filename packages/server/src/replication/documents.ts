import { parseStored } from '../store/documents.ts'
import type { Topology } from '../store/kinds.ts'
import { isFact, type Replica } from '../store/merge.ts'

/* The two documents that replication itself reads. It treats all other bodies as opaque text. */

/** Parses the body of a `topology` row. */
export const parseTopology = (body: string): Topology => parseStored('topology', body)

/** Parses the body of a `replica` row. */
export const parseReplica = (body: string): Replica => parseStored('replica', body)

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
