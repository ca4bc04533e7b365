import {
  CreateUserPoolReplicaCommand,
  DeleteUserPoolReplicaCommand,
  ListUserPoolReplicasCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import type { Arena } from './arena.ts'
import type { Caller } from './calls.ts'
import type { Disturbances } from './disturbances.ts'
import type { Journal } from './journal.ts'
import { pause } from './pace.ts'
import { createRandom } from './random.ts'
import { type FaultKind, type Planned, ROLES, type Role } from './schedule.ts'

export interface Faults {
  /** Carries the plan out; resolves when the last fault has ended. */
  run(plan: readonly Planned[]): Promise<void>
  /** Ends whatever is still wrong: all regions run, all links are whole, clocks right, the replica ACTIVE. */
  healAll(): Promise<void>
}

/** Without trouble from beginning to end: a copy begins again where the log was trimmed meanwhile, so many short calms are not a long one. */
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
  /** What is done to a process is done in order. */
  const turns: Record<Role, Promise<void>> = { primary: Promise.resolve(), secondary: Promise.resolve() }
  let lifecycle = Promise.resolve()

  const inTurn = (region: Role, work: () => Promise<void>): Promise<void> => {
    turns[region] = turns[region].then(work)
    return turns[region]
  }
  const order: Arena['order'] = async (region, action, settings) => {
    journal.note(`fault: ${action} ${region}${settings ? ` ${JSON.stringify(settings)}` : ''}`)
    await arena.order(region, action, settings).catch((error: Error) => {
      journal.violation(`${action} ${region} could not be done: ${error.message}`)
    })
  }
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

  /** The status of the replica as a region lists it; undefined when it does not say. */
  const statusAt = async (region: Role): Promise<string | undefined> => {
    const outcome = await caller.send(region, new ListUserPoolReplicasCommand({ UserPoolId: pool }))
    if (outcome.kind !== 'done') return undefined
    return outcome.output.UserPoolReplicas?.find(({ Role }) => Role === 'SECONDARY')?.Status ?? 'GONE'
  }

  /** Asks again and again, for a region may be down. */
  const eventually = async (what: string, attempt: () => Promise<boolean>): Promise<boolean> => {
    let calmSince = Date.now()
    let looked = calmSince
    while (!(await attempt())) {
      const now = Date.now()
      if (disturbances.troubled(looked, now)) calmSince = now
      looked = now
      if (now - calmSince > REPLICA_PATIENCE_MILLISECONDS) {
        journal.violation(`the replica: ${what} did not come about within ${REPLICA_PATIENCE_MILLISECONDS} ms of calm`)
        return false
      }
      await pause(50)
    }
    return true
  }

  const setStatus = async (Status: 'ACTIVE' | 'INACTIVE'): Promise<boolean> => {
    journal.note(`replica: to be ${Status}`)
    return eventually(Status, async () => {
      // From either region; the secondary may not know the pool, or not yet.
      const from = random.chance(0.3) ? 'secondary' : 'primary'
      await caller.send(from, new UpdateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: replicaRegion, Status }))
      return (await statusAt('primary')) === Status
    })
  }

  const recreate = async (): Promise<void> => {
    const here = { UserPoolId: pool, RegionName: replicaRegion }
    if (!(await setStatus('INACTIVE'))) return
    journal.note('replica: to be deleted')
    const gone = await eventually('its deletion', async () => {
      const status = await statusAt('primary')
      if (status === 'INACTIVE') await caller.send('primary', new DeleteUserPoolReplicaCommand(here))
      return status === 'GONE'
    })
    if (!gone) return
    journal.note('replica: to be made again')
    const begun = await eventually('its creation', async () => {
      await caller.send('primary', new CreateUserPoolReplicaCommand(here))
      const status = await statusAt('primary')
      return status !== undefined && status !== 'GONE'
    })
    if (!begun) return
    disturbances.replicas += 1
    if (!(await eventually('its first copy', async () => (await statusAt('primary')) === 'INACTIVE'))) return
    await setStatus('ACTIVE')
  }

  return {
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
