import { randomBytes } from 'node:crypto'
import type { Clock } from '@twinpool/server/internal/clock'
import { KeyExchangeError, type SealedKeyMessage } from '@twinpool/server/internal/keys/local/key-exchange'
import {
  createLocalKeyRing,
  type LocalKeyRing,
  type LocalKeyRingConfig,
} from '@twinpool/server/internal/keys/local/ring'
import { openTestStore, type TestStore } from './stores.ts'

export interface TestKeyRing {
  ring: LocalKeyRing
  settings: LocalKeyRingConfig
  testStore: TestStore
}

/** The key rings of several regions that can exchange messages. */
export interface KeyRingPlane {
  rings: LocalKeyRing[]
  /** Regions that are unreachable. */
  down: Set<string>
  sent: SealedKeyMessage[]
  /** While `responses` is true, messages arrive but their responses are lost. */
  lost: { responses: boolean }
  /** Replaces the ring of a region with a ring over an empty store. */
  open(region: string): Promise<LocalKeyRing>
}

const CLUSTER_SECRET = 'a secret that all regions of the cluster have'

/** Opens local key rings, each over its own store. */
export function createKeyRings(
  engine: 'sqlite' | 'postgres',
  clock: Clock,
): {
  openRing(region: string, config?: Partial<LocalKeyRingConfig>): Promise<TestKeyRing>
  openPlane(...regions: string[]): Promise<KeyRingPlane>
  /** Closes the stores of all rings. */
  close(): Promise<void>
} {
  const opened: TestStore[] = []

  const openRing = async (region: string, config: Partial<LocalKeyRingConfig> = {}): Promise<TestKeyRing> => {
    const testStore = await openTestStore(engine, { clock, region })
    opened.push(testStore)
    const settings = {
      store: testStore.store,
      clock,
      region,
      accountId: '000000000000',
      secrets: { masterKeys: [randomBytes(32)], clusterSecrets: [CLUSTER_SECRET] },
      ...config,
    }
    return { ring: createLocalKeyRing(settings), settings, testStore }
  }

  const openPlane = async (...regions: string[]): Promise<KeyRingPlane> => {
    const rings = new Map<string, LocalKeyRing>()
    const down = new Set<string>()
    const sent: SealedKeyMessage[] = []
    const lost = { responses: false }
    const offer = async (to: string, message: SealedKeyMessage): Promise<void> => {
      const peer = rings.get(to)
      if (!peer) throw new KeyExchangeError('unknown-region', to)
      if (down.has(to)) throw new KeyExchangeError('unreachable', to)
      sent.push(message)
      await peer.accept(JSON.parse(JSON.stringify(message)))
      if (lost.responses) throw new KeyExchangeError('unreachable', to)
    }
    const heldBy = (from: string) => async (region: string) => {
      const peer = rings.get(region)
      if (!peer || down.has(region)) throw new KeyExchangeError('unreachable', region)
      return new Set((await peer.held(from, undefined)).ids)
    }
    const open = async (region: string): Promise<LocalKeyRing> => {
      const { ring } = await openRing(region, { exchange: { offer, held: heldBy(region) } })
      rings.set(region, ring)
      return ring
    }
    const all: LocalKeyRing[] = []
    for (const region of regions) all.push(await open(region))
    return { rings: all, down, sent, lost, open }
  }

  return {
    openRing,
    openPlane,
    close: async () => {
      for (const { close } of opened.splice(0)) await close()
    },
  }
}
