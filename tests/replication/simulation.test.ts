/**
 * Random histories of two or three regions in one process, from a seed: writes, cuts, kills, duplicates, trims, slow copies,
 * replicas that are toggled, deleted and created again, keys of pools that are lost and come back, databases restored from backups.
 * Every other history sends most transactions in parts. After every history, once the network is
 * restored, the directories are equal.
 *
 * TWINPOOL_HISTORIES=500 runs more histories; TWINPOOL_SEED=7 runs a single one.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checksumOf } from '@twinpool/server/internal/replication/checksum'
import { type Copier, createCopier } from '@twinpool/server/internal/replication/copier'
import { createEraser, type Eraser } from '@twinpool/server/internal/replication/eraser'
import { CursorMovedError, createFollower, type Follower } from '@twinpool/server/internal/replication/follower'
import type {
  FeedBatch,
  Inventory,
  LogPosition,
  Place,
  RowAddress,
  Source,
} from '@twinpool/server/internal/replication/messages'
import { openSupplier, type Supplier, type SupplierLimits } from '@twinpool/server/internal/replication/supplier'
import { purgeTombstones, trimChanges } from '@twinpool/server/internal/store/changes'
import { ONLY } from '@twinpool/server/internal/store/kinds'
import {
  incarnationOf,
  type Replica,
  type ReplicaStatus,
  type SignOut,
  versionAfter,
} from '@twinpool/server/internal/store/merge'
import {
  createDice,
  createSteppedClock,
  type Dice,
  type KillableStore,
  KilledError,
  openKillableStore,
} from '@twinpool/testing/plane-of-stores'
import { type EngineName, engines } from '@twinpool/testing/regions'
import { settled } from '@twinpool/testing/stores'

const NAMES = ['us-west-2', 'us-east-1', 'eu-west-1']
const STEPS = 250
/** Few, so that changes of the same row are frequent. */
const USERS = 10
const ROUNDS = 400
/** Most transactions are sent in parts. */
const SMALL: SupplierLimits = {
  message: { changes: 2, bytes: 300 },
  whole: { changes: 3, bytes: 500 },
  pageBytes: 10,
}

interface Node {
  name: string
  killable: KillableStore
  supplier: Supplier
  follower: Follower
  copier: Copier
  eraser: Eraser
  /** The pools whose key this region does not have. */
  lostKeys: Set<string>
}

type PlaceInLog = Place & Pick<LogPosition, 'log'>

interface Delivery {
  from: PlaceInLog
  batches: FeedBatch[]
  asOf: number | null
}

/** A link from a supplier to a follower, with the deliveries in flight. */
interface Link {
  to: Node
  from: Node
  open: PlaceInLog | undefined
  inFlight: Delivery[]
  delivered: Delivery[]
}

interface World {
  dice: Dice
  nodes: Node[]
  links: Link[]
  /** Pool -> its primary. */
  pools: Map<string, Node>
  /** Sign-outs that were acknowledged to a client. */
  facts: { pool: string; key: string; before: number }[]
  /** Deletions of replicas that were acknowledged to a client. */
  deletions: { pool: string; region: string; version: number }[]
  /** Whether facts may have been lost: a log was trimmed too early, or a database was restored. */
  lossy: boolean
  log: string[]
}

/** How many of about a hundred steps are the worst faults. */
interface Troubles {
  gaps: number
  backups: number
  restores: number
}

const TROUBLES: readonly Troubles[] = [
  { gaps: 0, backups: 0, restores: 0 },
  { gaps: 4, backups: 0, restores: 0 },
  { gaps: 1, backups: 2, restores: 2 },
  { gaps: 0, backups: 1, restores: 4 },
]

class CutError extends Error {}

