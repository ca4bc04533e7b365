import { type Exchange, type Figures, measure } from '../load.ts'
import { emailOf } from '../people.ts'
import { type Plot, renderPlot } from '../plot.ts'
import { measureLag } from '../regions/lag.ts'
import { type BenchPlane, openPlane } from '../regions/plane.ts'
import type { Watcher } from '../regions/watcher.ts'
import { callOf, signedCallOf } from '../signed.ts'
import { passwordCall, type Stage, signIn } from '../stage.ts'
import { type Case, type Row, round, shown } from './case.ts'
import { inTurn } from './turns.ts'

const AXES = {
  users: { full: [1_000, 10_000, 100_000, 1_000_000], quick: [1_000, 5_000], title: 'users in the pool' },
  pools: { full: [1, 10, 100, 1_000], quick: [1, 4], title: 'pools in the plane' },
  regions: { full: [2, 3, 4], quick: [2, 3], title: 'regions in the plane' },
} as const
type Axis = keyof typeof AXES

const USERS = 1_000
const USERS_OF_ANOTHER_POOL = 10
/** Users that make calls, spread over all pools. */
const PEOPLE = 20
const WRITES_PER_SECOND = 50

interface Place {
  pool: string
  client: string
  users: number
}

/** Milliseconds. */
type Costs = Record<'sign-in' | 'refresh' | 'GetUser' | 'ListUsers' | 'lag', { p50: number; p99: number }>

export const growth: Case = {
  name: 'growth',
  title: 'Scaling with users, pools and regions',
  run: async (stage) => {
    const valuesOf = (axis: Axis): readonly number[] => (stage.quick ? AXES[axis].quick : AXES[axis].full)
    const results: Record<Axis, Map<number, Costs>> = { users: new Map(), pools: new Map(), regions: new Map() }
    const record = (axis: Axis, value: number, costs: Costs): void => {
      results[axis].set(value, costs)
      const words = Object.entries(costs).map(([what, { p50 }]) => `${what} ${shown(p50)}`)
      stage.say(`${counted(value, axis)}: ${words.join(', ')} ms`)
    }

    const base = await openGrown(stage, { users: USERS, regions: 2 })
    const smallest = await measureCosts(stage, base)
    for (const axis of Object.keys(AXES) as Axis[]) record(axis, valuesOf(axis)[0] as number, smallest)
    for (const pools of valuesOf('pools').slice(1)) {
      await addPools(base, pools - base.places.length)
      record('pools', pools, await measureCosts(stage, base))
    }
    await base.plane.stop()
    for (const [axis, users, regions] of [
      ...valuesOf('users').map((users) => ['users', users, 2] as const),
      ...valuesOf('regions').map((regions) => ['regions', USERS, regions] as const),
    ]) {
      const value = axis === 'users' ? users : regions
      if (results[axis].has(value)) continue
      const grown = await openGrown(stage, { users, regions })
      record(axis, value, await measureCosts(stage, grown))
      await grown.plane.stop()
    }

    const rows: Row[] = []
    const lines: string[][] = []
    for (const [axis, points] of Object.entries(results) as [Axis, Map<number, Costs>][]) {
      const [[from, first], [to, last]] = [[...points].at(0), [...points].at(-1)] as [[number, Costs], [number, Costs]]
      for (const [value, costs] of points) {
        const cells = Object.values(costs).map(({ p50, p99 }) => `${shown(p50)}; ${shown(p99)}`)
        lines.push([counted(value, axis), ...cells])
      }
      for (const what of Object.keys(first) as (keyof Costs)[]) {
        const [ours, theirs] = [last[what].p50, first[what].p50]
        rows.push({
          what: `${what}, ${counted(to, axis)}, p50 in ms`,
          peer: counted(from, axis),
          ours: round(ours),
          theirs: round(theirs),
          ratio: round(ours / theirs),
        })
      }
    }
    return {
      rows,
      table: { head: ['p50; p99 in ms', ...Object.keys(smallest)], lines },
      figures: (Object.keys(AXES) as Axis[]).map((axis) => ({
        file: `growth-${axis}.svg`,
        alt: `Cost of a call, and replication lag, by the number of ${axis}`,
        svg: renderPlot(plotOf(axis, results[axis])),
      })),
      notes: [
        `SQLite. Unless varied: ${USERS.toLocaleString('en')} users, one pool, two regions. Each additional pool has ${USERS_OF_ANOTHER_POOL} users.`,
        'One call at a time to the primary: USER_PASSWORD_AUTH, REFRESH_TOKEN_AUTH, GetUser, ListUsers by an exact e-mail.',
        `The lag is that of the slowest region, at ${WRITES_PER_SECOND} writes/s spread over all pools.`,
      ],
    }
  },
}

