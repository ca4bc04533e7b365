import {
  CreateUserPoolReplicaCommand,
  DeleteUserPoolReplicaCommand,
  ListUserPoolReplicasCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import type { Arena } from './arena.ts'
import type { Caller } from './calls.ts'
import type { Disturbances } from './disturbances.ts'
import { createFailovers, type Failover } from './failovers.ts'
import type { Journal } from './journal.ts'
import { pause } from './pace.ts'
import { createRandom } from './random.ts'
import { type FaultKind, type Planned, ROLES, type Role } from './schedule.ts'

export interface Faults {
  /** Carries out the plan; resolves when the last fault has ended. */
  run(plan: readonly Planned[]): Promise<void>
  /** Ends all remaining faults: regions run, links work, clocks are correct, and the replica is ACTIVE. */
  healAll(): Promise<void>
  readonly failovers: readonly Failover[]
}

/** One uninterrupted time without faults: a copy starts over when the log was trimmed during it, so short times do not add up. */
const REPLICA_PATIENCE_MILLISECONDS = 30_000

export function createFaults({
  arena,
  caller,
  disturbances,
  journal,
  pool,
  seed,
}: {
  arena: Arena
  caller: Caller
  disturbances: Disturbances
  journal: Journal
  pool: string
  seed: number
}): Faults {
  const random = createRandom(seed, 'replica')
  const replicaRegion = arena.clients.secondary.name
  /** Faults of one process are carried out one after another. */
  const turns: Record<Role, Promise<void>> = { primary: Promise.resolve(), secondary: Promise.resolve() }
  let lifecycle = Promise.resolve()

  const inTurn = (region: Role, work: () => Promise<void>): Promise<void> => {
    turns[region] = turns[region].then(work)
    return turns[region]
  }
  const order: Arena['order'] = async (region, action, settings) => {
    journal.note(`fault: ${action} ${region}${settings ? ` ${JSON.stringify(settings)}` : ''}`)
    await arena.order(region, action, settings).catch((error: Error) => {
      journal.violation(`${action} ${region} failed: ${error.message}`)
    })
  }
  const failovers = createFailovers({ arena, disturbances, journal, order })
  const both = (kind: FaultKind): (() => void) => {
    const ends = ROLES.map((region) => disturbances.begin(region, kind))
    return () => {
      for (const end of ends) end()
    }
  }

  const carryOut = async ({ at, until, fault }: Planned): Promise<void> => {
    const lasting = until - at
    const { kind, region } = fault
    journal.count(`fault ${kind}`)
    switch (kind) {
      case 'kill':
      case 'restart':
        return inTurn(region, async () => {
          const end = disturbances.begin(region, kind)
          await order(region, kind === 'kill' ? 'kill' : 'stop')
          await pause(lasting)
          await order(region, 'start')
          end()
        })
      case 'pause':
        return inTurn(region, async () => {
          const end = disturbances.begin(region, kind)
          await order(region, 'pause')
          await pause(lasting)
          await order(region, 'resume')
          end()
        })
      case 'cut':
      case 'cut-one-way': {
        const end = both(kind)
        const oneWay = kind === 'cut-one-way'
        await order(region, 'cut', { oneWay })
        await pause(lasting)
        await order(region, 'heal', { oneWay })
        return end()
      }
      case 'slow': {
        const end = both(kind)
        await order(region, 'slow', { ms: fault.milliseconds })
        await pause(lasting)
        await order(region, 'slow', { ms: 0 })
        return end()
      }
      case 'throttle': {
        const end = both(kind)
        await order(region, 'throttle', { bytesPerSecond: fault.bytesPerSecond })
        await pause(lasting)
        await order(region, 'throttle', { bytesPerSecond: 0 })
        return end()
      }
      case 'clock': {
        disturbances.stepped(region, fault.milliseconds)
        await order(region, 'clock', { ms: fault.milliseconds })
        await pause(lasting)
        disturbances.stepped(region, 0)
        return order(region, 'clock', { ms: 0 })
      }
      case 'deactivate':
        return inLifecycle('deactivate', async () => {
          await setStatus('INACTIVE')
          await pause(lasting)
          await setStatus('ACTIVE')
        })
      case 'recreate':
        return inLifecycle('recreate', recreate)
      case 'failover':
      case 'put-back':
        return failovers.carryOut(fault, { gapMilliseconds: lasting, inTurn: (work) => inTurn(region, work) })
    }
  }

  const inLifecycle = (kind: FaultKind, work: () => Promise<void>): Promise<void> => {
    lifecycle = lifecycle.then(async () => {
      const end = disturbances.begin('secondary', kind)
      await work()
      end()
    })
    return lifecycle
  }

  /** The status of the replica as a region lists it; undefined when the region does not respond. */
  const statusAt = async (region: Role): Promise<string | undefined> => {
    const outcome = await caller.send(region, new ListUserPoolReplicasCommand({ UserPoolId: pool }))
    if (outcome.kind !== 'done') return undefined
    return outcome.output.UserPoolReplicas?.find(({ Role }) => Role === 'SECONDARY')?.Status ?? 'GONE'
  }

  /** Retries, because a region may be down. */
  const eventually = async (what: string, attempt: () => Promise<boolean>): Promise<boolean> => {
    let calmSince = Date.now()
    let checked = calmSince
    for (;;) {
      const began = Date.now()
      // What the primary reports in a gap may be lost; the attempt is repeated when the gap is over.
      if ((await attempt()) && !disturbances.isDoubtful('primary', began)) return true
      const now = Date.now()
      if (disturbances.troubled(checked, now)) calmSince = now
      checked = now
      if (now - calmSince > REPLICA_PATIENCE_MILLISECONDS) {
        journal.violation(`the replica: no ${what} within ${REPLICA_PATIENCE_MILLISECONDS} ms without a fault`)
        return false
      }
      await pause(50)
    }
  }

  const setStatus = async (Status: 'ACTIVE' | 'INACTIVE'): Promise<boolean> => {
    journal.note(`replica: set to ${Status}`)
    return eventually(Status, async () => {
      // Either region accepts it, but the secondary may not have the pool yet.
      const from = random.chance(0.3) ? 'secondary' : 'primary'
      await caller.send(from, new UpdateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: replicaRegion, Status }))
      return (await statusAt('primary')) === Status
    })
  }

  const recreate = async (): Promise<void> => {
    const here = { UserPoolId: pool, RegionName: replicaRegion }
    if (!(await setStatus('INACTIVE'))) return
    journal.note('replica: delete')
    const isDeleted = await eventually('deletion', async () => {
      const status = await statusAt('primary')
      if (status === 'INACTIVE') await caller.send('primary', new DeleteUserPoolReplicaCommand(here))
      return status === 'GONE'
    })
    if (!isDeleted) return
    journal.note('replica: create again')
    const begun = await eventually('creation', async () => {
      await caller.send('primary', new CreateUserPoolReplicaCommand(here))
      const status = await statusAt('primary')
      return status !== undefined && status !== 'GONE'
    })
    if (!begun) return
    disturbances.replicas += 1
    if (!(await eventually('first copy', async () => (await statusAt('primary')) === 'INACTIVE'))) return
    await setStatus('ACTIVE')
  }

  return {
    failovers: failovers.list,
    run: async (plan) => {
      const began = Date.now()
      await Promise.all(
        plan.map(async (planned) => {
          await pause(planned.at - (Date.now() - began))
          await carryOut(planned)
        }),
      )
    },
    healAll: async () => {
      await failovers.settled()
      await Promise.all(Object.values(turns))
      for (const region of ROLES) {
        await order(region, 'start')
        await order(region, 'resume')
        await order(region, 'heal')
        await order(region, 'clock', { ms: 0 })
      }
      await lifecycle
      await eventually('ACTIVE in both regions', async () => {
        const seen = await Promise.all(ROLES.map(statusAt))
        return seen.every((status) => status === 'ACTIVE')
      })
    },
  }
}
