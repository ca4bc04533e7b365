import {
  AdminUserGlobalSignOutCommand,
  type AuthenticationResultType,
  GetTokensFromRefreshTokenCommand,
  GetUserCommand,
  GlobalSignOutCommand,
  InitiateAuthCommand,
  RevokeTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { SIGN_OUT_MARGIN_MILLISECONDS } from '@twinpool/server/internal/tokens/pool-clock'
import { srpSignIn } from '@twinpool/testing/srp'
import { type Outcome, reliable } from './calls.ts'
import { type Fact, isSettled, type Person, type SessionModel, type SignOut } from './directory.ts'
import { pause } from './pace.ts'
import { createRandom, type Random } from './random.ts'
import { otherRole, ROLES, type Role } from './schedule.ts'
import { originOf, stateOf } from './sessions.ts'
import type { SettleContext } from './settle.ts'

/** The relative frequency of each action. */
const WEIGHTS = {
  signIn: 24,
  signInBySrp: 8,
  getUser: 30,
  refresh: 14,
  rotate: 10,
  reuse: 2,
  revoke: 4,
  signOut: 2,
  signOutByAdmin: 1,
} as const
type Read = keyof typeof WEIGHTS

const THINKING_MILLISECONDS = 8
const AWAY_MILLISECONDS = 150
/** The number of sessions per person is limited. */
const MOST_SESSIONS = 40

/** Signs in, uses tokens and ends them, in both regions, until `isOver` returns true. */
export async function runReader(
  context: SettleContext,
  { seed, number, isOver }: { seed: number; number: number; isOver: () => boolean },
): Promise<void> {
  const read = createReader(context, createRandom(seed, `reader ${number}`))
  while (!isOver()) {
    const away = await read()
    await pause(away ? AWAY_MILLISECONDS : THINKING_MILLISECONDS)
  }
}

function createReader(
  { caller, directory, disturbances, journal, setting }: SettleContext,
  random: Random,
): () => Promise<boolean> {
  const { pool, client, rotatingClient } = setting
  const isAway = (outcome: Outcome<unknown>): boolean => outcome.kind === 'unknown' || outcome.kind === 'unsent'

  const pickPerson = (): Person | undefined => {
    const all = [...directory.people.values()].filter(({ exists }) => exists.value && isSettled(exists))
    return all.length === 0 ? undefined : random.pick(all)
  }
  const pickSession = (fits: (session: SessionModel) => boolean): SessionModel | undefined => {
    const people = [...directory.people.values(), ...directory.past].filter(({ sessions }) => sessions.length > 0)
    if (people.length === 0) return undefined
    const fitting = random.pick(people).sessions.filter(fits)
    return fitting.length === 0 ? undefined : random.pick(fitting)
  }
  const describeSession = ({ person, origin, region }: SessionModel): string =>
    `a session of ${person.username} (${person.sub}), begun in the ${region} at ${new Date(origin).toISOString()},`

  /** The state that decides a sign-in, as far as it is known; equal versions before and after a call mean that it did not change. */
  const signInState = ({ exists, password, status }: Person) => {
    const all = [exists, password, status]
    return {
      known: all.every(isSettled) && exists.value,
      versions: all.map(({ version }) => version).join(),
      status: status.value,
    }
  }

  /** Signs a person in, and compares the result of the primary with the model. */
  const signIn = async (how: 'password' | 'srp'): Promise<boolean> => {
    const person = pickPerson()
    if (!person || person.sessions.length >= MOST_SESSIONS) return false
    const region = random.pick(ROLES)
    const finishIn = how === 'srp' && random.chance(0.4) ? otherRole(region) : region
    const rotates = random.chance(0.3)
    const ClientId = rotates ? rotatingClient : client
    const { username, password } = person
    const before = signInState(person)
    const began = Date.now()
    const outcome = await caller.attempt([region, finishIn], `sign-in by ${how}`, (cognito) =>
      how === 'srp'
        ? srpSignIn({
            cognito: cognito[region],
            finishIn: cognito[finishIn],
            ...{ pool, client: ClientId, username, password: password.value },
          })
        : cognito[region].send(
            new InitiateAuthCommand({
              ClientId,
              AuthFlow: 'USER_PASSWORD_AUTH',
              AuthParameters: { USERNAME: username, PASSWORD: password.value },
            }),
          ),
    )
    const after = signInState(person)
    const { AuthenticationResult: tokens = undefined, ChallengeName = undefined } =
      outcome.kind === 'done'
        ? (outcome.output as { AuthenticationResult?: AuthenticationResultType; ChallengeName?: string })
        : {}
    if (tokens) remember(person, { tokens, region: finishIn, rotates, began })

    const known = before.known && after.known && before.versions === after.versions
    if (known && region === 'primary' && finishIn === 'primary' && !isAway(outcome)) {
      const result = tokens
        ? 'CONFIRMED'
        : ChallengeName === 'NEW_PASSWORD_REQUIRED'
          ? 'FORCE_CHANGE_PASSWORD'
          : refusalOf(outcome)
      const wanted = before.status === 'UNCONFIRMED' ? 'UserNotConfirmedException' : before.status
      if (result !== wanted && !isLockout(outcome)) {
        journal.violation(
          `sign-in by ${how} of ${username}, who is ${before.status}, at the primary: ${result}, ${outcome.kind === 'refused' ? outcome.message : outcome.kind}; versions ${before.versions}`,
        )
      }
    }
    if (tokens) journal.count('sign-ins')
    return isAway(outcome)
  }

  const remember = (
    person: Person,
    {
      tokens,
      region,
      rotates,
      began,
    }: { tokens: AuthenticationResultType; region: Role; rotates: boolean; began: number },
  ): void => {
    const access = tokens.AccessToken as string
    person.sessions.push({
      person,
      region,
      rotates,
      began,
      ended: Date.now(),
      origin: originOf(access),
      access,
      refresh: tokens.RefreshToken as string,
      former: undefined,
      revocation: undefined,
      lost: false,
      busy: false,
    })
  }

  /** Uses a session, and compares the region's response with the model. */
  const use = async <O>(
    session: SessionModel,
    { region, what, send }: { region: Role; what: string; send: () => Promise<Outcome<O>> },
  ): Promise<Outcome<O>> => {
    const replicaSince = Date.now()
    const before = { here: stateOf(session, region), all: stateOf(session) }
    const outcome = await send()
    const after = stateOf(session)
    if (isAway(outcome)) return outcome
    // A secondary may lag, and its replica may be recreated: it is fully checked only at the end of the run.
    const steady = region === 'primary'
    if (steady && before.all === 'live' && after === 'live' && outcome.kind === 'refused') {
      journal.violation(
        `${what} at the ${region}: ${describeSession(session)} is refused: ${outcome.name} ${outcome.message}`,
      )
    }
    const undisturbed = steady || !disturbances.explains('secondary', ['recreate', 'deactivate'], 0, replicaSince)
    if (undisturbed && before.here === 'ended' && outcome.kind === 'done' && isKnownAt(session, region)) {
      journal.violation(`${what} at the ${region}: ${describeSession(session)} was ended here, but is accepted`)
    }
    journal.count('uses of tokens')
    return outcome
  }

  /** A deletion reaches the primary first. */
  const isKnownAt = ({ person }: SessionModel, region: Role): boolean => region === 'primary' || person.exists.value

  const fact = (region: Role): Fact => ({ region, began: Date.now(), ended: 0, outcome: 'pending' })
  const close = (fact: Fact, outcome: Outcome<unknown>): boolean => {
    fact.ended = Date.now()
    const { kind } = reliable(outcome, { disturbances, ...fact })
    if (kind === 'done' || kind === 'unknown') fact.outcome = kind
    return fact.outcome !== 'pending'
  }

  const signOut = async (
    person: Person,
    by: SessionModel | undefined,
    send: (region: Role) => Promise<Outcome<unknown>>,
  ) => {
    const region = random.pick(ROLES)
    const entry: SignOut = {
      ...fact(region),
      earliest: Number.POSITIVE_INFINITY,
      latest: Number.POSITIVE_INFINITY,
    }
    person.signOuts.push(entry)
    const outcome = await send(region)
    const took = close(entry, outcome)
    if (!took) person.signOuts.splice(person.signOuts.indexOf(entry), 1)
    const { least, most } = disturbances.orderAhead(region, entry.began, entry.ended)
    // It also ends the session that requests it, whatever the clock of the region.
    const origin = by?.origin ?? Number.NEGATIVE_INFINITY
    entry.earliest = entry.outcome === 'done' ? Math.max(entry.began + least, origin) : Number.NEGATIVE_INFINITY
    entry.latest = Math.max(entry.ended + most + SIGN_OUT_MARGIN_MILLISECONDS, origin)
    if (entry.outcome === 'done') journal.count('sign-outs')
    return isAway(outcome)
  }

  const refreshOf = (region: Role, session: SessionModel) =>
    caller.send(
      region,
      new InitiateAuthCommand({
        ClientId: client,
        AuthFlow: 'REFRESH_TOKEN_AUTH',
        AuthParameters: { REFRESH_TOKEN: session.refresh },
      }),
    )

  const reads: Readonly<Record<Read, () => Promise<boolean>>> = {
    signIn: () => signIn('password'),
    signInBySrp: () => signIn('srp'),

    getUser: async () => {
      const session = pickSession(() => true)
      if (!session) return false
      const region = random.pick(ROLES)
      const outcome = await use(session, {
        region,
        what: 'GetUser',
        send: () => caller.send(region, new GetUserCommand({ AccessToken: session.access })),
      })
      if (outcome.kind === 'done' && outcome.output.Username !== session.person.username) {
        journal.violation(`GetUser at the ${region}: ${describeSession(session)} shows ${outcome.output.Username}`)
      }
      return isAway(outcome)
    },

    refresh: async () => {
      const session = pickSession(({ rotates }) => !rotates)
      if (!session) return false
      const region = random.pick(ROLES)
      const outcome = await use(session, { region, what: 'refresh', send: () => refreshOf(region, session) })
      const access = outcome.kind === 'done' ? outcome.output.AuthenticationResult?.AccessToken : undefined
      if (access && originOf(access) !== session.origin) {
        journal.violation(`refresh at the ${region}: ${describeSession(session)} turned into another`)
      }
      if (access) session.access = access
      return isAway(outcome)
    },

    rotate: async () => {
      const session = pickSession(({ rotates, lost, busy }) => rotates && !lost && !busy)
      if (!session) return false
      const region = random.pick(ROLES)
      const RefreshToken = session.refresh
      const began = Date.now()
      session.busy = true
      const outcome = await use(session, {
        region,
        what: 'rotation',
        send: () =>
          caller.send(region, new GetTokensFromRefreshTokenCommand({ ClientId: rotatingClient, RefreshToken })),
      })
      session.busy = false
      const tokens = outcome.kind === 'done' ? outcome.output.AuthenticationResult : undefined
      if (tokens?.RefreshToken && tokens.AccessToken) {
        // If the use of the token is lost, it can be used again.
        session.former = disturbances.gapAt(region, began) ? undefined : { token: RefreshToken, region }
        session.refresh = tokens.RefreshToken
        session.access = tokens.AccessToken
      } else if (outcome.kind !== 'unsent') session.lost ||= outcome.kind === 'unknown'
      return isAway(outcome)
    },

    reuse: async () => {
      const session = pickSession(({ former, revocation, busy }) => former !== undefined && !revocation && !busy)
      if (!session?.former) return false
      const { token, region } = session.former
      session.busy = true
      const entry = fact(region)
      session.revocation = entry
      const outcome = await caller.send(
        region,
        new GetTokensFromRefreshTokenCommand({ ClientId: rotatingClient, RefreshToken: token }),
      )
      session.busy = false
      close(entry, outcome)
      // The refusal of a used token also revokes its family.
      const ended = outcome.kind === 'refused' && outcome.name === 'RefreshTokenReuseException'
      entry.outcome = ended && !disturbances.gapAt(region, entry.began) ? 'done' : 'unknown'
      if (outcome.kind === 'unsent') session.revocation = undefined
      if (outcome.kind === 'done' && region === 'primary') {
        journal.violation(
          `reuse at the primary: ${describeSession(session)} was refreshed with a token that had been used there`,
        )
      }
      return isAway(outcome)
    },

    revoke: async () => {
      const session = pickSession(({ revocation, busy }) => !revocation && !busy)
      if (!session) return false
      const region = random.pick(ROLES)
      const entry = fact(region)
      session.revocation = entry
      const ClientId = session.rotates ? rotatingClient : client
      const outcome = await caller.send(region, new RevokeTokenCommand({ ClientId, Token: session.refresh }))
      if (!close(entry, outcome)) session.revocation = undefined
      else if (outcome.kind === 'done') journal.count('revocations')
      return isAway(outcome)
    },

    signOut: async () => {
      const session = pickSession((one) => stateOf(one) === 'live')
      if (!session) return false
      return signOut(session.person, session, (region) =>
        caller.send(region, new GlobalSignOutCommand({ AccessToken: session.access })),
      )
    },

    signOutByAdmin: async () => {
      const person = pickPerson()
      if (!person) return false
      // By sub: at a secondary, the name may belong to another person by now.
      const Username = person.sub
      return Username === undefined
        ? false
        : signOut(person, undefined, (region) =>
            caller.send(region, new AdminUserGlobalSignOutCommand({ UserPoolId: pool, Username })),
          )
    },
  }

  return () => reads[random.weighted(WEIGHTS)]()
}

const refusalOf = (outcome: Outcome<unknown>): string => (outcome.kind === 'refused' ? outcome.name : outcome.kind)
const isLockout = (outcome: Outcome<unknown>): boolean =>
  outcome.kind === 'refused' && outcome.message === 'Password attempts exceeded'