async function createWorld(seed: number, engine: EngineName): Promise<World> {
  const dice = createDice(seed)
  const time = { now: 1_700_000_000_000 }
  const nodes: Node[] = []
  for (const name of NAMES.slice(0, dice.chance(0.4) ? 3 : 2)) {
    const clock = createSteppedClock(dice, time, dice.below(20_000) - 10_000)
    const killable = await openKillableStore(engine, {
      clock,
      region: name,
      name: `twinpool_history_${process.pid}_${seed}_${nodes.length}`,
    })
    const node = { name, killable, lostKeys: new Set() } as unknown as Node
    const limits = seed % 2 === 0 ? SMALL : undefined
    nodes.push(Object.assign(node, await compose(node, clock, limits)))
    Object.assign(node, { recompose: async () => Object.assign(node, await compose(node, clock, limits)) })
  }
  const links = nodes.flatMap((to) =>
    nodes.flatMap((from) => (from === to ? [] : [{ to, from, open: undefined, inFlight: [], delivered: [] }])),
  )
  const world: World = { dice, nodes, links, pools: new Map(), facts: [], deletions: [], lossy: false, log: [] }
  for (const [at, owner] of [nodes[0], nodes[0], nodes[1]].entries()) {
    const pool = `${owner?.name}_pool${at}`
    world.pools.set(pool, owner as Node)
    await (owner as Node).killable.store.write(async (tx) => {
      await tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: owner?.name, epoch: 1 }) })
      await tx.put('pool', { pool, key: ONLY, body: '{}', fields: { name: pool } })
    })
  }
  return world
}

/** The objects that a process creates when it starts. */
async function compose(
  { name, killable, lostKeys }: Node,
  clock: ReturnType<typeof createSteppedClock>,
  limits: SupplierLimits | undefined,
) {
  const opensPool = async (pool: string): Promise<boolean> => !lostKeys.has(pool)
  const context = { store: killable.store, clock, region: name, opensPool }
  const supplier = await openSupplier({
    ...context,
    events: { noted: () => {} },
    retention: { milliseconds: Number.MAX_SAFE_INTEGER, changes: Number.MAX_SAFE_INTEGER },
    ...(limits && { limits }),
  })
  return { supplier, follower: createFollower(context), copier: createCopier(context), eraser: createEraser(context) }
}

const recompose = (node: Node): Promise<void> => (node as Node & { recompose(): Promise<void> }).recompose()

const close = (link: Link): void => {
  Object.assign(link, { open: undefined, inFlight: [] })
}

/** Kills a process, and with it its open connections. */
async function restartNode(world: World, node: Node, how: 'restart' | 'restore' | 'backUp'): Promise<void> {
  await node.killable[how]()
  await recompose(node)
  for (const link of world.links) if (link.to === node || link.from === node) close(link)
}

async function connect(link: Link): Promise<void> {
  const origin = await link.to.follower.findResumePoint(link.from.name)
  const hello = await link.from.supplier.hello(link.to.name, origin)
  if (hello.standing !== 'continues') {
    const rows: Inventory['rows'] = []
    let after: RowAddress | undefined
    do {
      const page: Inventory = await link.from.supplier.inventory(link.to.name, after)
      rows.push(...page.rows)
      after = page.next ?? undefined
    } while (after)
    await link.to.follower.restart(link.from.name, hello, rows)
  }
  link.open = { log: hello.log, position: hello.position, mark: hello.mark, part: hello.part }
  link.inFlight = []
}

async function read(link: Link): Promise<boolean> {
  if (!link.open) return false
  const reading = await link.from.supplier.read(link.to.name, link.open)
  if (!reading) {
    close(link)
    return false
  }
  if (reading.batches.length === 0) return false
  link.inFlight.push({ from: link.open, batches: reading.batches, asOf: reading.drained ? reading.asOf : null })
  link.open = { log: link.open.log, position: reading.position, mark: reading.mark, part: reading.part }
  return true
}

async function deliver(link: Link): Promise<void> {
  const next = link.inFlight.shift()
  if (!next) return
  link.delivered = [...link.delivered.slice(-5), next]
  await link.to.follower.apply(link.from.name, next.from, next.batches, next.asOf)
}

/** The source of a copy, over a network that may fail. */
function sourceOf({ dice }: World, { from, to }: Link, reliable: boolean): Source {
  const carry = async <T>(value: Promise<T>): Promise<T> => {
    const { life } = from.killable
    const answer = await value.catch((error: unknown) => {
      throw from.killable.life === life ? error : new CutError('the supplier was restarted')
    })
    if (!reliable && dice.chance(0.15)) throw new CutError('cut')
    return answer
  }
  return {
    inventory: (after) => carry(from.supplier.inventory(to.name, after)),
    outline: (pool, witness) => carry(from.supplier.outline(to.name, pool, witness)),
    // Small pages, so that a copy takes many steps.
    page: (query) => carry(from.supplier.page(to.name, { ...query, limit: 3 })),
  }
}

