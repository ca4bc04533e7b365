/**
 * Turns the process that loads it into a newer build, with three more kinds and one more index column of users. Tests load it in
 * their own process, and pass it to `twinpool serve` as `--import`.
 */
import { extendKinds, type Kind, type KindOfScope, kinds } from '@twinpool/server/internal/store/kinds'
import { rules } from '@twinpool/server/internal/store/merge'

/** Replicated, and owned by a user. */
export const DEVICE = 'test-device' as KindOfScope<'replicated'>
/** A shared fact: the larger number wins. */
export const LEDGER = 'test-ledger' as KindOfScope<'shared'>
/** Regional. */
export const DESK = 'test-desk' as KindOfScope<'regional'>
export const NEW_KINDS: readonly Kind[] = [DEVICE, LEDGER, DESK]
/** The new index column of users. */
export const COLUMN = 'zone'

const { user } = kinds
extendKinds({
  [DEVICE]: { scope: 'replicated', owner: 'user', index: ['sub'], cached: false, byKey: true },
  [LEDGER]: { scope: 'shared', owner: 'pool', index: [], cached: false, byKey: false },
  [DESK]: { scope: 'regional', owner: 'client', index: ['client_id'], cached: true, byKey: false },
  user: { ...user, index: [...user.index, COLUMN] },
})
Object.assign(rules, { [LEDGER]: (a: number, b: number) => Math.max(a, b) })
