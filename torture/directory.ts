import type { Role } from './schedule.ts'

/** One thing that is written to: the value last acknowledged, and those asked for since whose outcome is not known. */
export interface Register<T> {
  value: T
  doubt: T[]
  /** A write is under way. */
  busy: boolean
  /** Rises with each write that begins or ends. */
  version: number
}

export type Status = 'CONFIRMED' | 'UNCONFIRMED' | 'FORCE_CHANGE_PASSWORD'
export const FREE_ATTRIBUTES = ['name', 'nickname', 'given_name'] as const
export type FreeAttribute = (typeof FREE_ATTRIBUTES)[number]
export const GROUPS = ['red', 'green', 'blue', 'white'] as const
export type Group = (typeof GROUPS)[number]

/** One user, from the creation on. A username that is used again is another person. */
export interface Person {
  username: string
  /** Undefined until a region has told it. */
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
  /** How many writers have the person in hand. */
  sharers: number
  /** One writer has the person alone: to delete, or to find out. */
  taken: boolean
}

/** The tokens of one sign-in. Times are milliseconds; `began` and `ended` of this process's clock. */
export interface SessionModel {
  person: Person
  region: Role
  rotates: boolean
  began: number
  ended: number
  /** When the sign-in was complete on the clock of its region: the tokens carry it. */
  origin: number
  access: string
  refresh: string
  /** The refresh token that was used up for the present one, and where. */
  former: { token: string; region: Role } | undefined
  revocation: Fact | undefined
  /** The answer to a rotation was lost: the present refresh token is not known. */
  lost: boolean
  busy: boolean
}

/** Something that was asked of a region; `pending` until it has answered. */
export interface Fact {
  region: Role
  began: number
  ended: number
  outcome: 'pending' | 'done' | 'unknown'
}

/** All tokens that a person has got up to then are ended. */
export interface SignOut extends Fact {
  /** Between which moments what it ends began: it was made then, on the clock of its region, or asked for by a session that began later. */
  earliest: number
  latest: number
}

/** An e-mail address that goes from one person to another. */
export interface Address {
  name: string
  owner: Person | undefined
  /** The person whose write with this address has no known outcome yet. */
  waitsFor: Person | undefined
  busy: boolean
}

/** What has been asked for and acknowledged, of a whole pool. */
export interface Directory {
  /** By username: the person who has it now, or may have it. */
  people: Map<string, Person>
  /** Those who were deleted. */
  past: Person[]
  addresses: Address[]
  groupDescriptions: Record<Group, Register<string>>
  /** Groups and clients that come and go, by name; `id` of a client once it is known. */
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
 * Writes some registers at once: they are in doubt while the call is under way, and stay so when its outcome is unknown.
 * The registers must be free.
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