/** One step of erasing and copying. Returns whether anything was done. */
async function work(world: World, node: Node, reliable = false): Promise<boolean> {
  const { dice } = world
  let done = false
  for (const pool of await node.eraser.listPoolsToErase()) {
    await node.eraser.step(pool)
    done = true
  }
  for (const pool of await node.copier.listPoolsToCopy()) {
    for (const link of world.links) {
      if (link.to !== node || !(reliable || dice.chance(0.7))) continue
      if (await node.copier.begin(pool, link.from.name, sourceOf(world, link, reliable))) {
        done = true
        break
      }
    }
  }
  for (const copy of await node.copier.listCopies()) {
    const link = world.links.find(({ to, from }) => to === node && from.name === copy.peer) as Link
    const step = await node.copier.step(copy, sourceOf(world, link, reliable))
    if (step !== 'waits' && step !== 'locked') done = true
  }
  return done
}

const replicasOf = async ({ killable }: Node, pool: string): Promise<Replica[]> =>
  (await killable.store.list('replica', { pool, limit: 10 })).map(({ body }) => JSON.parse(body) as Replica)

/** A transaction at the primary: users are created, changed and removed, and e-mail addresses move between users. */
async function writeUsers({ dice }: World, pool: string, { killable }: Node): Promise<void> {
  const draws = Array.from(
    { length: 1 + dice.below(5) },
    () => [dice.below(5), dice.below(USERS), dice.below(USERS), dice.below(1e6)] as const,
  )
  await killable.store.write(async (tx) => {
    for (const [what, one, two, value] of draws) {
      const [sub, other] = [`user-${one}`, `user-${two}`]
      if (what === 0) await tx.remove('user', { pool, key: sub })
      else if (what === 1) await tx.remove('alias', { pool, key: `mail-${one}` })
      else if (what === 2) {
        // Moves from one user to another in one transaction.
        await tx.remove('alias', { pool, key: `mail-${one}` })
        await tx.put('alias', { pool, key: `mail-${one}`, body: '{}', fields: { sub: other } })
        await tx.put('alias', { pool, key: `mail-${two}`, body: '{}', fields: { sub } })
      } else
        await tx.put('user', { pool, key: sub, body: `${value}`, fields: { username: `${value}`, enabled: 'true' } })
    }
  })
}

async function shareFact(world: World, pool: string, node: Node): Promise<void> {
  const key = `user-${world.dice.below(USERS)}`
  const before = 1 + world.dice.below(1e6)
  const held = await node.killable.store.find('topology', { pool, key: ONLY })
  const own = (await replicasOf(node, pool)).find(({ region }) => region === node.name)
  if (!held || own?.status === 'DELETING' || own?.status === 'CREATING') return
  await node.killable.store.write((tx) =>
    tx.share('sign-out', { pool, key, body: JSON.stringify({ before } satisfies SignOut) }),
  )
  world.facts.push({ pool, key, before })
}

const NEXT: Record<ReplicaStatus, readonly ReplicaStatus[]> = {
  CREATING: [],
  INACTIVE: ['ACTIVE', 'DELETING'],
  ACTIVE: ['INACTIVE'],
  DELETING: [],
  DELETED: ['CREATING'],
}

/** Administration: a replica is created, activated or deactivated (in either region), deleted, created again. */
async function changeReplica({ dice, nodes }: World, pool: string, owner: Node): Promise<void> {
  const region = dice.pick(nodes.filter((node) => node !== owner)).name
  const present = (await replicasOf(owner, pool)).find((replica) => replica.region === region)
  const status = present ? dice.pick([...NEXT[present.status], undefined]) : 'CREATING'
  if (!status) return
  const where =
    status === 'ACTIVE' || status === 'INACTIVE'
      ? dice.pick(nodes.filter(({ name }) => name === region || name === owner.name))
      : owner
  if (where !== owner && !(await replicasOf(where, pool)).some((replica) => replica.region === region)) return
  await writeStatus(where, { pool, region, status })
}