const counted = (value: number, axis: Axis): string =>
  `${value.toLocaleString('en')} ${value === 1 ? axis.slice(0, -1) : axis}`

interface Grown {
  plane: BenchPlane
  places: Place[]
  watchers: Watcher[]
}

async function openGrown(stage: Stage, { users, regions }: { users: number; regions: number }): Promise<Grown> {
  const plane = await openPlane(stage, { engine: 'sqlite', count: regions })
  const places = (await plane.createPools(1)).map((place) => ({ ...place, users }))
  await plane.fill(places.map(({ pool }) => ({ pool, users, passwords: PEOPLE })))
  const watchers: Watcher[] = []
  for (const region of plane.regions.slice(1)) watchers.push(await region.watch())
  await share(plane, places)
  return { plane, places, watchers }
}

async function addPools({ plane, places }: Grown, count: number): Promise<void> {
  const added = (await plane.createPools(count)).map((place) => ({ ...place, users: USERS_OF_ANOTHER_POOL }))
  await plane.fill(added.map(({ pool, users }) => ({ pool, users, passwords: 1 })))
  await share(plane, added)
  places.push(...added)
}

async function share(plane: BenchPlane, places: readonly Place[]): Promise<void> {
  for (const { pool } of places) await plane.replicate(pool)
  for (const { pool } of places) for (const region of plane.regions.slice(1)) await plane.copied(pool, region)
}

async function measureCosts(stage: Stage, { plane, places, watchers }: Grown): Promise<Costs> {
  const { endpoint, pid, child } = plane.primary
  const seconds = stage.quick ? 0.5 : 5
  const chosen = Array.from({ length: PEOPLE }, (_, at) => places[Math.floor((at * places.length) / PEOPLE)] as Place)
  const calls: Record<Exclude<keyof Costs, 'lag'>, Exchange[]> = {
    'sign-in': [],
    refresh: [],
    GetUser: [],
    ListUsers: [],
  }
  for (const [at, { pool, client, users }] of chosen.entries()) {
    const [tokens] = await signIn({ endpoint, client }, 1)
    if (!tokens) continue
    const AuthParameters = { REFRESH_TOKEN: tokens.RefreshToken }
    calls['sign-in'].push(passwordCall(client, places.length === 1 ? at : 0))
    calls.refresh.push(callOf('InitiateAuth', { AuthFlow: 'REFRESH_TOKEN_AUTH', ClientId: client, AuthParameters }))
    calls.GetUser.push(callOf('GetUser', { AccessToken: tokens.AccessToken }))
    const Filter = `email = "${emailOf(Math.floor((at * users) / PEOPLE))}"`
    calls.ListUsers.push(signedCallOf(endpoint, 'ListUsers', { UserPoolId: pool, Filter }))
  }
  const costs: Partial<Costs> = {}
  for (const [what, exchanges] of Object.entries(calls)) {
    const load = { endpoint, pid, connections: 1, work: inTurn(exchanges) }
    await measure({ ...load, seconds: seconds / 5 })
    const { p50, p99 }: Figures = await measure({ ...load, seconds })
    costs[what as keyof Costs] = { p50, p99 }
  }
  const order = { pools: places.map(({ pool }) => pool), perSecond: WRITES_PER_SECOND }
  await measureLag(child, watchers, { ...order, seconds: stage.quick ? 0.5 : 2 })
  const lags = await measureLag(child, watchers, { ...order, seconds: stage.quick ? 1 : 10 })
  const worst = (name: 'p50' | 'p99'): number => Math.max(...lags.map((lag) => lag[name]))
  return { ...costs, lag: { p50: worst('p50'), p99: worst('p99') } } as Costs
}

function plotOf(axis: Axis, points: ReadonlyMap<number, Costs>): Plot {
  const names = Object.keys([...points.values()][0] as Costs) as (keyof Costs)[]
  return {
    title: `Cost over ${AXES[axis].title}`,
    x: { label: AXES[axis].title, linear: axis === 'regions' },
    y: { label: 'p50, milliseconds' },
    series: names.map((what) => ({
      name: what,
      points: [...points].map(([value, costs]) => [value, Math.max(0.01, costs[what].p50)] as const),
    })),
  }
}
