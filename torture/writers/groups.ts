import {
  AdminAddUserToGroupCommand,
  AdminRemoveUserFromGroupCommand,
  CreateGroupCommand,
  DeleteGroupCommand,
  GetGroupCommand,
  UpdateGroupCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import type { Outcome } from '../calls.ts'
import { change, GROUPS, isSettled, write } from '../directory.ts'
import { isAway, isPresent, type Write, type Writer } from './writer.ts'

export const join: Write = (writer) => setMembership(writer, true)
export const leave: Write = (writer) => setMembership(writer, false)

async function setMembership(writer: Writer, belongs: boolean): Promise<boolean> {
  const group = writer.random.pick(GROUPS)
  const person = writer.pickPerson(
    (one) => isPresent(one) && isSettled(one.groups[group]) && one.groups[group].value !== belongs,
  )
  if (!person) return false
  const input = { UserPoolId: writer.setting.pool, Username: person.username, GroupName: group }
  const outcome = await writer.writeShared(person, {
    changes: [change(person.groups[group], belongs)],
    what: `${belongs ? 'joining' : 'leaving'} ${group}`,
    send: (): Promise<Outcome<unknown>> =>
      writer.send(belongs ? new AdminAddUserToGroupCommand(input) : new AdminRemoveUserFromGroupCommand(input)),
  })
  return isAway(outcome)
}

export const describeGroup: Write = async ({ directory, expectDone, fresh, random, send, setting }) => {
  const group = random.pick(GROUPS)
  const description = directory.groupDescriptions[group]
  if (description.busy) return false
  const value = fresh('description')
  const kept = [...description.doubt]
  const input = { UserPoolId: setting.pool, GroupName: group, Description: value }
  const outcome = await write([change(description, value)], () => send(new UpdateGroupCommand(input)))
  if (outcome.kind === 'done') description.doubt.length = 0
  else if (outcome.kind !== 'unknown') description.doubt.push(...kept)
  return isAway(expectDone(`description of ${group}`, outcome))
}

/** Creates a group that does not exist, or deletes one that does; if neither is known, reads it. */
export const toggleGroup: Write = async ({ directory, expectDone, random, read, send, setting }) => {
  const [name, exists] = random.pick([...directory.passingGroups])
  const input = { UserPoolId: setting.pool, GroupName: name }
  if (exists.busy) return false
  if (exists.doubt.length > 0) {
    exists.busy = true
    const found = await read(new GetGroupCommand(input))
    exists.busy = false
    if (isAway(found)) return true
    Object.assign(exists, { value: found.kind === 'done', doubt: [] })
    return false
  }
  const outcome = await write(
    [change(exists, !exists.value)],
    (): Promise<Outcome<unknown>> => send(exists.value ? new DeleteGroupCommand(input) : new CreateGroupCommand(input)),
  )
  return isAway(expectDone(`group ${name}`, outcome))
}