async function writeStatus(
  { killable }: Node,
  { pool, region, status }: { pool: string; region: string; status: ReplicaStatus },
): Promise<Replica> {
  return killable.store.write(async (tx) => {
    const row = await tx.lock('replica', { pool, key: region })
    const present = row && (JSON.parse(row.body) as Replica)
    const replica: Replica = { region, status, version: versionAfter(present, status) }
    await tx.share('replica', { pool, key: region, body: JSON.stringify(replica) })
    return replica
  })
}

/** Several status changes in one region, while others may have deleted the replica or lost their store. */
async function toggleReplica({ dice }: World, pool: string, node: Node): Promise<void> {
  const present = dice.pick([undefined, ...(await replicasOf(node, pool))])
  if (present?.status !== 'INACTIVE' && present?.status !== 'ACTIVE') return
  const { region } = present
  let { status } = present
  for (let left = dice.below(6); left >= 0; left -= 1) {
    status = status === 'ACTIVE' ? 'INACTIVE' : 'ACTIVE'
    await writeStatus(node, { pool, region, status })
  }
}

/** The deletion is acknowledged to a client: only a new creation undoes it. */
async function deleteReplica(world: World, pool: string, node: Node): Promise<void> {
  const present = world.dice.pick([undefined, ...(await replicasOf(node, pool))])
  if (present?.status !== 'INACTIVE') return
  const { version } = await writeStatus(node, { pool, region: present.region, status: 'DELETING' })
  world.deletions.push({ pool, region: present.region, version })
}

async function step(world: World, { gaps, backups, restores }: Troubles): Promise<void> {
  const { dice, nodes, links } = world
  const [pool, owner] = dice.pick([...world.pools])
  const link = dice.pick(links)
  const node = dice.pick(nodes)
  const kill = dice.chance(0.06)
  const actions: [number, string, () => Promise<unknown>][] = [
    [20, `write ${pool}`, () => writeUsers(world, pool, owner)],
    [6, `share ${pool} at ${node.name}`, () => shareFact(world, pool, node)],
    [6, `replica of ${pool}`, () => changeReplica(world, pool, owner)],
    [3, `toggle a replica of ${pool} at ${node.name}`, () => toggleReplica(world, pool, node)],
    [1, `delete a replica of ${pool} at ${node.name}`, () => deleteReplica(world, pool, node)],
    [8, `connect ${link.to.name} to ${link.from.name}`, () => connect(link)],
    [18, `read ${link.from.name} for ${link.to.name}`, () => read(link)],
    [18, `deliver ${link.from.name} to ${link.to.name}`, () => deliver(link)],
    [
      5,
      'deliver again',
      async () => {
        const again = dice.pick([...link.delivered, undefined])
        if (again) await link.to.follower.apply(link.from.name, again.from, again.batches, again.asOf)
      },
    ],
    [
      5,
      `acknowledge ${link.from.name}`,
      async () => {
        const cursor = await link.to.follower.findCursor(link.from.name)
        if (cursor) await link.from.supplier.acknowledge(link.to.name, cursor)
      },
    ],
    [18, `work at ${node.name}`, () => work(world, node)],
    [4, 'cut', async () => close(link)],
    [
      2,
      `${node.name} ${node.lostKeys.has(pool) ? 'gets' : 'loses'} the key of ${pool}`,
      async () => {
        if (!node.lostKeys.delete(pool)) node.lostKeys.add(pool)
      },
    ],
    [4, `trim ${node.name}`, () => node.supplier.trim()],
    [
      gaps,
      `trim ${node.name} early`,
      async () => {
        world.lossy = true
        await trimChanges(node.killable.store.engine, Number.MAX_SAFE_INTEGER)
        await purgeTombstones(node.killable.store.engine, Number.MAX_SAFE_INTEGER)
      },
    ],
    [1, `restart ${node.name}`, () => restartNode(world, node, 'restart')],
    [backups, `back up ${node.name}`, () => restartNode(world, node, 'backUp')],
    [
      node.killable.restorable ? restores : 0,
      `restore ${node.name}`,
      () => {
        world.lossy = true
        return restartNode(world, node, 'restore')
      },
    ],
  ]
  const action = dice.pick(actions.flatMap((one) => Array.from({ length: one[0] }, () => one)))
  if (kill) node.killable.killNext()
  world.log.push(`${action[1]}${kill ? `, ${node.name} is killed` : ''}`)
  try {
    await action[2]()
  } catch (error) {
    if (error instanceof CursorMovedError || error instanceof CutError) close(link)
    else if (error instanceof KilledError) {
      node.killable.spare()
      await restartNode(world, node, 'restart')
    } else throw error
  } finally {
    node.killable.spare()
  }
}

