import type { Topology } from './kinds.ts'
import type { Replica, Revocation, Rotation, SealCount, SignOut } from './merge.ts'

/**
 * The documents that the store and replication read themselves; they treat all other bodies as text. `directory/document.ts` adds
 * the others.
 */
export interface StoreDocuments {
  topology: Topology
  replica: Replica
  revocation: Revocation
  rotation: Rotation
  'sign-out': SignOut
  'seal-count': SealCount
}

export const parseStored = <K extends keyof StoreDocuments>(_kind: K, body: string): StoreDocuments[K] =>
  JSON.parse(body) as StoreDocuments[K]
