import type { Socket } from 'node:net'
import { COGNITO, headersOf, JSON_1_1, type Reply, send, sign } from '@twinpool/testing/calls'
import { headOf, openConnections } from '@twinpool/testing/raw-connections'
import type { Target } from './target.ts'

/** An attack by a caller without credentials. Returns what became of it, in a few words. */
export interface Attack {
  name: string
  /** The open-file limit of the region's process. */
  openFiles?: number
  run(target: Target): Promise<string>
}

const MEGABYTE = 1024 * 1024
const tally = (replies: readonly Reply[]): string => {
  const counts = new Map<string, number>()
  for (const { status, text } of replies) {
    const name = status === 200 ? 'ok' : ((/"__type":"(\w+)"/.exec(text)?.[1] as string) ?? String(status))
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return [...counts].map(([name, count]) => `${count} ${name}`).join(', ')
}

/** Sends calls, some at a time; a call without a response counts as status 0. */
async function flood(
  target: Target,
  bodies: readonly { operation: string; body: string }[],
  atOnce: number,
): Promise<Reply[]> {
  const replies: Reply[] = []
  const left = [...bodies]
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) {
      const call = { headers: headersOf(next.operation), body: next.body, deadline: 60_000 }
      replies.push(await send(target.region.endpoint, call).catch(() => ({ status: 0, headers: {}, text: '' })))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return replies
}

/** Keeps the connections for the seconds, then closes them. */
async function hold(sockets: readonly Socket[], seconds: number, { read = true } = {}): Promise<string> {
  // A socket that does not read does not notice that it was closed.
  if (read) for (const socket of sockets) socket.resume()
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
  const closed = sockets.filter((socket) => socket.closed || socket.destroyed || socket.readyState === 'closed').length
  for (const socket of sockets) socket.destroy()
  return `${sockets.length} connections, ${closed} closed by the region`
}

const repeat = (count: number, call: (at: number) => { operation: string; input: object }) =>
  Array.from({ length: count }, (_, at) => {
    const { operation, input } = call(at)
    return { operation, body: JSON.stringify(input) }
  })

const signIn = ({ client }: Target, USERNAME: string) => ({
  operation: 'InitiateAuth',
  input: {
    ClientId: client,
    AuthFlow: 'USER_PASSWORD_AUTH',
    AuthParameters: { USERNAME, PASSWORD: 'Wrong-Horse-7' },
  },
})

/** The time of a test of stalled connections. */
const HELD_SECONDS = 10

export const attacks: readonly Attack[] = [
  {
    name: 'none (the figures of the machine)',
    run: () => hold([], HELD_SECONDS),
  },
  {
    name: 'tokens with a tail of 1 MB, 400 spellings',
    run: async (target) =>
      tally(
        await flood(
          target,
          repeat(400, (at) => ({
            operation: 'GetUser',
            input: { AccessToken: `${target.attacker}${'='.repeat(MEGABYTE + at)}` },
          })),
          8,
        ),
      ),
  },
  {
    name: '8 bodies of 4 MB of brackets',
    run: async (target) =>
      tally(
        await flood(
          target,
          Array.from({ length: 8 }, () => ({ operation: 'SignUp', body: '['.repeat(4 * MEGABYTE - 1) })),
          8,
        ),
      ),
  },
  {
    name: '8 sign-ups with 100,000 attributes',
    run: async (target) => {
      const UserAttributes = Array.from({ length: 100_000 }, () => ({}))
      const input = { ClientId: target.client, Username: 'x', Password: 'Correct-Horse-7', UserAttributes }
      const replies = await flood(
        target,
        repeat(8, () => ({ operation: 'SignUp', input })),
        8,
      )
      return `${tally(replies)}; at most ${Math.max(...replies.map(({ text }) => text.length))} characters in a response`
    },
  },
  {
    name: '8 deep documents (CompleteWebAuthnRegistration)',
    run: async (target) => {
      const depth = 250_000
      const body = `{"AccessToken":"a","Credential":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`
      return tally(
        await flood(
          target,
          Array.from({ length: 8 }, () => ({ operation: 'CompleteWebAuthnRegistration', body })),
          8,
        ),
      )
    },
  },
  ...(
    [
      ['SignUp', 4 * MEGABYTE],
      ['SignUp', MEGABYTE / 4],
      ['CreateManagedLoginBranding', 4 * MEGABYTE],
    ] as const
  ).map(([operation, size]) => ({
    name: `150 bodies of ${operation}, ${size / 1024} KB, without their last byte`,
    run: async (target: Target) => {
      const body = Buffer.alloc(size, '[')
      // A caller who knows an access key id, but not its secret, can write such headers.
      const headers = await sign(target.region.endpoint, { headers: headersOf(operation), body })
      const head = Buffer.from(headOf({ ...headers, 'content-length': String(size) }))
      const text = Buffer.concat([head, body.subarray(1)])
      return hold(await openConnections(target.region.endpoint, 150, text), HELD_SECONDS)
    },
  })),
  {
    name: '150 bodies of 250 KB in pieces of a byte',
    run: async (target) => {
      const text = Buffer.from(headOf({ ...headersOf('SignUp'), 'content-length': '250000' }))
      const sockets = await openConnections(target.region.endpoint, 150, text)
      for (const socket of sockets) socket.setNoDelay(true)
      const until = performance.now() + HELD_SECONDS * 1_000
      while (performance.now() < until) {
        for (const socket of sockets) if (!socket.destroyed) socket.write('[')
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
      return hold(sockets, 0)
    },
  },
  {
    name: 'unread responses on 2,000 connections, 1,024 open files',
    openFiles: 1_024,
    run: async (target) => {
      const asks = Buffer.from('GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n')
      return hold(await openConnections(target.region.endpoint, 2_000, asks), HELD_SECONDS, { read: false })
    },
  },
  {
    name: '20,000 pipelined calls on one connection',
    run: async (target) => {
      const body = JSON.stringify(signIn(target, 'nobody').input)
      const call = `${headOf({ ...headersOf('InitiateAuth'), 'content-length': String(body.length) })}${body}`
      return hold(await openConnections(target.region.endpoint, 1, Buffer.from(call.repeat(20_000))), HELD_SECONDS)
    },
  },
  {
    name: '4,000 wrong names from one address',
    run: async (target) =>
      tally(
        await flood(
          target,
          repeat(4_000, (at) => signIn(target, `nobody-${at}`)),
          16,
        ),
      ),
  },
  {
    name: '200 sign-ups with one e-mail address',
    run: async (target) => {
      const email = 'victim@example.com'
      const replies = await flood(
        target,
        repeat(200, (at) => ({
          operation: 'SignUp',
          input: {
            ClientId: target.client,
            Username: `sybil-${at}`,
            Password: 'Correct-Horse-7',
            UserAttributes: [{ Name: 'email', Value: email }],
          },
        })),
        8,
      )
      return `${tally(replies)}; ${target.messages.get(email) ?? 0} messages`
    },
  },
  {
    name: '60 messages to a third party by UpdateUserAttributes',
    run: async (target) => {
      const email = 'third-party@example.com'
      const replies: Reply[] = []
      for (let at = 0; at < 120; at += 1) {
        const Value = at % 2 === 0 ? email : 'own@example.com'
        const input = { AccessToken: target.attacker, UserAttributes: [{ Name: 'email', Value }] }
        replies.push(...(await flood(target, [{ operation: 'UpdateUserAttributes', body: JSON.stringify(input) }], 1)))
      }
      return `${tally(replies)}; ${target.messages.get(email) ?? 0} messages`
    },
  },
  {
    name: 'keys of 3,000 random pools',
    run: async (target) => {
      const replies: Reply[] = []
      for (let at = 0; at < 3_000; at += 1) {
        const path = `/us-west-2_${String(at).padStart(9, 'A')}/.well-known/jwks.json`
        replies.push(await send(target.region.endpoint, { method: 'GET', path }))
      }
      return tally(replies)
    },
  },
  {
    name: 'replication bodies of 1 MB without a proof',
    run: async (target) => {
      const replies = await Promise.all(
        Array.from({ length: 64 }, () =>
          send(target.region.endpoint, { path: '/replication/key', body: '['.repeat(MEGABYTE - 1) }).catch(() => ({
            status: 0,
            headers: {},
            text: '',
          })),
        ),
      )
      return tally(replies)
    },
  },
  {
    name: '500 targets of 15 KB',
    run: async (target) => {
      const headers = { 'content-type': JSON_1_1, 'x-amz-target': `${COGNITO}.${'x'.repeat(15_000)}` }
      const replies = await Promise.all(
        Array.from({ length: 500 }, () => send(target.region.endpoint, { headers, body: '{}' })),
      )
      return tally(replies)
    },
  },
]
