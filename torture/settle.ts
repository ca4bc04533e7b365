import {
  AdminGetUserCommand,
  AdminListGroupsForUserCommand,
  type AttributeType,
  InitiateAuthCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import type { Caller, Outcome } from './calls.ts'
import {
  addressOf,
  type Directory,
  emailOf,
  FREE_ATTRIBUTES,
  GROUPS,
  isSettled,
  type Person,
  type Register,
  registersOf,
  type Status,
} from './directory.ts'
import type { Disturbances } from './disturbances.ts'
import type { Journal } from './journal.ts'
import type { Setting } from './setting.ts'

export interface SettleContext {
  caller: Caller
  directory: Directory
  disturbances: Disturbances
  journal: Journal
  setting: Setting
}

/** A user as a region returns it. */
export interface Seen {
  username: string
  sub: string
  status: string
  attributes: Readonly<Record<string, string>>
}

export const seenOf = (user: {
  Username?: string
  UserStatus?: string
  UserAttributes?: AttributeType[]
  Attributes?: AttributeType[]
}): Seen => {
  const attributes = Object.fromEntries(
    (user.UserAttributes ?? user.Attributes ?? []).map(({ Name, Value }) => [Name as string, Value as string]),
  )
  return {
    username: user.Username as string,
    sub: attributes.sub as string,
    status: user.UserStatus as string,
    attributes,
  }
}

export const emailIn = ({ attributes: { email, email_verified } }: Seen): string | undefined =>
  email === undefined ? undefined : emailOf(email, email_verified === 'true')

/**
 * Reads a person at the primary, to find the outcome of writes without a response, and compares the rest with the acknowledged
 * values. The caller has the person exclusively. Returns false when the primary was unreachable, or is about to lose what it returned.
 */
export async function settle(context: SettleContext, person: Person): Promise<boolean> {
  const { caller, directory, disturbances, journal, setting } = context
  const { pool } = setting
  const began = Date.now()
  const found = await caller.send('primary', new AdminGetUserCommand({ UserPoolId: pool, Username: person.username }))
  if (found.kind === 'unknown' || found.kind === 'unsent' || disturbances.isDoubtful('primary', began)) return false
  const label = `user ${person.username} (${person.sub ?? 'of unknown sub'})`
  const present = found.kind === 'done'
  if (!present && found.name !== 'UserNotFoundException') {
    journal.violation(`${label}: AdminGetUser at the primary was refused: ${found.name} ${found.message}`)
    return false
  }
  const decide = <T>(register: Register<T>, seen: T, what: string): void => {
    if (seen !== register.value && !register.doubt.includes(seen)) {
      const doubt = register.doubt.length > 0 ? ` or ${JSON.stringify(register.doubt)}` : ''
      journal.violation(
        `${label}: ${what} is ${JSON.stringify(seen)} at the primary; acknowledged: ${JSON.stringify(register.value)}${doubt}`,
      )
    }
    register.value = seen
    register.doubt.length = 0
    register.version += 1
  }
  decide(person.exists, present, 'existence')
  if (present) {
    const seen = seenOf(found.output)
    if (person.sub !== undefined && seen.sub !== person.sub) journal.violation(`${label} has another sub: ${seen.sub}`)
    person.sub = seen.sub
    for (const name of FREE_ATTRIBUTES) decide(person.attributes[name], seen.attributes[name], name)
    decide(person.email, emailIn(seen), 'email')
    const passwordInDoubt = !isSettled(person.password)
    decide(person.status, seen.status as Status, 'status')
    if (passwordInDoubt && !(await settlePassword(context, person, label))) return false
    if (GROUPS.some((group) => !isSettled(person.groups[group]))) {
      const listed = await caller.send(
        'primary',
        new AdminListGroupsForUserCommand({ UserPoolId: pool, Username: person.username }),
      )
      if (listed.kind !== 'done' || disturbances.isDoubtful('primary', began)) return false
      const names = new Set(listed.output.Groups?.map(({ GroupName }) => GroupName))
      for (const group of GROUPS) decide(person.groups[group], names.has(group), `membership of ${group}`)
    }
  } else for (const register of registersOf(person)) register.doubt.length = 0
  for (const address of directory.addresses) {
    if (address.waitsFor !== person) continue
    address.waitsFor = undefined
    if (present && person.email.value === emailOf(address.name, true)) address.owner = person
    else if (address.owner === person) address.owner = undefined
  }
  if (!present) bury(directory, person)
  return true
}

/** Records that a person was deleted; the address is free again. */
export function bury(directory: Directory, person: Person): void {
  for (const address of directory.addresses) if (address.owner === person) address.owner = undefined
  if (directory.people.get(person.username) === person) directory.people.delete(person.username)
  if (person.sub !== undefined) directory.past.push(person)
}

/** Whether the password was accepted, even if the sign-in failed for another reason. */
export function isRight(outcome: Outcome<unknown>): boolean {
  return outcome.kind === 'done' || (outcome.kind === 'refused' && outcome.name === 'UserNotConfirmedException')
}

async function settlePassword(
  { caller, disturbances, journal, setting }: SettleContext,
  { username, password }: Person,
  label: string,
): Promise<boolean> {
  for (const candidate of [...password.doubt, password.value]) {
    const began = Date.now()
    const outcome = await caller.send(
      'primary',
      new InitiateAuthCommand({
        ClientId: setting.client,
        AuthFlow: 'USER_PASSWORD_AUTH',
        AuthParameters: { USERNAME: username, PASSWORD: candidate },
      }),
    )
    if (outcome.kind === 'unknown' || outcome.kind === 'unsent' || disturbances.isDoubtful('primary', began))
      return false
    if (outcome.kind === 'refused' && outcome.message === 'Password attempts exceeded') return false
    if (!isRight(outcome)) {
      // Not tried again: each wrong password makes the lockout longer.
      password.doubt = password.doubt.filter((other) => other !== candidate)
      continue
    }
    password.value = candidate
    password.doubt.length = 0
    password.version += 1
    return true
  }
  journal.violation(`${label}: neither the last password nor the one before it is accepted at the primary`)
  password.doubt.length = 0
  return true
}

/** The moving address in a value of the email register, if there is one. */
export const findAddress = ({ addresses }: Directory, email: string | undefined) =>
  addresses.find(({ name }) => name === addressOf(email))
