import {
  AdminGetUserCommand,
  GetGroupCommand,
  GetTokensFromRefreshTokenCommand,
  GetUserCommand,
  InitiateAuthCommand,
  ListUserPoolClientsCommand,
  ListUsersCommand,
  ListUsersInGroupCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { srpSignIn } from '@twinpool/testing/srp'
import type { Arena } from './arena.ts'
import type { Outcome } from './calls.ts'
import {
  emailOf,
  FREE_ATTRIBUTES,
  GROUPS,
  isSettled,
  type Person,
  registersOf,
  type SessionModel,
} from './directory.ts'
import { pause } from './pace.ts'
import { ROLES, type Role } from './schedule.ts'
import { stateOf } from './sessions.ts'
import { emailIn, isRight, type Seen, type SettleContext, seenOf, settle } from './settle.ts'

const CONVERGENCE_MILLISECONDS = 90_000
/** A lockout may still last: wrong passwords may have been tried just before, under a clock that was ahead. */
const LOCKOUT_MILLISECONDS = 60_000
const MOST_SESSIONS = 600
const MOST_PASSWORDS = 12

/** Waits until both regions hold the same directory. Returns the milliseconds it took; undefined, and a violation, if they never do. */
export async function awaitEqual(
  { clients }: Arena,
  { journal, setting: { pool } }: SettleContext,
): Promise<number | undefined> {
  const began = Date.now()
  const ask = (region: Role) =>
    Promise.all([
      clients[region].ask<{ Checksum: string; Rows: object }>('GetDirectoryChecksum', { UserPoolId: pool }),
      clients[region].ask<{ Copies: object[]; Peers: object[] }>('GetReplicationStatus', {}),
    ])
  for (;;) {
    const [[one, first], [two, second]] = await Promise.all([ask('primary'), ask('secondary')])
    const resting = first.Copies.length === 0 && second.Copies.length === 0
    if (resting && one.Checksum === two.Checksum) return Date.now() - began
    if (Date.now() - began > CONVERGENCE_MILLISECONDS) {
      const state = JSON.stringify({ rows: [one.Rows, two.Rows], first, second })
      journal.violation(`the directories still differ ${CONVERGENCE_MILLISECONDS} ms after the last fault: ${state}`)
      return undefined
    }
    await pause(100)
  }
}

/** Determines the outcome of all writes without a response. */
export async function settleAll(context: SettleContext): Promise<void> {
  for (const person of [...context.directory.people.values()]) {
    if (registersOf(person).every(isSettled)) continue
    const until = Date.now() + LOCKOUT_MILLISECONDS
    while (!(await settle(context, person))) {
      if (Date.now() > until) {
        context.journal.violation(`${person.username} cannot be read at the primary`)
        break
      }
      await pause(250)
    }
  }
}

/** Compares both regions, at rest, with all acknowledged values. */
export async function judge(context: SettleContext): Promise<void> {
  for (const region of ROLES) {
    await judgeUsers(context, region)
    await judgeAddresses(context, region)
    await judgeGroupsAndClients(context, region)
    await judgePasswords(context, region)
  }
  await judgeSessions(context)
}

async function judgeUsers(
  { caller, directory, journal, setting: { pool } }: SettleContext,
  region: Role,
): Promise<void> {
  const seen = new Map<string, Seen>()
  let PaginationToken: string | undefined
  do {
    const page = await caller.send(region, new ListUsersCommand({ UserPoolId: pool, PaginationToken }))
    if (page.kind !== 'done') return journal.violation(`ListUsers at the ${region}: ${JSON.stringify(page)}`)
    for (const user of page.output.Users ?? []) seen.set(user.Username as string, seenOf(user))
    PaginationToken = page.output.PaginationToken
  } while (PaginationToken)

  for (const person of directory.people.values()) {
    const found = seen.get(person.username)
    seen.delete(person.username)
    const label = `user ${person.username} (${person.sub})`
    if (!found) {
      journal.violation(`${label} is missing in the ${region}`)
      continue
    }
    const check = (what: string, is: unknown, wanted: unknown): void => {
      if (is !== wanted) {
        journal.violation(
          `${label}: ${what} is ${JSON.stringify(is)} in the ${region}; acknowledged: ${JSON.stringify(wanted)}`,
        )
      }
    }
    check('sub', found.sub, person.sub)
    check('status', found.status, person.status.value)
    check('email', emailIn(found), person.email.value)
    for (const name of FREE_ATTRIBUTES) check(name, found.attributes[name], person.attributes[name].value)
    journal.count('users compared')
  }
  for (const { username, sub } of seen.values()) {
    journal.violation(`user ${username} (${sub}) is in the ${region}, but was never created or was deleted`)
  }
  for (const { username, sub } of directory.past) {
    const outcome = await caller.send(region, new AdminGetUserCommand({ UserPoolId: pool, Username: sub }))
    if (outcome.kind !== 'refused' || outcome.name !== 'UserNotFoundException') {
      journal.violation(`user ${username} (${sub}) was deleted; the ${region}: ${JSON.stringify(outcome)}`)
    }
    journal.count('deletions compared')
  }
}

async function judgeAddresses(
  { caller, directory, journal, setting: { pool } }: SettleContext,
  region: Role,
): Promise<void> {
  for (const { name } of directory.addresses) {
    const owners = [...directory.people.values()].filter(({ email }) => email.value === emailOf(name, true))
    const wanted = owners.map(({ username }) => username).join(' and ') || 'nobody'
    const outcome = await caller.send(region, new AdminGetUserCommand({ UserPoolId: pool, Username: name }))
    const is =
      outcome.kind === 'done'
        ? outcome.output.Username
        : outcome.kind === 'refused' && outcome.name === 'UserNotFoundException'
          ? 'nobody'
          : JSON.stringify(outcome)
    if (is !== wanted) journal.violation(`${name} belongs to ${is} in the ${region}; acknowledged: ${wanted}`)
  }
}

async function judgeGroupsAndClients(
  { caller, directory, journal, setting: { pool } }: SettleContext,
  region: Role,
): Promise<void> {
  for (const group of GROUPS) {
    const members = await caller.send(
      region,
      new ListUsersInGroupCommand({ UserPoolId: pool, GroupName: group, Limit: 60 }),
    )
    const is = members.kind === 'done' ? names(members.output.Users?.map(({ Username }) => Username)) : members.kind
    const wanted = names(
      [...directory.people.values()].filter((one) => one.groups[group].value).map((one) => one.username),
    )
    if (is !== wanted) journal.violation(`group ${group} has ${is} in the ${region}; acknowledged: ${wanted}`)
    const found = await caller.send(region, new GetGroupCommand({ UserPoolId: pool, GroupName: group }))
    const description = found.kind === 'done' ? (found.output.Group?.Description ?? '') : found.kind
    const { value, doubt } = directory.groupDescriptions[group]
    if (description !== value && !doubt.includes(description)) {
      journal.violation(`group ${group} is described as ${description} in the ${region}; acknowledged: ${value}`)
    }
  }
  for (const [name, exists] of directory.passingGroups) {
    const found = await caller.send(region, new GetGroupCommand({ UserPoolId: pool, GroupName: name }))
    const is = found.kind === 'done'
    if (is !== exists.value && !exists.doubt.includes(is)) {
      journal.violation(`group ${name} ${is ? 'is' : 'is not'} in the ${region}; acknowledged: the opposite`)
    }
  }
  const there = new Map<string, string>()
  let NextToken: string | undefined
  do {
    const page = await caller.send(
      region,
      new ListUserPoolClientsCommand({ UserPoolId: pool, MaxResults: 60, NextToken }),
    )
    if (page.kind !== 'done') return journal.violation(`ListUserPoolClients at the ${region}: ${JSON.stringify(page)}`)
    for (const { ClientName, ClientId } of page.output.UserPoolClients ?? []) {
      there.set(ClientName as string, ClientId as string)
    }
    NextToken = page.output.NextToken
  } while (NextToken)
  for (const [name, { id, value, doubt }] of directory.passingClients) {
    const found = there.get(name)
    const is = found !== undefined
    if (is !== value && !doubt.includes(is)) {
      journal.violation(`client ${name} ${is ? 'is' : 'is not'} in the ${region}; acknowledged: the opposite`)
    }
    if (is && id !== undefined && found !== id)
      journal.violation(`client ${name} has another id in the ${region}: ${found}`)
    there.delete(name)
  }
  for (const name of there.keys()) {
    if (name !== 'keeps' && name !== 'rotates')
      journal.violation(`client ${name} is in the ${region}, but was never created`)
  }
}

const names = (list: readonly (string | undefined)[] | undefined): string =>
  [...(list ?? [])].sort().join(', ') || 'nobody'

/** Both regions accept the last acknowledged password, and refuse the previous one. */
async function judgePasswords(context: SettleContext, region: Role): Promise<void> {
  const { caller, directory, journal, setting } = context
  const attempt = async (person: Person, password: string, how: 'password' | 'srp'): Promise<Outcome<unknown>> => {
    for (;;) {
      const outcome = await caller.attempt(region, `sign-in by ${how}`, (cognito) =>
        how === 'srp'
          ? srpSignIn({
              cognito: cognito[region],
              ...{ pool: setting.pool, client: setting.client, username: person.username, password },
            })
          : cognito[region].send(
              new InitiateAuthCommand({
                ClientId: setting.client,
                AuthFlow: 'USER_PASSWORD_AUTH',
                AuthParameters: { USERNAME: person.username, PASSWORD: password },
              }),
            ),
      )
      if (outcome.kind !== 'refused' || outcome.message !== 'Password attempts exceeded') return outcome
      await pause(250)
    }
  }
  const people = [...directory.people.values()]
  for (const [at, person] of people.entries()) {
    const how = at % 3 === 0 ? 'srp' : 'password'
    const former = person.formerPasswords.at(-1)
    if (former !== undefined && at < MOST_PASSWORDS && isRight(await attempt(person, former, how))) {
      journal.violation(`the former password of ${person.username} is accepted in the ${region}`)
    }
    const outcome = await attempt(person, person.password.value, how)
    if (!isRight(outcome)) {
      journal.violation(
        `the password of ${person.username}, ${person.status.value}, is refused in the ${region} by ${how}: ${JSON.stringify(outcome)}`,
      )
    }
    journal.count('passwords compared')
  }
}

/** Both regions refuse ended tokens and accept all others; where both results are allowed, the regions agree. */
async function judgeSessions({ caller, directory, journal, setting }: SettleContext): Promise<void> {
  const all = [...directory.people.values(), ...directory.past].flatMap(({ sessions }) => sessions)
  const step = Math.max(1, all.length / MOST_SESSIONS)
  for (let at = 0; at < all.length; at += step) {
    const session = all[Math.floor(at)] as SessionModel
    const state = stateOf(session)
    const results: Record<string, string> = {}
    for (const region of ROLES) {
      results[`GetUser in the ${region}`] = resultOf(
        await caller.send(region, new GetUserCommand({ AccessToken: session.access })),
      )
      if (session.rotates) continue
      results[`refresh in the ${region}`] = resultOf(
        await caller.send(
          region,
          new InitiateAuthCommand({
            ClientId: setting.client,
            AuthFlow: 'REFRESH_TOKEN_AUTH',
            AuthParameters: { REFRESH_TOKEN: session.refresh },
          }),
        ),
      )
    }
    if (session.rotates && state === 'live' && !session.lost) {
      results['rotation in the secondary'] = resultOf(
        await caller.send(
          'secondary',
          new GetTokensFromRefreshTokenCommand({ ClientId: setting.rotatingClient, RefreshToken: session.refresh }),
        ),
      )
    }
    journal.count(`sessions ${state}`)
    const accepted = Object.values(results).filter((result) => result === 'accepted').length
    const total = Object.keys(results).length
    const wrong =
      state === 'live' ? accepted !== total : state === 'ended' ? accepted !== 0 : accepted !== 0 && accepted !== total
    if (wrong) {
      const { person, region, origin } = session
      const history = JSON.stringify({
        signOuts: person.signOuts,
        revocation: session.revocation,
        session: { began: session.began, ended: session.ended, origin },
      })
      journal.violation(
        `a session of ${person.username} (${person.sub}), begun in the ${region}, is ${state}, but ${JSON.stringify(results)}; ${history}`,
      )
    }
  }
}

function resultOf(outcome: Outcome<unknown>): string {
  if (outcome.kind === 'done') return 'accepted'
  return outcome.kind === 'refused' ? `${outcome.name}: ${outcome.message}` : outcome.kind
}
