import { randomUUID } from 'node:crypto'
import { PASSWORD } from '../people.ts'
import { callOf } from '../signed.ts'
import type { Service } from '../stage.ts'
import { type Case, compareAll } from './case.ts'

export const signUp: Case = {
  name: 'sign-up',
  title: 'SignUp: a new user, durable before the response',
  run: async (stage) => {
    const ours = await stage.twinpool({ users: 1, passwords: 0 })
    const local = await stage.cognitoLocal({ users: 0 })
    const work =
      ({ client }: Service) =>
      async (send: Parameters<import('../load.ts').Work>[0]): Promise<void> => {
        const Username = `new-${randomUUID()}`
        const UserAttributes = [{ Name: 'email', Value: `${Username}@example.com` }]
        await send(callOf('SignUp', { ClientId: client, Username, Password: PASSWORD, UserAttributes }))
      }
    const subjects = [
      { name: 'twinpool', ...ours, work: work(ours) },
      { name: 'cognito-local', ...local, work: work(local) },
    ]
    return compareAll(stage, subjects, {
      notes: [
        'Ours computes an SRP verifier of the password and waits for the disk (`synchronous=FULL`). No messages are sent: the pool has no auto-verified attributes.',
        'cognito-local writes all users to one JSON file each time, without waiting for the disk, and becomes slower with their number.',
      ],
    })
  },
}
