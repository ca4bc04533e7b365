import { advance, type Circuit, type CircuitEvent, healthyCircuit, isDown, rankOf } from './circuit.ts'
import type { SdkClient } from './command.ts'
import { call, type Emitter } from './events.ts'
import type { Outcome } from './outcome.ts'
import type { Settings } from './settings.ts'
import type { RegionState, TwinpoolState } from './state.ts'

export type Region = {
  readonly name: string
  readonly client: SdkClient
  circuit: Circuit
  /** The next real request tests the region, because no probe is possible. */
  trial: boolean
}

export type Regions = {
  /** All regions, the first choice first. */
  ranked(): Region[]
  get(name: string): Region | undefined
  /** Updates the region's circuit with the outcome of an attempt. */
  record(region: Region, outcome: Outcome): void
  readonly state: TwinpoolState
  subscribe(listener: (state: TwinpoolState) => void): () => void
  close(): void
}

/**
 * Keeps a circuit for each region, probes the unhealthy regions, and publishes state and events.
 *
 * @param sendProbe probes a region in the background; returns undefined if that is impossible and a real request must test it
 */
export function createRegions(
  settings: Settings,
  { events, sendProbe }: { events: Emitter; sendProbe: (region: Region) => Promise<Outcome> | undefined },
): Regions {
  const { clock, primary, prefer } = settings
  const regions: Region[] = settings.regions.map(({ name, client }) => ({
    name,
    client,
    circuit: healthyCircuit(clock.now()),
    trial: false,
  }))
  const timers = new Map<Region, unknown>()
  const beingProbed = new Set<Region>()
  const subscribers = new Set<(state: TwinpoolState) => void>()
  let closed = false
  let state = snapshot(prefer, clock.now())

  // Array.prototype.sort is stable: equal ranks stay in the order of preference.
  const ranked = () => [...regions].sort((a, b) => rankOf(a.circuit) - rankOf(b.circuit))

  function snapshot(region: string, since: number): TwinpoolState {
    const view = regions.map(({ name, circuit }): [string, RegionState] => [
      name,
      {
        state: circuit.state,
        since: circuit.since,
        role: name === primary ? 'primary' : 'secondary',
        preferred: name === prefer,
        ...(circuit.reason === undefined ? {} : { reason: circuit.reason }),
      },
    ])
    return {
      region,
      since,
      canWrite: regions.some(({ name, circuit }) => name === primary && !isDown(circuit)),
      degraded: regions.some(({ circuit }) => rankOf(circuit) > 0),
      regions: Object.fromEntries(view),
    }
  }

  function apply(region: Region, event: CircuitEvent): void {
    const before = region.circuit
    region.circuit = advance(before, event, { now: clock.now(), settings })
    if (region.circuit.state === before.state) return
    const { state: to, reason } = region.circuit
    clock.clearTimeout(timers.get(region))
    timers.delete(region)
    region.trial = false
    events.emit('circuit', { region: region.name, from: before.state, to, reason, at: clock.now() })
    publish()
  }

  function publish(): void {
    const before = state
    const at = clock.now()
    const region = ranked()[0]?.name ?? prefer
    state = snapshot(region, region === before.region ? before.since : at)
    if (region !== before.region) {
      const preference = regions.map(({ name }) => name)
      const back = preference.indexOf(region) < preference.indexOf(before.region)
      events.emit(back ? 'failback' : 'failover', { from: before.region, to: region, at })
    }
    if (state.degraded !== before.degraded) events.emit(state.degraded ? 'degraded' : 'recovered', { at })
    const published = state
    for (const listener of subscribers) call(() => listener(published))
  }

  function schedule(region: Region): void {
    const { state, failedProbes } = region.circuit
    if (closed || state === 'HEALTHY' || state === 'PROBING' || timers.has(region) || beingProbed.has(region)) return
    const interval = Math.min(settings.probeIntervalMs * 1.5 ** failedProbes, settings.probeIntervalMaxMs)
    // Jitter of 25 % in both directions: all clients lost the region at the same moment.
    const delayMs = interval * (0.75 + clock.random() / 2)
    timers.set(
      region,
      clock.setTimeout(() => {
        timers.delete(region)
        void probe(region)
      }, delayMs),
    )
  }

  async function probe(region: Region): Promise<void> {
    apply(region, 'probeDue')
    const sent = sendProbe(region)
    if (sent === undefined) {
      region.trial = true
      return
    }
    beingProbed.add(region)
    const outcome = await sent
    beingProbed.delete(region)
    if (!closed) record(region, outcome)
  }

  function record(region: Region, outcome: Outcome): void {
    apply(region, outcome)
    schedule(region)
  }

  return {
    ranked,
    get: (name) => regions.find((region) => region.name === name),
    record,
    get state() {
      return state
    },
    subscribe(listener) {
      subscribers.add(listener)
      return () => {
        subscribers.delete(listener)
      }
    },
    close() {
      closed = true
      for (const timer of timers.values()) clock.clearTimeout(timer)
      timers.clear()
      subscribers.clear()
    },
  }
}