/** With the network and the keys restored and no more writes, runs until nothing changes. */
async function settle(world: World): Promise<void> {
  for (const { lostKeys } of world.nodes) lostKeys.clear()
  for (let round = 0; round < ROUNDS; round += 1) {
    // On PostgreSQL a transaction of another test may hold back the log.
    for (const node of world.nodes) await settled(node.killable.store)
    let moved = false
    for (const link of world.links) {
      if (!link.open) {
        await connect(link)
        moved = true
      }
      while (await read(link)) moved = true
      try {
        while (link.inFlight.length > 0) await deliver(link)
      } catch (error) {
        if (!(error instanceof CursorMovedError)) throw error
        close(link)
        moved = true
      }
    }
    for (const node of world.nodes) {
      // A page requested before the network was restored may still fail.
      const done = await work(world, node, true).catch((error: unknown) => {
        if (error instanceof CutError) return true
        throw error
      })
      if (done) moved = true
    }
    if (!moved) return
  }
  throw new Error(`it has not come to rest after ${ROUNDS} rounds`)
}

async function checkEqual(world: World): Promise<void> {
  for (const [pool, owner] of world.pools) {
    const { store } = owner.killable
    const truth = await checksumOf(store, pool, 0)
    for (const node of world.nodes) {
      if (node === owner) continue
      const replica = (await replicasOf(owner, pool)).find(({ region }) => region === node.name)
      if (!replica) continue
      const where = `${pool} in ${node.name}`
      assert.ok(['INACTIVE', 'ACTIVE', 'DELETED'].includes(replica.status), `${where} is ${replica.status}`)
      const sum = await checksumOf(node.killable.store, pool, 0)
      if (replica.status === 'DELETED') {
        const left = Object.entries(sum.rows).filter(([kind, count]) => kind !== 'replica' && count > 0)
        assert.deepEqual(left, [], `${where} is deleted`)
      } else {
        assert.deepEqual(sum, truth, where)
      }
    }
    if (world.lossy) continue
    for (const deletion of world.deletions.filter((one) => one.pool === pool)) {
      const replica = (await replicasOf(owner, pool)).find(({ region }) => region === deletion.region)
      const isUndone = !replica || (replica.status !== 'DELETED' && incarnationOf(replica) <= incarnationOf(deletion))
      assert.ok(!isUndone, `the deletion of ${pool} in ${deletion.region} is undone`)
    }
    for (const fact of world.facts.filter((one) => one.pool === pool)) {
      const row = await store.find('sign-out', { pool, key: fact.key })
      const { before } = JSON.parse(row?.body ?? '{"before":0}') as SignOut
      assert.ok(before >= fact.before, `the sign-out of ${fact.key} in ${pool} is lost`)
    }
  }
  for (const node of world.nodes) assert.deepEqual(await node.copier.listCopies(), [])
}

async function runHistory(seed: number, engine: EngineName): Promise<void> {
  const world = await createWorld(seed, engine)
  try {
    const troubles = world.dice.pick(TROUBLES)
    for (let at = 0; at < STEPS; at += 1) await step(world, troubles)
    world.log.push('settle')
    await settle(world)
    await checkEqual(world)
  } catch (error) {
    const tail = world.log.slice(-40).join('\n  ')
    throw new Error(`TWINPOOL_SEED=${seed} (${engine}): ${(error as Error).message}\n  ${tail}`, { cause: error })
  } finally {
    for (const node of world.nodes) await node.killable.close()
  }
}

for (const engine of engines) {
  describe(`random histories: ${engine}`, () => {
    const only = process.env.TWINPOOL_SEED
    const count = Number(process.env.TWINPOOL_HISTORIES ?? (engine === 'sqlite' ? 12 : 3))
    const seeds = only === undefined ? Array.from({ length: count }, (_, at) => at + 1) : [Number(only)]
    for (const seed of seeds) it(`history ${seed} ends with equal directories`, () => runHistory(seed, engine))
  })
}
