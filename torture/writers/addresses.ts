import { AdminDeleteUserAttributesCommand } from '@aws-sdk/client-cognito-identity-provider'
import type { Outcome } from '../calls.ts'
import { type Address, change, emailOf, isSettled, type Person } from '../directory.ts'
import { findAddress } from '../settle.ts'
import { updateAttributes } from './users.ts'
import { isAway, isFree, isPresent, type Write, type Writer } from './writer.ts'

/** Gives a person an unused address. */
export const giveAddress: Write = async (writer) => {
  const address = writer.random.pick(writer.directory.addresses)
  const person = writer.pickPerson((one) => isPresent(one) && isSettled(one.email))
  if (!person || !isFree(address) || address.owner !== undefined) return false
  return moveAddress(writer, person, address)
}

export const dropAddress: Write = async (writer) => {
  const person = writer.pickPerson((one) => isPresent(one) && isSettled(one.email) && one.email.value !== undefined)
  return person ? moveAddress(writer, person, undefined) : false
}

/** Gives a person an address that another person has, who keeps it unverified: an administrator takes it over. */
export const takeAddress: Write = async (writer) => {
  const address = writer.random.pick(writer.directory.addresses)
  const { owner } = address
  if (!owner || owner.taken || !isPresent(owner) || !isSettled(owner.email) || !isFree(address)) return false
  const person = writer.pickPerson((one) => one !== owner && isPresent(one) && isSettled(one.email))
  return person ? moveAddress(writer, person, address) : false
}

/** Moves a person to another address, of which the present owner keeps the unverified value, or to none; the previous one is free afterwards. */
async function moveAddress(writer: Writer, person: Person, to: Address | undefined): Promise<boolean> {
  const present = findAddress(writer.directory, person.email.value)
  const from = present?.owner === person ? present : undefined
  if (from && !isFree(from)) return false
  const held = [from, to].filter((address) => address !== undefined)
  const loser = to?.owner
  if (loser) loser.sharers += 1
  for (const address of held) address.busy = true
  const input = {
    UserPoolId: writer.setting.pool,
    Username: person.username,
    UserAttributeNames: ['email', 'email_verified'],
  }
  const outcome = await writer.writeShared(person, {
    changes: [
      change(person.email, to && emailOf(to.name, true)),
      ...(to && loser ? [change(loser.email, emailOf(to.name, false))] : []),
    ],
    what: to ? `moving ${to.name} to the user` : 'removal of the address',
    send: (): Promise<Outcome<unknown>> =>
      to
        ? updateAttributes(writer, person, { email: to.name, email_verified: 'true' })
        : writer.send(new AdminDeleteUserAttributesCommand(input)),
  })
  if (loser) loser.sharers -= 1
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
