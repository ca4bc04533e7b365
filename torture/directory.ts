import type { Role } from './schedule.ts'

/** A value that is written to: the last acknowledged one, and later ones of writes whose outcome is unknown. */
export interface Register<T> {
  value: T
  doubt: T[]
  /** A write is in progress. */
  busy: boolean
  /** Incremented when a write begins and when it ends. */
  version: number
}

export type Status = 'CONFIRMED' | 'UNCONFIRMED' | 'FORCE_CHANGE_PASSWORD'
export const FREE_ATTRIBUTES = ['name', 'nickname', 'given_name'] as const
export type FreeAttribute = (typeof FREE_ATTRIBUTES)[number]
export const GROUPS = ['red', 'green', 'blue', 'white'] as const
export type Group = (typeof GROUPS)[number]

/** One user, from creation to deletion. A username that is used again belongs to another person. */
export interface Person {
  username: string
  /** Undefined until a region has returned it. */
  sub: string | undefined
  exists: Register<boolean>
  attributes: Record<FreeAttribute, Register<string | undefined>>
  /** `address|verified` */
  email: Register<string | undefined>
  status: Register<Status>
  password: Register<string>
  groups: Record<Group, Register<boolean>>
  formerPasswords: string[]
  sessions: SessionModel[]
  signOuts: SignOut[]
  /** The number of writers that are working on the person. */
  sharers: number
  /** One writer has the person exclusively, to delete or to settle it. */
  taken: boolean
}

/** The tokens of one sign-in. Times are milliseconds; `began` and `ended` are times of this process's clock. */
export interface SessionModel {
  person: Person
  region: Role
  rotates: boolean
  began: number
  ended: number
  /** When the sign-in was complete, by the clock of the primary as its region knows it; the tokens contain it. */
  origin: number
  access: string
  refresh: string
  /** The refresh token that was rotated into the present one, and the region of that rotation. */
  former: { token: string; region: Role } | undefined
  revocation: Fact | undefined
  /** The response to a rotation was lost: the present refresh token is unknown. */
  lost: boolean
  busy: boolean
}

/** A revocation or sign-out that was sent to a region; `pending` until the region has responded. */
export interface Fact {
  region: Role
  began: number
  ended: number
  outcome: 'pending' | 'done' | 'unknown'
}

/** Ends all tokens that the person has received before it. */
export interface SignOut extends Fact {
  /** Bounds of the moment up to which it ends sessions: its time by the primary's clock as its region knows it, or the later start of the session that requested it. */
  earliest: number
  latest: number
}

/** An e-mail address that moves between people. */
export interface Address {
  name: string
  owner: Person | undefined
  /** The person whose write of this address has no known outcome yet. */
  waitsFor: Person | undefined
  busy: boolean
}

/** The model of the pool: all requested and acknowledged values. */
export interface Directory {
  /** By username: the person that has it, or may have it. */
  people: Map<string, Person>
  /** Deleted people. */
  past: Person[]
  addresses: Address[]
  groupDescriptions: Record<Group, Register<string>>
  /** Groups and clients that are created and deleted, by name; the `id` of a client once it is known. */
  passingGroups: Map<string, Register<boolean>>
  passingClients: Map<string, Register<boolean> & { id?: string }>
}

export const register = <T>(value: T): Register<T> => ({ value, doubt: [], busy: false, version: 0 })
export const isSettled = (register: Register<unknown>): boolean => !register.busy && register.doubt.length === 0

const ADDRESSES = 8
const PASSING_GROUPS = 3

export function createDirectory(): Directory {
  return {
    people: new Map(),
    past: [],
    addresses: Array.from({ length: ADDRESSES }, (_, at) => ({
      name: `address-${at}@example.com`,
      owner: undefined,
      waitsFor: undefined,
      busy: false,
    })),
    groupDescriptions: Object.fromEntries(GROUPS.map((name) => [name, register('')])) as Directory['groupDescriptions'],
    passingGroups: new Map(Array.from({ length: PASSING_GROUPS }, (_, at) => [`passing-${at}`, register(false)])),
    passingClients: new Map(),
  }
}

export function createPerson({
  username,
  password,
  status,
  name,
}: {
  username: string
  password: string
  status: Status
  name: string
}): Person {
  return {
    username,
    sub: undefined,
    exists: register(false),
    attributes: {
      name: register<string | undefined>(name),
      nickname: register(undefined),
      given_name: register(undefined),
    },
    email: register(undefined),
    status: register(status),
    password: register(password),
    groups: Object.fromEntries(GROUPS.map((group) => [group, register(false)])) as Person['groups'],
    formerPasswords: [],
    sessions: [],
    signOuts: [],
    sharers: 0,
    taken: false,
  }
}

/** Every register of a person. */
export const registersOf = (person: Person): Register<unknown>[] => [
  person.exists,
  ...Object.values(person.attributes),
  person.email,
  person.status,
  person.password,
  ...Object.values(person.groups),
]

export const emailOf = (address: string, verified: boolean): string => `${address}|${verified}`
export const addressOf = (email: string | undefined): string | undefined => email?.split('|')[0]

/**
 * Writes some registers with one call: they are in doubt during the call, and afterwards if its outcome is unknown.
 * No other write of these registers may be in progress.
 */
export async function write<O extends { kind: string }>(
  changes: readonly Change[],
  send: () => Promise<O>,
): Promise<O> {
  for (const { register, value } of changes) {
    register.busy = true
    register.version += 1
    register.doubt.push(value)
  }
  const outcome = await send()
  for (const { register, value } of changes) {
    if (outcome.kind === 'done') register.value = value
    if (outcome.kind !== 'unknown') register.doubt.length = 0
    register.busy = false
    register.version += 1
  }
  return outcome
}

export interface Change {
  register: Register<unknown>
  value: unknown
}
export const change = <T>(register: Register<T>, value: T): Change => ({
  register: register as Register<unknown>,
  value,
})
