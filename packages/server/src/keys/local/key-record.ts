/** https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html; the states that a key of this ring can be in. */
export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'PendingReplicaDeletion'

export interface KeyTag {
  TagKey: string
  TagValue: string
}

/** Body of a `kms-key` row. Times are milliseconds since the epoch. */
export interface KeyRecord {
  id: string
  /** `service`: stands for the AWS-owned key; the KMS API does not show it. */
  owner: 'customer' | 'service'
  state: KeyState
  created: number
  description: string
  /** The policy as it was put; null: the default one. */
  policy: string | null
  tags: KeyTag[]
  /** `at` is null as long as replicas hold the deletion back. */
  deletion: { days: number; at: number | null } | null
  multiRegion: MultiRegion | null
  /** Newest last; sealed under the region's master key, bound to the key's ARN, base64. */
  materials: { version: number; sealed: string }[]
}

export interface MultiRegion {
  primary: string
  replicas: Replica[]
  /** Rises with each change of the list, so that an old list never replaces a newer one. */
  revision: number
  /** Replicas that the primary has yet to tell of the list. */
  untold: string[]
}

/** `grant` tells one replica from a later one in the same region. */
export interface Replica {
  region: string
  grant: string
  /** Milliseconds since the epoch; present until the other region has accepted the key. */
  creatingSince?: number
  /** The region has lost its store: the primary offers it the key until it has it again. */
  lost?: true
}

/** The replicas that are there. */
export const holders = ({ replicas }: MultiRegion): Replica[] =>
  replicas.filter(({ creatingSince }) => creatingSince === undefined)

/** What is left of a replica whose time came, until its primary has heard of it. */
export interface RemovedKey {
  id: string
  state: 'Removed'
  primary: string
  grant: string
}

export const isLive = (body: KeyRecord | RemovedKey): body is KeyRecord => body.state !== 'Removed'

/** Body of a `kms-alias` row. Times are milliseconds since the epoch. */
export interface AliasRecord {
  keyId: string
  created: number
  updated: number
}

export interface Alias extends AliasRecord {
  /** With its prefix `alias/`. */
  name: string
}

/** Why the ring does not do what was asked. */
export type KeyRefusal =
  | 'key-not-found'
  | 'key-disabled'
  | 'key-pending-deletion'
  | 'key-pending-replica-deletion'
  | 'key-not-pending-deletion'
  | 'key-not-multi-region-primary'
  | 'key-limit'
  | 'region-same'
  | 'region-has-replica'
  | 'region-unknown'
  | 'region-unreachable'
  | 'region-refused'
  | 'alias-exists'
  | 'alias-limit'
  | 'ciphertext-invalid'
  | 'ciphertext-of-another-key'

export class KeyRefusedError extends Error {
  readonly refusal: KeyRefusal
  /** The key, alias or region that it is about. */
  readonly subject: string

  constructor(refusal: KeyRefusal, subject: string, options: { cause?: unknown } = {}) {
    super(`${refusal}: ${subject}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'KeyRefusedError'
    this.refusal = refusal
    this.subject = subject
  }
}
