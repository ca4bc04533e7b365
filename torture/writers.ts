import {
  AdminAddUserToGroupCommand,
  AdminConfirmSignUpCommand,
  AdminCreateUserCommand,
  AdminDeleteUserAttributesCommand,
  AdminDeleteUserCommand,
  AdminRemoveUserFromGroupCommand,
  AdminSetUserPasswordCommand,
  AdminUpdateUserAttributesCommand,
  CreateGroupCommand,
  CreateUserPoolClientCommand,
  DeleteGroupCommand,
  DeleteUserPoolClientCommand,
  SignUpCommand,
  UpdateGroupCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import type { Outcome } from './calls.ts'
import {
  type Address,
  type Change,
  change,
  createPerson,
  emailOf,
  FREE_ATTRIBUTES,
  GROUPS,
  isSettled,
  type Person,
  register,
  registersOf,
  write,
} from './directory.ts'
import { pause } from './pace.ts'
import { createRandom, type Random } from './random.ts'
import { bury, findAddress, type SettleContext, settle } from './settle.ts'

/** How often each write is tried. */
const WEIGHTS = {
  create: 10,
  signUp: 4,
  steal: 4,
  confirm: 6,
  setAttribute: 30,
  giveAddress: 10,
  dropAddress: 5,
  contestAddress: 2,
  join: 8,
  leave: 6,
  setPassword: 6,
  remove: 5,
  describeGroup: 4,
  passingGroup: 3,
  passingClient: 3,
} as const
type Write = keyof typeof WEIGHTS

const SLOTS = 24
const MOST_CLIENTS = 60
const THINKING_MILLISECONDS = 6
/** After a call that did not reach the region. */
const AWAY_MILLISECONDS = 150

/** Writes at the primary until told to end. Each writer has a stream of chances of its own. */
export async function runWriter(
  context: SettleContext,
  { seed, number, isOver }: { seed: number; number: number; isOver: () => boolean },
): Promise<void> {
  const writer = createWriter(context, createRandom(seed, `writer ${number}`), number)
  while (!isOver()) {
    const away = await writer()
    await pause(away ? AWAY_MILLISECONDS : THINKING_MILLISECONDS)
  }
}

/** Answers a function that does one write, if one can be done; it says whether the region was away. */
function createWriter(context: SettleContext, random: Random, number: number): () => Promise<boolean> {
  const { caller, directory, journal, setting } = context
  const UserPoolId = setting.pool
  let serial = 0
  const fresh = (what: string): string => `${what}-${number}-${++serial}`
  const freshPassword = (): string => `Pw-${number}-${++serial}-${random.below(1e9)}`

  const pickPerson = (fits: (person: Person) => boolean): Person | undefined => {
    const all = [...directory.people.values()].filter((person) => !person.taken && fits(person))
    return all.length === 0 ? undefined : random.pick(all)
  }
  const isThere = (person: Person): boolean => person.exists.value && isSettled(person.exists)

  /** A call that ought to be carried out; a refusal is a violation. */
  const expectDone = <O>(what: string, outcome: Outcome<O>): Outcome<O> => {
    if (outcome.kind === 'refused') journal.violation(`${what} was refused: ${outcome.name} ${outcome.message}`)
    if (outcome.kind === 'done') journal.count('acknowledged writes')
    return outcome
  }
  const isAway = (outcome: Outcome<unknown>): boolean => outcome.kind === 'unknown' || outcome.kind === 'unsent'

  /** Writes registers of a person beside other writers of the same person. */
  const shared = async <O>(
    person: Person,
    changes: readonly Change[],
    what: string,
    send: () => Promise<Outcome<O>>,
  ) => {
    person.sharers += 1
    const outcome = await write(changes, send)
    person.sharers -= 1
    return expectDone(`${what} of ${person.username}`, outcome)
  }

  const pickUsername = (): string | undefined => {
    const free = Array.from({ length: SLOTS }, (_, slot) => `user-${slot}`).filter(
      (name) => !directory.people.has(name),
    )
    return free.length === 0 ? undefined : random.pick(free)
  }

  const isFree = (address: Address): boolean => !address.busy && address.waitsFor === undefined

  /** A new person with the first write of all; `address` comes with it, from whoever has it. */
  const begin = async (
    person: Person,
    { address, send }: { address?: Address; send: () => Promise<Outcome<{ sub: string }>> },
  ): Promise<boolean> => {
    const loser = address?.owner
    directory.people.set(person.username, person)
    person.taken = true
    if (address) address.busy = true
    if (loser) loser.sharers += 1
    const changes = [
      change(person.exists, true),
      ...(address && loser ? [change(loser.email, emailOf(address.name, false))] : []),
    ]
    const outcome = expectDone(`creation of ${person.username}`, await write(changes, send))
    if (loser) loser.sharers -= 1
    if (address) {
      address.busy = false
      if (outcome.kind === 'done') address.owner = person
      if (outcome.kind === 'unknown') address.waitsFor = person
    }
    person.taken = false
    if (outcome.kind === 'done') person.sub = outcome.output.sub
    if (outcome.kind === 'refused' || outcome.kind === 'unsent') directory.people.delete(person.username)
    return isAway(outcome)
  }

  const createByAdmin = async (address: Address | undefined): Promise<boolean> => {
    const username = pickUsername()
    if (!username) return false
    const password = freshPassword()
    const name = fresh('name')
    const person = createPerson({ username, password, status: 'FORCE_CHANGE_PASSWORD', name })
    if (address) person.email.value = emailOf(address.name, true)
    return begin(person, {
      ...(address && { address }),
      send: async () => {
        const outcome = await caller.send(
          'primary',
          new AdminCreateUserCommand({
            UserPoolId,
            Username: username,
            TemporaryPassword: password,
            MessageAction: 'SUPPRESS',
            ForceAliasCreation: address !== undefined,
            UserAttributes: [
              { Name: 'name', Value: name },
              ...(address
                ? [
                    { Name: 'email', Value: address.name },
                    { Name: 'email_verified', Value: 'true' },
                  ]
                : []),
            ],
          }),
        )
        if (outcome.kind !== 'done') return outcome
        const sub = outcome.output.User?.Attributes?.find(({ Name }) => Name === 'sub')?.Value as string
        return { kind: 'done', output: { sub } }
      },
    })
  }

  const updateAttributes = (person: Person, attributes: Readonly<Record<string, string>>) =>
    caller.send(
      'primary',
      new AdminUpdateUserAttributesCommand({
        UserPoolId,
        Username: person.username,
        UserAttributes: Object.entries(attributes).map(([Name, Value]) => ({ Name, Value })),
      }),
    )

  /** Moves a person to another address, or to none; the one that the person had is free afterwards. */
  const moveAddress = async (person: Person, to: Address | undefined): Promise<boolean> => {
    const present = findAddress(directory, person.email.value)
    const from = present?.owner === person ? present : undefined
    if (from && !isFree(from)) return false
    const held = [from, to].filter((address) => address !== undefined)
    for (const address of held) address.busy = true
    const outcome = await shared(
      person,
      [change(person.email, to && emailOf(to.name, true))],
      to ? `moving ${to.name} to the user` : 'removal of the address',
      (): Promise<Outcome<unknown>> =>
        to
          ? updateAttributes(person, { email: to.name, email_verified: 'true' })
          : caller.send(
              'primary',
              new AdminDeleteUserAttributesCommand({
                UserPoolId,
                Username: person.username,
                UserAttributeNames: ['email', 'email_verified'],
              }),
            ),
    )
    for (const address of held) {
      address.busy = false
      if (outcome.kind === 'unknown') address.waitsFor = person
    }
    if (outcome.kind === 'done') {
      if (from) from.owner = undefined
      if (to) to.owner = person
    }
    return isAway(outcome)
  }

  const setMembership = async (belongs: boolean): Promise<boolean> => {
    const group = random.pick(GROUPS)
    const person = pickPerson(
      (one) => isThere(one) && isSettled(one.groups[group]) && one.groups[group].value !== belongs,
    )
    if (!person) return false
    const input = { UserPoolId, Username: person.username, GroupName: group }
    return isAway(
      await shared(
        person,
        [change(person.groups[group], belongs)],
        `${belongs ? 'joining' : 'leaving'} ${group}`,
        (): Promise<Outcome<unknown>> =>
          caller.send(
            'primary',
            belongs ? new AdminAddUserToGroupCommand(input) : new AdminRemoveUserFromGroupCommand(input),
          ),
      ),
    )
  }

  const writes: Readonly<Record<Write, () => Promise<boolean>>> = {
    create: () => createByAdmin(undefined),

    steal: async () => {
      const address = random.pick(directory.addresses)
      if (!isFree(address)) return false
      const { owner } = address
      if (owner && (owner.taken || !isThere(owner) || !isSettled(owner.email))) return false
      return createByAdmin(address)
    },

    signUp: async () => {
      const username = pickUsername()
      if (!username) return false
      const password = freshPassword()
      const name = fresh('name')
      const person = createPerson({ username, password, status: 'UNCONFIRMED', name })
      return begin(person, {
        send: async () => {
          const outcome = await caller.send(
            'primary',
            new SignUpCommand({
              ClientId: setting.client,
              Username: username,
              Password: password,
              UserAttributes: [{ Name: 'name', Value: name }],
            }),
          )
          return outcome.kind === 'done' ? { kind: 'done', output: { sub: outcome.output.UserSub as string } } : outcome
        },
      })
    },

    confirm: async () => {
      const person = pickPerson((one) => isThere(one) && isSettled(one.status) && one.status.value === 'UNCONFIRMED')
      if (!person) return false
      return isAway(
        await shared(person, [change(person.status, 'CONFIRMED')], 'confirmation', () =>
          caller.send('primary', new AdminConfirmSignUpCommand({ UserPoolId, Username: person.username })),
        ),
      )
    },

    setAttribute: async () => {
      const name = random.pick(FREE_ATTRIBUTES)
      const person = pickPerson((one) => isThere(one) && isSettled(one.attributes[name]))
      if (!person) return false
      const value = fresh(name)
      return isAway(
        await shared(person, [change(person.attributes[name], value)], `setting ${name}`, () =>
          updateAttributes(person, { [name]: value }),
        ),
      )
    },

    giveAddress: async () => {
      const address = random.pick(directory.addresses)
      const person = pickPerson((one) => isThere(one) && isSettled(one.email))
      if (!person || !isFree(address) || address.owner !== undefined) return false
      return moveAddress(person, address)
    },

    dropAddress: async () => {
      const person = pickPerson((one) => isThere(one) && isSettled(one.email) && one.email.value !== undefined)
      return person ? moveAddress(person, undefined) : false
    },

    contestAddress: async () => {
      const address = random.pick(directory.addresses)
      const { owner } = address
      const person = pickPerson((one) => one !== owner && isThere(one) && isSettled(one.email))
      if (!person || !owner || owner.taken || !isThere(owner) || !isFree(address)) return false
      address.busy = true
      person.sharers += 1
      owner.sharers += 1
      person.email.busy = true
      const outcome = await updateAttributes(person, { email: address.name, email_verified: 'true' })
      if (outcome.kind === 'done' || (outcome.kind === 'refused' && outcome.name !== 'AliasExistsException')) {
        const told = outcome.kind === 'done' ? 'done' : `${outcome.name} ${outcome.message}`
        journal.violation(`${address.name} is ${owner.username}'s, but giving it to ${person.username}: ${told}`)
      }
      person.email.busy = false
      owner.sharers -= 1
      person.sharers -= 1
      address.busy = false
      return isAway(outcome)
    },

    join: () => setMembership(true),
    leave: () => setMembership(false),

    setPassword: async () => {
      const person = pickPerson((one) => isThere(one) && isSettled(one.password) && isSettled(one.status))
      if (!person) return false
      const before = person.password.value
      const value = freshPassword()
      const outcome = await shared(
        person,
        [change(person.password, value), change(person.status, 'CONFIRMED')],
        'setting the password',
        () =>
          caller.send(
            'primary',
            new AdminSetUserPasswordCommand({
              UserPoolId,
              Username: person.username,
              Password: value,
              Permanent: true,
            }),
          ),
      )
      if (outcome.kind === 'done') person.formerPasswords.push(before)
      return isAway(outcome)
    },

    remove: async () => {
      const person = pickPerson((one) => one.sharers === 0 && registersOf(one).every(isSettled) && one.exists.value)
      if (!person) return false
      const address = findAddress(directory, person.email.value)
      if (address && !isFree(address)) return false
      person.taken = true
      if (address) address.busy = true
      const outcome = expectDone(
        `deletion of ${person.username}`,
        await write([change(person.exists, false)], () =>
          caller.send('primary', new AdminDeleteUserCommand({ UserPoolId, Username: person.username })),
        ),
      )
      if (address) address.busy = false
      if (address?.owner === person && outcome.kind === 'unknown') address.waitsFor = person
      person.taken = false
      if (outcome.kind === 'done') bury(directory, person)
      return isAway(outcome)
    },

    describeGroup: async () => {
      const group = random.pick(GROUPS)
      const description = directory.groupDescriptions[group]
      if (description.busy) return false
      const value = fresh('description')
      const kept = [...description.doubt]
      const outcome = await write([change(description, value)], () =>
        caller.send('primary', new UpdateGroupCommand({ UserPoolId, GroupName: group, Description: value })),
      )
      if (outcome.kind === 'done') description.doubt.length = 0
      else if (outcome.kind !== 'unknown') description.doubt.push(...kept)
      return isAway(expectDone(`description of ${group}`, outcome))
    },

    passingGroup: async () => {
      const [name, exists] = random.pick([...directory.passingGroups])
      if (!isSettled(exists)) return false
      const input = { UserPoolId, GroupName: name }
      const outcome = await write(
        [change(exists, !exists.value)],
        (): Promise<Outcome<unknown>> =>
          caller.send('primary', exists.value ? new DeleteGroupCommand(input) : new CreateGroupCommand(input)),
      )
      return isAway(expectDone(`group ${name}`, outcome))
    },

    passingClient: async () => {
      const there = [...directory.passingClients.values()].filter((one) => isSettled(one) && one.value && one.id)
      const leaving = random.chance(0.5) ? there[0] : undefined
      if (leaving) {
        const outcome = await write([change(leaving, false)], () =>
          caller.send('primary', new DeleteUserPoolClientCommand({ UserPoolId, ClientId: leaving.id })),
        )
        return isAway(expectDone(`deletion of client ${leaving.id}`, outcome))
      }
      if (directory.passingClients.size >= MOST_CLIENTS) return false
      const name = fresh('client')
      const coming: ReturnType<typeof register<boolean>> & { id?: string } = register(false)
      directory.passingClients.set(name, coming)
      const outcome = await write([change(coming, true)], () =>
        caller.send('primary', new CreateUserPoolClientCommand({ UserPoolId, ClientName: name })),
      )
      if (outcome.kind === 'done') coming.id = outcome.output.UserPoolClient?.ClientId as string
      return isAway(expectDone(`creation of client ${name}`, outcome))
    },
  }

  return async () => {
    const doubtful = pickPerson(
      (person) => person.sharers === 0 && registersOf(person).some(({ busy, doubt }) => !busy && doubt.length > 0),
    )
    if (doubtful && !registersOf(doubtful).some(({ busy }) => busy)) {
      doubtful.taken = true
      const answered = await settle(context, doubtful)
      doubtful.taken = false
      return !answered
    }
    return writes[random.weighted(WEIGHTS)]()
  }
}
