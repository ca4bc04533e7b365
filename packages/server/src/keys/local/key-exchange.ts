import { hkdfSync } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import type { KeyDraft, Replica } from './key-record.ts'
import type { RingSecrets } from './material.ts'
import { openBox, sealBox } from './sealed-box.ts'

/** Carries messages from one region's key ring to another's. The carrier cannot read them. */
export interface KeyExchange {
  /**
   * Resolves when the other region's ring has accepted the message (`LocalKeyRing.accept`). Throws KeyExchangeError. A
   * message may arrive twice.
   */
  offer(region: string, message: SealedKeyMessage): Promise<void>
  /**
   * The ids of the keys of this primary that the other region holds. Undefined if it cannot report them: it is of an older build, or
   * has no key ring. Throws KeyExchangeError.
   */
  held(region: string): Promise<ReadonlySet<string> | undefined>
}

/** A message as it is sent, in JSON. `sealed` is base64. */
export interface SealedKeyMessage {
  from: string
  to: string
  sealed: string
}

/** A peer region, reduced to its key ring. */
export interface KeyPeer {
  /** Returns the reason of a refusal, or undefined when the peer accepted the message. Rejects when it is unreachable. */
  offerKey(message: SealedKeyMessage): Promise<{ refused: string } | undefined>
  /** One page of the ids of this region's keys that the peer holds; undefined if it does not report them. Rejects as above. */
  heldKeys(after: string | undefined): Promise<HeldKeys | undefined>
}

/** A page of ids, in their order; `next` is where the next page begins, null on the last page. */
export interface HeldKeys {
  ids: string[]
  next: string | null
}

/** An exchange over the links to the peer regions. */
export function exchangeOver(peerOf: (region: string) => KeyPeer | undefined): KeyExchange {
  const call = async <T>(region: string, work: (peer: KeyPeer) => Promise<T>): Promise<T> => {
    const peer = peerOf(region)
    if (!peer) throw new KeyExchangeError('unknown-region', `${region} is not a peer`)
    return work(peer).catch((cause: unknown) => {
      throw new KeyExchangeError('unreachable', `${region} is unreachable`, { cause })
    })
  }
  return {
    offer: async (region, message) => {
      const refusal = await call(region, (peer) => peer.offerKey(message))
      if (refusal) throw new KeyExchangeError('refused', refusal.refused)
    },
    held: async (region) => {
      const all = new Set<string>()
      let after: string | undefined
      do {
        const page = await call(region, (peer) => peer.heldKeys(after))
        if (!page) return undefined
        for (const id of page.ids) all.add(id)
        after = page.next ?? undefined
      } while (after !== undefined)
      return all
    },
  }
}

export class KeyExchangeError extends Error {
  readonly reason: 'unknown-region' | 'unreachable' | 'refused'

  constructor(reason: KeyExchangeError['reason'], message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'KeyExchangeError'
    this.reason = reason
  }
}

export type KeyMessage =
  /** From the primary: the receiver gets a replica of this key. */
  | (KeyDraft & {
      type: 'replica'
      id: string
      grant: string
      created: number
      primary: string
      replicas: Replica[]
      revision: number
      /** base64, in the clear inside the seal. */
      materials: { version: number; plain: string }[]
    })
  /** From the primary: the current list of replicas. */
  | { type: 'replicas'; id: string; primary: string; replicas: Replica[]; revision: number }
  /** From a replica: it has been removed. */
  | { type: 'removed'; id: string; region: string; grant: string }

/** An older message is refused: an attacker may have recorded it, and it could bring back a deleted key. */
const LIFETIME_MILLISECONDS = 15 * 60_000

/** The refusal of a message under a secret that the receiver does not know; compared by the sender, so it never changes. */
export const OTHER_SECRET = 'the key message was not sealed by a region of this cluster'

export interface KeyMessageSeal {
  /** The message under each cluster secret, newest first: the receiver may know only one of them. */
  seals(to: string, message: KeyMessage): SealedKeyMessage[]
  /** Throws KeyExchangeError `refused` unless a region of this cluster sealed the message, for this region and recently. */
  open(message: unknown): KeyMessage
}

/** Messages are sealed (AES-256-GCM) under a key derived from the cluster secret (HKDF, RFC 5869). */
export function createKeyMessageSeal({
  secrets,
  region,
  accountId,
  clock,
}: {
  secrets: Pick<RingSecrets, 'clusterSecrets'>
  region: string
  accountId: string
  clock: Pick<Clock, 'now' | 'randomBytes'>
}): KeyMessageSeal {
  const keys = (): Buffer[] =>
    secrets.clusterSecrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', 'twinpool/key-exchange', 32)))
  const binding = (from: string, to: string): string => `${accountId}\n${from}\n${to}`
  return {
    seals: (to, message) => {
      const plain = Buffer.from(JSON.stringify({ at: clock.now(), message }))
      return keys().map((key) => {
        return { from: region, to, sealed: sealBox(key, clock, plain, binding(region, to)).toString('base64') }
      })
    },
    open: (message) => {
      if (!isSealedMessage(message) || message.to !== region) {
        throw new KeyExchangeError('refused', 'not a key message for this region')
      }
      const sealed = Buffer.from(message.sealed, 'base64')
      const plain = keys()
        .map((key) => openBox(key, sealed, binding(message.from, region)))
        .find((opened) => opened !== undefined)
      if (!plain) throw new KeyExchangeError('refused', OTHER_SECRET)
      const opened = JSON.parse(plain.toString()) as { at: number; message: KeyMessage }
      if (Math.abs(clock.now() - opened.at) > LIFETIME_MILLISECONDS) {
        throw new KeyExchangeError('refused', 'the key message is too old, or the clocks of the regions are far apart')
      }
      return opened.message
    },
  }
}

function isSealedMessage(value: unknown): value is SealedKeyMessage {
  if (typeof value !== 'object' || value === null) return false
  const { from, to, sealed } = value as Record<string, unknown>
  return typeof from === 'string' && typeof to === 'string' && typeof sealed === 'string'
}
