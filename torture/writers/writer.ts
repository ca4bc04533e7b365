import type { ServiceInputTypes, ServiceOutputTypes } from '@aws-sdk/client-cognito-identity-provider'
import type { Command } from '@smithy/types'
import { type Outcome, reliable } from '../calls.ts'
import { type Address, type Change, type Directory, isSettled, type Person, write } from '../directory.ts'
import type { Journal } from '../journal.ts'
import type { Random } from '../random.ts'
import type { Setting } from '../setting.ts'
import type { SettleContext } from '../settle.ts'

/** One kind of write. Resolves with true when the region was unreachable, so that the writer waits a little longer. */
export type Write = (writer: Writer) => Promise<boolean>

/** One writer: its random choices, and its calls at the primary. */
export interface Writer {
  directory: Directory
  journal: Journal
  setting: Setting
  random: Random
  /** A value that no other writer uses. */
  fresh(what: string): string
  freshPassword(): string
  /** A username that no person has. */
  pickUsername(): string | undefined
  /** A person whom no writer has exclusively. */
  pickPerson(fits: (person: Person) => boolean): Person | undefined
  send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    // biome-ignore lint/suspicious/noExplicitAny: the SDK's own signature of `send`
    command: Command<any, Input, any, Output, any>,
  ): Promise<Outcome<Output>>
  /** The outcome is unknown, too, if the primary may lose what it returned. */
  read: Writer['send']
  /** Records the outcome of a call that must succeed: a refusal is a violation. */
  expectDone<O>(what: string, outcome: Outcome<O>): Outcome<O>
  /** Writes registers of a person while other writers may write other registers of the same person. */
  writeShared<O>(
    person: Person,
    { changes, what, send }: { changes: readonly Change[]; what: string; send: () => Promise<Outcome<O>> },
  ): Promise<Outcome<O>>
}

const USERNAMES = 24

export function createWriter(
  { caller, directory, disturbances, journal, setting }: SettleContext,
  { random, number }: { random: Random; number: number },
): Writer {
  let serial = 0

  const expectDone: Writer['expectDone'] = (what, outcome) => {
    if (outcome.kind === 'refused') journal.violation(`${what} was refused: ${outcome.name} ${outcome.message}`)
    return outcome
  }

  return {
    directory,
    journal,
    setting,
    random,
    fresh: (what) => `${what}-${number}-${++serial}`,
    freshPassword: () => `Pw-${number}-${++serial}-${random.below(1e9)}`,
    pickUsername: () => {
      const all = Array.from({ length: USERNAMES }, (_, at) => `user-${at}`)
      const free = all.filter((name) => !directory.people.has(name))
      return free.length === 0 ? undefined : random.pick(free)
    },
    pickPerson: (fits) => {
      const all = [...directory.people.values()].filter((person) => !person.taken && fits(person))
      return all.length === 0 ? undefined : random.pick(all)
    },
    send: async (command) => {
      const began = Date.now()
      const outcome = await caller.send('primary', command)
      if (outcome.kind === 'done') journal.count('acknowledged writes')
      return reliable(outcome, { disturbances, region: 'primary', began })
    },
    read: async (command) => {
      const began = Date.now()
      const outcome = await caller.send('primary', command)
      return disturbances.isDoubtful('primary', began) ? { kind: 'unknown' } : outcome
    },
    expectDone,
    writeShared: async (person, { changes, what, send }) => {
      person.sharers += 1
      const outcome = await write(changes, send)
      person.sharers -= 1
      return expectDone(`${what} of ${person.username}`, outcome)
    },
  }
}

export const isPresent = ({ exists }: Person): boolean => exists.value && isSettled(exists)
export const isFree = ({ busy, waitsFor }: Address): boolean => !busy && waitsFor === undefined
/** The region did not respond: it is, or was, down. */
export const isAway = ({ kind }: Outcome<unknown>): boolean => kind === 'unknown' || kind === 'unsent'
