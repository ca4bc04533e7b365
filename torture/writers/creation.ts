import { AdminCreateUserCommand, SignUpCommand } from '@aws-sdk/client-cognito-identity-provider'
import type { Outcome } from '../calls.ts'
import { type Address, change, createPerson, emailOf, isSettled, type Person, write } from '../directory.ts'
import { isAway, isFree, isPresent, type Write, type Writer } from './writer.ts'

export const createUser: Write = (writer) => createByAdmin(writer, undefined)

/** Creates a user with an address that another user may have, and takes it from that user (ForceAliasCreation). */
export const createWithTakenAddress: Write = async (writer) => {
  const address = writer.random.pick(writer.directory.addresses)
  if (!isFree(address)) return false
  const { owner } = address
  if (owner && (owner.taken || !isPresent(owner) || !isSettled(owner.email))) return false
  return createByAdmin(writer, address)
}

export const signUp: Write = async (writer) => {
  const username = writer.pickUsername()
  if (!username) return false
  const password = writer.freshPassword()
  const name = writer.fresh('name')
  return begin(writer, createPerson({ username, password, status: 'UNCONFIRMED', name }), {
    send: async () => {
      const outcome = await writer.send(
        new SignUpCommand({
          ClientId: writer.setting.client,
          Username: username,
          Password: password,
          UserAttributes: [{ Name: 'name', Value: name }],
        }),
      )
      return outcome.kind === 'done' ? { kind: 'done', output: { sub: outcome.output.UserSub as string } } : outcome
    },
  })
}

async function createByAdmin(writer: Writer, address: Address | undefined): Promise<boolean> {
  const username = writer.pickUsername()
  if (!username) return false
  const password = writer.freshPassword()
  const name = writer.fresh('name')
  const person = createPerson({ username, password, status: 'FORCE_CHANGE_PASSWORD', name })
  if (address) person.email.value = emailOf(address.name, true)
  const email = address && [
    { Name: 'email', Value: address.name },
    { Name: 'email_verified', Value: 'true' },
  ]
  return begin(writer, person, {
    ...(address && { address }),
    send: async () => {
      const outcome = await writer.send(
        new AdminCreateUserCommand({
          UserPoolId: writer.setting.pool,
          Username: username,
          TemporaryPassword: password,
          MessageAction: 'SUPPRESS',
          ForceAliasCreation: address !== undefined,
          UserAttributes: [{ Name: 'name', Value: name }, ...(email ?? [])],
        }),
      )
      if (outcome.kind !== 'done') return outcome
      const sub = outcome.output.User?.Attributes?.find(({ Name }) => Name === 'sub')?.Value as string
      return { kind: 'done', output: { sub } }
    },
  })
}

/** The first write of a new person. With `address`, the present owner of that address loses it. */
async function begin(
  { directory, expectDone }: Writer,
  person: Person,
  { address, send }: { address?: Address; send: () => Promise<Outcome<{ sub: string }>> },
): Promise<boolean> {
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
