import { CreateUserPoolClientCommand, DeleteUserPoolClientCommand } from '@aws-sdk/client-cognito-identity-provider'
import { change, type Directory, isSettled, register, write } from '../directory.ts'
import { isAway, type Write, type Writer } from './writer.ts'

type AppClient = Directory['passingClients'] extends Map<string, infer Client> ? Client : never

const MOST_CLIENTS = 60

/** Deletes an app client of an earlier call, or creates one. */
export const toggleClient: Write = async (writer) => {
  const { directory, random } = writer
  const present = [...directory.passingClients.values()].filter((one) => isSettled(one) && one.value && one.id)
  const leaving = random.chance(0.5) ? present[0] : undefined
  if (leaving) return deleteClient(writer, leaving)
  return directory.passingClients.size < MOST_CLIENTS ? createClient(writer) : false
}

async function deleteClient({ expectDone, send, setting }: Writer, client: AppClient): Promise<boolean> {
  const input = { UserPoolId: setting.pool, ClientId: client.id }
  const outcome = await write([change(client, false)], () => send(new DeleteUserPoolClientCommand(input)))
  return isAway(expectDone(`deletion of client ${client.id}`, outcome))
}

async function createClient({ directory, expectDone, fresh, send, setting }: Writer): Promise<boolean> {
  const name = fresh('client')
  const client: AppClient = register(false)
  directory.passingClients.set(name, client)
  const input = { UserPoolId: setting.pool, ClientName: name }
  const outcome = await write([change(client, true)], () => send(new CreateUserPoolClientCommand(input)))
  if (outcome.kind === 'done') client.id = outcome.output.UserPoolClient?.ClientId as string
  return isAway(expectDone(`creation of client ${name}`, outcome))
}
