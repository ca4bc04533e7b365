import {
  AdminConfirmSignUpCommand,
  AdminDeleteUserCommand,
  AdminSetUserPasswordCommand,
  AdminUpdateUserAttributesCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { change, FREE_ATTRIBUTES, isSettled, type Person, registersOf, write } from '../directory.ts'
import { bury, findAddress } from '../settle.ts'
import { isAway, isFree, isPresent, type Write, type Writer } from './writer.ts'

export const confirm: Write = async (writer) => {
  const person = writer.pickPerson(
    (one) => isPresent(one) && isSettled(one.status) && one.status.value === 'UNCONFIRMED',
  )
  if (!person) return false
  const input = { UserPoolId: writer.setting.pool, Username: person.username }
  const outcome = await writer.writeShared(person, {
    changes: [change(person.status, 'CONFIRMED')],
    what: 'confirmation',
    send: () => writer.send(new AdminConfirmSignUpCommand(input)),
  })
  return isAway(outcome)
}

export const setAttribute: Write = async (writer) => {
  const name = writer.random.pick(FREE_ATTRIBUTES)
  const person = writer.pickPerson((one) => isPresent(one) && isSettled(one.attributes[name]))
  if (!person) return false
  const value = writer.fresh(name)
  const outcome = await writer.writeShared(person, {
    changes: [change(person.attributes[name], value)],
    what: `setting ${name}`,
    send: () => updateAttributes(writer, person, { [name]: value }),
  })
  return isAway(outcome)
}

export const updateAttributes = (
  { send, setting }: Writer,
  { username }: Person,
  attributes: Readonly<Record<string, string>>,
) =>
  send(
    new AdminUpdateUserAttributesCommand({
      UserPoolId: setting.pool,
      Username: username,
      UserAttributes: Object.entries(attributes).map(([Name, Value]) => ({ Name, Value })),
    }),
  )

export const setPassword: Write = async (writer) => {
  const person = writer.pickPerson((one) => isPresent(one) && isSettled(one.password) && isSettled(one.status))
  if (!person) return false
  const former = person.password.value
  const value = writer.freshPassword()
  const input = { UserPoolId: writer.setting.pool, Username: person.username, Password: value, Permanent: true }
  const outcome = await writer.writeShared(person, {
    changes: [change(person.password, value), change(person.status, 'CONFIRMED')],
    what: 'setting the password',
    send: () => writer.send(new AdminSetUserPasswordCommand(input)),
  })
  if (outcome.kind === 'done') person.formerPasswords.push(former)
  return isAway(outcome)
}

export const deleteUser: Write = async (writer) => {
  const { directory, setting } = writer
  const person = writer.pickPerson((one) => one.sharers === 0 && registersOf(one).every(isSettled) && one.exists.value)
  if (!person) return false
  const address = findAddress(directory, person.email.value)
  if (address && !isFree(address)) return false
  person.taken = true
  if (address) address.busy = true
  const input = { UserPoolId: setting.pool, Username: person.username }
  const outcome = writer.expectDone(
    `deletion of ${person.username}`,
    await write([change(person.exists, false)], () => writer.send(new AdminDeleteUserCommand(input))),
  )
  if (address) address.busy = false
  if (address?.owner === person && outcome.kind === 'unknown') address.waitsFor = person
  person.taken = false
  if (outcome.kind === 'done') bury(directory, person)
  return isAway(outcome)
}
