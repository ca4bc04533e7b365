import type {
  CognitoIdentityProviderClient,
  ServiceInputTypes,
  ServiceOutputTypes,
} from '@aws-sdk/client-cognito-identity-provider'
import type { Command } from '@smithy/types'
import type { Arena } from './arena.ts'
import type { Disturbances } from './disturbances.ts'
import type { Journal } from './journal.ts'
import type { FaultKind, Role } from './schedule.ts'

/** The outcome of a call, as far as the caller knows it. */
export type Outcome<Output> =
  | { kind: 'done'; output: Output }
  /** The region refused: nothing has changed. */
  | { kind: 'refused'; name: string; message: string }
  /** The call never reached the region: nothing has changed. */
  | { kind: 'unsent' }
  /** No response, or a 5xx: the call may have been carried out. */
  | { kind: 'unknown' }

export interface Caller {
  send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    region: Role,
    // biome-ignore lint/suspicious/noExplicitAny: the SDK's own signature of `send`
    command: Command<any, Input, any, Output, any>,
  ): Promise<Outcome<Output>>
  /** Several calls that count as one, as in SRP. `work` throws the errors of the SDK. */
  attempt<Output>(
    region: Role | readonly Role[],
    name: string,
    work: (cognito: Readonly<Record<Role, CognitoIdentityProviderClient>>) => Promise<Output>,
  ): Promise<Outcome<Output>>
}

/**
 * The outcome of a change, as far as the caller can rely on it: if it was acknowledged in a gap, it is lost with the region's database
 * or is in the spare. Only a read after the gap shows which.
 */
export function reliable<Output>(
  outcome: Outcome<Output>,
  { disturbances, region, began }: { disturbances: Disturbances; region: Role; began: number },
): Outcome<Output> {
  if (outcome.kind !== 'done') return outcome
  const gap = disturbances.gapAt(region, began)
  if (!gap) return outcome
  gap.acknowledged += 1
  return { kind: 'unknown' }
}

/** Longer than any pause of a process, so that a call without a response means that the region's process has ended. */
const PATIENCE_MILLISECONDS = 30_000
const SLOW_MILLISECONDS = 10_000
/** Faults that break connections to a region. */
const BREAKING: readonly FaultKind[] = ['kill', 'restart']
/** Faults during which a region has no database. */
const REPLACING: readonly FaultKind[] = ['failover', 'put-back']

/** Sends calls to the regions. A 5xx or a broken connection is a violation, unless a fault explains it. */
export function createCaller({
  arena,
  disturbances,
  journal,
}: {
  arena: Arena
  disturbances: Disturbances
  journal: Journal
}): Caller {
  const cognito = { primary: arena.clients.primary.cognito, secondary: arena.clients.secondary.cognito }

  const attempt: Caller['attempt'] = async (regions, name, work) => {
    const asked: readonly Role[] = typeof regions === 'string' ? [regions] : regions
    const where = asked.join(' and ')
    const began = Date.now()
    const describe = (text: string): string => `${name} at ${where}: ${text}`
    try {
      const output = await work(cognito)
      journal.count('calls')
      if (
        Date.now() - began > SLOW_MILLISECONDS &&
        !asked.some((region) => disturbances.explains(region, [...BREAKING, 'pause', ...REPLACING], began))
      ) {
        journal.violation(describe(`took ${Date.now() - began} ms, and no fault explains it`))
      }
      return { kind: 'done', output }
    } catch (thrown) {
      const error = thrown as SdkError
      const status = error.$metadata?.httpStatusCode
      // Its database is replaced, and no connection to it is free. An earlier transaction of the call may have ended.
      const isBusy = error.name === 'TooManyRequestsException'
      if (isBusy && asked.some((region) => disturbances.explains(region, REPLACING, began))) {
        journal.count('refusals in a failover')
        return { kind: 'unknown' }
      }
      if (status !== undefined && status >= 400 && status < 500) {
        journal.count('refusals')
        return { kind: 'refused', name: error.name, message: error.message }
      }
      if (status !== undefined && status >= 500) {
        // Timers expire while a process is paused: they fire when it resumes.
        const paused = asked.some((region) => disturbances.explains(region, ['pause'], began))
        const replaced = asked.some((region) => disturbances.explains(region, REPLACING, began))
        if (paused) journal.count('5xx after a pause')
        else if (replaced) journal.count('5xx in a failover')
        else journal.violation(describe(`${status} ${error.name} ${error.message}`))
        return { kind: 'unknown' }
      }
      journal.count('broken calls')
      if (!asked.some((region) => disturbances.explains(region, BREAKING, began))) {
        journal.violation(
          describe(`no response (${error.code ?? error.name}: ${error.message}), and no fault explains it`),
        )
      }
      return { kind: error.code === 'ECONNREFUSED' ? 'unsent' : 'unknown' }
    }
  }

  return {
    attempt,
    send: (region, command) =>
      attempt(region, command.constructor.name.replace(/Command$/, ''), (clients) =>
        clients[region].send(command, { abortSignal: AbortSignal.timeout(PATIENCE_MILLISECONDS) }),
      ),
  }
}

interface SdkError extends Error {
  code?: string
  $metadata?: { httpStatusCode?: number }
}
