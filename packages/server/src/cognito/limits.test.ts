/** Limits of callers without credentials, by their address and by the destination of messages. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { AdminGetUserCommand } from '@aws-sdk/client-cognito-identity-provider'
import { errorOf, headersOf, type Reply, send } from '@twinpool/testing/calls'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser, PASSWORD } from '@twinpool/testing/pools'
import { headOf } from '@twinpool/testing/raw-connections'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'

const FAILED = 6
const MESSAGES = 40
const PER_DESTINATION = 3
const TOO_MANY = 'TooManyRequestsException'

for (const engine of engines) {
  describe(`limits of callers: ${engine}`, () => {
    let plane: Plane
    let pool: string
    let client: string
    let callers = 0

    before(async () => {
      plane = await startRegions({
        engine,
        regions: ['us-west-2'],
        config: {
          trustedProxies: ['127.0.0.0/8'],
          limits: {
            failedAttemptsPerMinute: FAILED,
            messagesPerMinute: MESSAGES,
            messagesPerDestinationPerHour: PER_DESTINATION,
          },
        },
      })
      pool = await createPool(plane.primary, { AutoVerifiedAttributes: ['email'], AliasAttributes: ['email'] })
      client = (await createClient(plane.primary, pool, { PreventUserExistenceErrors: 'ENABLED' })).id
      await createUser(plane.primary, pool, { username: 'ada' })
    })
    after(() => plane.stop())

    /** An address that no other test uses. */
    const newCaller = (): string => {
      callers += 1
      return `198.51.100.${callers}`
    }
    const callFrom = (address: string, operation: string, input: object): Promise<Reply> =>
      send(plane.primary.endpoint, {
        headers: { ...headersOf(operation), 'x-forwarded-for': address },
        body: JSON.stringify({ ClientId: client, ...input }),
      })
    const signIn = (address: string, USERNAME: string, password = 'Wrong-Horse-7') =>
      callFrom(address, 'InitiateAuth', {
        AuthFlow: 'USER_PASSWORD_AUTH',
        AuthParameters: { USERNAME, PASSWORD: password },
      })
    const signUp = (address: string, Username: string, email: string) =>
      callFrom(address, 'SignUp', { Username, Password: PASSWORD, UserAttributes: [{ Name: 'email', Value: email }] })
    const errors = (replies: readonly Reply[]) => replies.map(errorOf)
    const inTurn = async (count: number, call: (at: number) => Promise<Reply>): Promise<Reply[]> => {
      const replies: Reply[] = []
      for (let at = 0; at < count; at += 1) replies.push(await call(at))
      return replies
    }
    const sentTo = (address: string): number => plane.inbox.filter(({ to }) => to === address).length

    it('wrong names and passwords from one address are refused after a while; other addresses are not', async () => {
      const [caller, other] = [newCaller(), newCaller()]
      const replies = await inTurn(FAILED + 2, (at) => signIn(caller, `nobody-${at}`))
      assert.deepEqual(errors(replies.slice(0, FAILED)), Array(FAILED).fill('NotAuthorizedException'))
      assert.deepEqual(errors(replies.slice(FAILED)), [TOO_MANY, TOO_MANY])
      assert.equal((await signIn(other, 'ada', PASSWORD)).status, 200)
    })

    it('successful sign-ins do not count', async () => {
      const caller = newCaller()
      const replies = await inTurn(FAILED + 2, () => signIn(caller, 'ada', PASSWORD))
      assert.deepEqual(
        replies.map(({ status }) => status),
        Array(FAILED + 2).fill(200),
      )
    })

    it('wrong codes and taken names count', async () => {
      const caller = newCaller()
      await signUp(caller, 'known', 'known@example.com')
      const replies = await inTurn(FAILED + 2, (at) =>
        at % 2 === 0
          ? callFrom(caller, 'ConfirmSignUp', { Username: 'known', ConfirmationCode: '000000' })
          : callFrom(caller, 'SignUp', { Username: 'known', Password: PASSWORD }),
      )
      assert.deepEqual(errors(replies.slice(FAILED)), [TOO_MANY, TOO_MANY])
    })

    it('the PROXY protocol names the address of a caller', async () => {
      const { hostname, port } = new URL(plane.primary.endpoint)
      const caller = newCaller()
      await inTurn(FAILED, (at) => signIn(caller, `nobody-${at}`))
      const body = JSON.stringify({
        ClientId: client,
        AuthFlow: 'USER_PASSWORD_AUTH',
        AuthParameters: { USERNAME: 'ada', PASSWORD },
      })
      const call = `${headOf({ ...headersOf('InitiateAuth'), 'content-length': String(body.length), connection: 'close' })}${body}`
      const v2 = Buffer.from(`0d0a0d0a000d0a515549540a2111000c${hexOf(caller)}7f00000103e801bb`, 'hex')
      for (const [header, expected] of [
        [`PROXY TCP4 ${caller} 127.0.0.1 1000 443\r\n`, TOO_MANY],
        [v2, TOO_MANY],
        [`PROXY TCP4 ${newCaller()} 127.0.0.1 1000 443\r\n`, 'AccessToken'],
        ['', 'AccessToken'],
        ['PROXY nonsense\r\n', ''],
      ] as const) {
        const socket = connect({ host: hostname, port: Number(port) })
        socket.on('error', () => {})
        socket.write(header)
        socket.write(call)
        let text = ''
        for await (const chunk of socket) text += chunk
        assert.ok(expected === '' ? text === '' : text.includes(expected), `${String(header)}: ${text}`)
      }
    })

    it('sign-ups with one address send it a few messages; a tag does not make it another one', async () => {
      const caller = newCaller()
      const replies = await inTurn(PER_DESTINATION + 2, (at) =>
        signUp(caller, `sybil-${at}`, at % 2 === 0 ? 'victim@example.com' : `Victim+${at}@example.com`),
      )
      assert.deepEqual(errors(replies.slice(0, PER_DESTINATION)), Array(PER_DESTINATION).fill(undefined))
      for (const reply of replies.slice(PER_DESTINATION)) {
        assert.deepEqual(JSON.parse(reply.text), {
          __type: 'LimitExceededException',
          message: 'Attempt limit exceeded, please try after some time.',
        })
      }
      const refused = new AdminGetUserCommand({ UserPoolId: pool, Username: `sybil-${PER_DESTINATION}` })
      await assert.rejects(plane.primary.cognito.send(refused), { name: 'UserNotFoundException' })
    })

    it('UpdateUserAttributes sends a few messages to a third party', async () => {
      const { AccessToken } = await people(plane.primary).signIn({ id: client }, { username: 'ada' })
      const change = (Value: string) =>
        callFrom(newCaller(), 'UpdateUserAttributes', { AccessToken, UserAttributes: [{ Name: 'email', Value }] })
      const replies = await inTurn(2 * PER_DESTINATION + 1, (at) => change(at % 2 === 0 ? 'third@example.com' : ''))
      assert.deepEqual(errors(replies.slice(0, -1)), Array(2 * PER_DESTINATION).fill(undefined))
      assert.equal(errorOf(replies.at(-1) as Reply), 'LimitExceededException')
      assert.equal(sentTo('third@example.com'), PER_DESTINATION)
      // An unchanged address gets no message, so it does not count.
      const others = await inTurn(PER_DESTINATION + 2, () => change('own@example.com'))
      assert.deepEqual(errors(others), Array(PER_DESTINATION + 2).fill(undefined))
    })

    it('a message that is withheld does not reveal whether the user exists', async () => {
      await createUser(plane.primary, pool, {
        username: 'grace',
        attributes: [
          { Name: 'email', Value: 'grace@example.com' },
          { Name: 'email_verified', Value: 'true' },
        ],
      })
      const forget = (Username: string) =>
        inTurn(PER_DESTINATION + 2, () => callFrom(newCaller(), 'ForgotPassword', { Username }))
      const [known, unknown] = [await forget('grace@example.com'), await forget('nobody@example.com')]
      await plane.primary.region.context.deferredWork.finish()
      assert.equal(sentTo('grace@example.com'), PER_DESTINATION)
      const shapes = (replies: readonly Reply[]) =>
        replies.map(({ status, text }) => [status, text.replace(/"Destination":"[^"]*"/, '')])
      assert.deepEqual(shapes(known), shapes(unknown))
      assert.deepEqual(errors(known), Array(PER_DESTINATION + 2).fill(undefined))
    })

    it('calls that send messages are refused after a while', async () => {
      const caller = newCaller()
      const replies = await inTurn(MESSAGES + 1, (at) =>
        callFrom(caller, 'ForgotPassword', { Username: `nobody-${at}` }),
      )
      assert.deepEqual([...new Set(errors(replies.slice(0, MESSAGES)))], [undefined])
      assert.equal(errorOf(replies.at(-1) as Reply), TOO_MANY)
      assert.equal((await signIn(caller, 'ada', PASSWORD)).status, 200)
    })
  })
}

const hexOf = (address: string): string => Buffer.from(address.split('.').map(Number)).toString('hex')
