/** What an operator needs to know about an event. The texts are those of docs/troubleshooting.md. */
export interface EventDescription {
  level: 'debug' | 'info' | 'warn' | 'error'
  meaning: string
  action: string
}

const NOTHING = 'Nothing.'

/**
 * All events: the values of `event` in log lines, and of the label `event` of `twinpool_events_total`. Operators depend on these
 * ids: an id keeps its meaning, and no id is reused. `npm run generate` writes the table of docs/troubleshooting.md.
 */
export const catalogue = {
  listening: {
    level: 'info',
    meaning: 'The region listens and serves calls.',
    action: NOTHING,
  },
  reloaded: {
    level: 'info',
    meaning:
      'The configuration was read again; `needRestart` lists changed members that take effect only at a restart.',
    action: 'Restart the region if `needRestart` is present.',
  },
  'reload-failed': {
    level: 'error',
    meaning: 'The configuration was not read again, because it has mistakes; the present one stays in effect.',
    action: 'Read `why`, correct the configuration (`twinpool check`), and send SIGHUP again.',
  },
  'signed-in': {
    level: 'info',
    meaning: 'A user completed a sign-in.',
    action: NOTHING,
  },
  'sign-in-refused': {
    level: 'info',
    meaning:
      'A sign-in or a refresh was refused, with the name of the error. Refusals by a limit have no line: see `overloaded`.',
    action: 'Nothing for single lines. Many from one address: someone tries passwords; block the address.',
  },
  'tokens-refreshed': {
    level: 'debug',
    meaning: 'A client refreshed its tokens.',
    action: NOTHING,
  },
  'signed-up': {
    level: 'info',
    meaning: 'A user signed up.',
    action: NOTHING,
  },
  'signed-out': {
    level: 'info',
    meaning:
      'Sessions of a user were ended: by the user, by an administrator, or because a token was revoked or reused.',
    action: NOTHING,
  },
  'request-failed': {
    level: 'error',
    meaning: 'A call failed with an unexpected error; the caller got InternalErrorException and the request id.',
    action:
      'Read `err`. If it names the store or the key service, see /health and faults.md; otherwise report it as a bug.',
  },
  'task-failed': {
    level: 'error',
    meaning: 'Work in the background failed; it is tried again.',
    action: 'As for `request-failed`.',
  },
  overloaded: {
    level: 'warn',
    meaning: 'Calls were refused or connections closed, because a limit was reached.',
    action:
      'Compare `twinpool_resource_in_use` with `twinpool_resource_limit`; add a process, or raise the limit in `limits`.',
  },
  'store-full': {
    level: 'error',
    meaning: 'The disk of the store is full: writes fail, reads work.',
    action: 'Free or add disk space. The region recovers by itself.',
  },
  'store-writable': {
    level: 'info',
    meaning: 'The store accepts writes again after `store-full`.',
    action: NOTHING,
  },
  'names-collide': {
    level: 'warn',
    meaning: 'Two users have names that are one name in another spelling. Each is found by the exact spelling.',
    action: 'Rename one of them if they are confused with each other.',
  },
  'deferred-work-failed': {
    level: 'error',
    meaning:
      'A code that was requested by a client that hides which users exist could not be written or sent. The caller does not see it.',
    action: 'Check the messenger and the store. The user can ask again.',
  },
  'row-unreadable': {
    level: 'error',
    meaning: 'A row does not open with the key of its pool, and counts as absent.',
    action: 'A newer version wrote it, or it was altered in the database: find out which, and restore it.',
  },
  'peer-found': {
    level: 'info',
    meaning: 'The link to a peer is up: this region receives its changes.',
    action: NOTHING,
  },
  'peer-lost': {
    level: 'warn',
    meaning: 'The link to a peer is down; `problem` says why. The lag grows until `peer-found`.',
    action:
      '`unreachable`, `silent`: check the peer and the network. `secret`, `impostor`: compare `cluster.secret`. `clock`: set the clocks. `format`: upgrade the older region. `failing`: read the log of the peer.',
  },
  'replication-refused': {
    level: 'warn',
    meaning:
      'This region refused a replication request; `reason` says why. `peer` is `unknown` if the caller is not configured.',
    action:
      'Compare `cluster.secret`, `peers` and the clocks of both regions. An `unknown` caller: restrict the replication paths in your proxy.',
  },
  'clocks-differ': {
    level: 'error',
    meaning:
      "The clock of a peer differs from that of this process by more than 5 s (`aheadSeconds`; negative: the peer's clock is behind). Sign-outs of a pool are ordered by the clock of its primary, and hold with clocks up to 5 s apart.",
    action:
      'Compare the clocks of both machines (on PostgreSQL: of this process and of the database server of the peer) with a time server (`chronyc tracking`), and repair the synchronization of the wrong one. On SQLite, both regions report the event.',
  },
  'clocks-agree': {
    level: 'info',
    meaning: 'The clock of a peer is close enough again after `clocks-differ`.',
    action: NOTHING,
  },
  behind: {
    level: 'warn',
    meaning: 'The log of a peer no longer continues at the position of this region, so its pools are copied again.',
    action:
      '`trimmed`: raise `replication.retentionHours` or `retentionChanges`. `went-back`: the peer was restored from a backup.',
  },
  'follower-behind': {
    level: 'warn',
    meaning: 'The same as `behind`, seen by the region that sends the changes.',
    action: 'As for `behind`.',
  },
  'kinds-gained': {
    level: 'info',
    meaning: 'After an upgrade, this region copies kinds of rows that it did not know before.',
    action: NOTHING,
  },
  'feed-held': {
    level: 'warn',
    meaning:
      'Committed changes for a peer have waited for `seconds` for an older transaction of the PostgreSQL server, in any of its databases. Details: `pid` and `database` of the transaction, its age (`transactionSeconds`, with pg_read_all_stats), `prepared` (its gid) for a prepared one.',
    action:
      'End the transaction: pg_terminate_backend(pid), or rollback prepared. The lag of the peer grows until then.',
  },
  'feed-released': {
    level: 'info',
    meaning: 'The transaction of `feed-held` has ended; the changes are sent.',
    action: NOTHING,
  },
  'log-renewed': {
    level: 'warn',
    meaning: 'This region began a new log, because its database was restored or moved. Peers copy its pools again.',
    action: 'Nothing, if you restored the database. Otherwise find out why it went back.',
  },
  'replica-key-unavailable': {
    level: 'error',
    meaning: 'A replica of this region cannot be opened: its key is missing, disabled or deleted here.',
    action: 'Enable or restore the key. Keys of the built-in key ring are offered again by the primary within 30 s.',
  },
  'replica-key-available': {
    level: 'info',
    meaning: 'The key of a replica can be used again after `replica-key-unavailable`.',
    action: NOTHING,
  },
  'pool-orphaned': {
    level: 'error',
    meaning: 'The primary of a pool does not know the pool, although this region has a replica of it.',
    action: 'Decide whether to keep or delete it: `twinpool pool orphans`, see operations.md.',
  },
  'orphan-kept': {
    level: 'warn',
    meaning: 'An operator made this region the primary of an orphaned pool.',
    action: NOTHING,
  },
  'orphan-deleted': {
    level: 'warn',
    meaning: 'An operator deleted the replica of an orphaned pool.',
    action: NOTHING,
  },
  'copy-begun': {
    level: 'info',
    meaning: 'The first copy of a pool began.',
    action: NOTHING,
  },
  'copy-ended': {
    level: 'info',
    meaning: 'A copy of a pool is complete.',
    action: 'After a first copy: set the replica to ACTIVE.',
  },
  'copy-halted': {
    level: 'warn',
    meaning: 'A copy cannot continue; it is tried again.',
    action: 'Read `why`: usually the peer is unreachable.',
  },
  'copy-dropped': {
    level: 'info',
    meaning: 'A copy ended early, because its pool was removed.',
    action: NOTHING,
  },
  'replica-removed': {
    level: 'info',
    meaning: 'All rows of a removed replica were erased.',
    action: NOTHING,
  },
  'replica-rows-swept': {
    level: 'warn',
    meaning: 'A copy removed rows that the primary does not have.',
    action: 'Expected after the primary was restored from a backup: these changes are lost.',
  },
  'pool-sealing': {
    level: 'info',
    meaning: 'A pool of version 0.1.0 is being encrypted completely.',
    action: NOTHING,
  },
  'pool-sealed': {
    level: 'info',
    meaning: 'A pool is encrypted completely.',
    action: 'Do not go back to a version that cannot read it.',
  },
  'pool-form-restored': {
    level: 'warn',
    meaning: 'The form of a sealed pool was altered in the database, and is correct again.',
    action: 'Find out who wrote to the database.',
  },
  'data-key-created': {
    level: 'info',
    meaning: 'A pool got a new data key. It seals as soon as every region of the pool has it.',
    action: NOTHING,
  },
  'data-key-active': {
    level: 'info',
    meaning: 'New values of a pool are sealed under its new data key.',
    action: 'Do not go back to a version that does not know rotation of data keys.',
  },
  'key-service-lost': {
    level: 'error',
    meaning: 'AWS KMS does not respond. Data keys in memory stay usable for `secondsLeft`.',
    action: 'Restore the connection to KMS. Do not restart the region before.',
  },
  'key-service-back': {
    level: 'info',
    meaning: 'AWS KMS responds again.',
    action: NOTHING,
  },
  'key-refused': {
    level: 'error',
    meaning: 'AWS KMS refuses the use of a key; pools under it do not work.',
    action: 'Enable the key, or restore the permissions of the region.',
  },
  'key-let-go': {
    level: 'error',
    meaning: 'AWS KMS has not responded for `unwrappedForMinutes`; pools under the key stop.',
    action: 'Restore the connection to KMS.',
  },
  'audit-lost': {
    level: 'error',
    meaning: 'The audit file cannot be written; records wait in memory, and further ones are dropped.',
    action:
      'Read `why`: free disk space or repair the file. Dropped records are counted in `twinpool_audit_dropped_total`.',
  },
  'audit-back': {
    level: 'info',
    meaning: 'The audit file is written again; `dropped` records are missing from it.',
    action: 'If `dropped` is not 0: the record `gap` in the file marks the place.',
  },
} as const satisfies Record<string, EventDescription>

export type EventId = keyof typeof catalogue

export const eventIds = Object.keys(catalogue) as EventId[]
