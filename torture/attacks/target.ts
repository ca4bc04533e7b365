import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser } from '@twinpool/testing/pools'
import { type ServedRegion, serveRegion } from '@twinpool/testing/served-region'

/** A region under attack: a process of its own, with the default limits and an inbox that counts messages. */
export interface Target {
  region: ServedRegion
  pool: string
  client: string
  /** The access token of a user whom nobody attacks. */
  token: string
  /** The access token of a user who attacks. */
  attacker: string
  /** Messages sent so far, by destination. */
  readonly messages: ReadonlyMap<string, number>
  stop(): Promise<void>
}

/** `program`: `main.ts` of another build. */
export async function openTarget(options: { program?: string | undefined; openFiles?: number }): Promise<Target> {
  const messages = new Map<string, number>()
  const inbox = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const { to } = JSON.parse(text) as { to: string }
    messages.set(to, (messages.get(to) ?? 0) + 1)
    response.end()
  })
  await new Promise<void>((resolve) => inbox.listen(0, '127.0.0.1', resolve))
  const region = await serveRegion({
    ...options,
    config: { messages: { kind: 'inbox', url: `http://127.0.0.1:${(inbox.address() as AddressInfo).port}/` } },
  })
  const pool = await createPool(region, { AutoVerifiedAttributes: ['email'] })
  const { id: client } = await createClient(region, pool, { PreventUserExistenceErrors: 'ENABLED' })
  const tokenOf = async (username: string): Promise<string> => {
    await createUser(region, pool, { username })
    return (await people(region).signIn({ id: client }, { username })).AccessToken
  }
  return {
    region,
    pool,
    client,
    token: await tokenOf('ada'),
    attacker: await tokenOf('mallory'),
    messages,
    stop: async () => {
      await region.stop()
      inbox.close()
    },
  }
}
