/** https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html; the states that a key of this ring can be in. */
export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'PendingReplicaDeletion'

export interface KeyTag {
  TagKey: string
  TagValue: string
}

/** The settings that a customer chooses for a key, in each region that has it. */
export interface KeyDraft {
  description: string
  /** Null: the default policy. */
  policy: string | null
  tags: KeyTag[]
}

/** Material of a key: sealed under the region's master key, bound to the key's ARN and the version, base64. */
export interface SealedMaterial {
  version: number
  sealed: string
}

/** Body of a `kms-key` row. Times are milliseconds since the epoch. */
export interface KeyRecord {
  id: string
  /** `service`: stands for the AWS-owned key; the KMS API does not show it. */
  owner: 'customer' | 'service'
  state: KeyState
  created: number
  description: string
  /** The policy text as it was put; null: the default policy. */
  policy: string | null
  tags: KeyTag[]
  /** `at` is null while the deletion waits for the removal of replicas. */
  deletion: { days: number; at: number | null } | null
  multiRegion: MultiRegion | null
  /** Newest last. */
  materials: SealedMaterial[]
}

export interface MultiRegion {
  primary: string
  replicas: Replica[]
  /** Rises with each change of the list, so that an old list never replaces a newer one. */
  revision: number
  /** Regions whose replica has not accepted the current list yet. */
  untold: string[]
}

/** `grant` distinguishes a replica from a later one in the same region. */
export interface Replica {
  region: string
  grant: string
  /** Milliseconds since the epoch; present until the other region has accepted the key. */
  creatingSince?: number
  /** The region has lost its store: the primary offers it the key until the region has accepted it. */
  lost?: true
}

/** The replicas whose region has accepted the key. */
export const holders = ({ replicas }: MultiRegion): Replica[] =>
  replicas.filter(({ creatingSince }) => creatingSince === undefined)

/** The record of a removed replica, kept until the primary has accepted the report of the removal. */
export interface RemovedKey {
  id: string
  state: 'Removed'
  primary: string
  grant: string
}

export const isLive = (body: KeyRecord | RemovedKey): body is KeyRecord => body.state !== 'Removed'

/** Whether the key no longer exists: its deletion is due, whether or not its row has been removed yet. */
export const isDue = ({ deletion }: KeyRecord, now: number): boolean => deletion?.at != null && deletion.at <= now

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

/** The reasons why the ring refuses a call. */
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
  /** The ARN of the key or alias, or the name of the region, that the refusal concerns. */
  readonly subject: string

  constructor(refusal: KeyRefusal, subject: string, options: { cause?: unknown } = {}) {
    super(`${refusal}: ${subject}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'KeyRefusedError'
    this.refusal = refusal
    this.subject = subject
  }
}
