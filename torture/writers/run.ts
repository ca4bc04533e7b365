/**
 * The writers: each makes one write after another at the primary, and records in the model (`directory.ts`) what was asked for
 * and what was acknowledged. This file decides which write comes next; `writer.ts` is what every write needs. The writes are
 * in `creation.ts`, `users.ts`, `addresses.ts`, `groups.ts` and `app-clients.ts`. A write without a response leaves its
 * registers in doubt, and `settle.ts` resolves them.
 */
import { registersOf } from '../directory.ts'
import { pause } from '../pace.ts'
import { createRandom } from '../random.ts'
import { type SettleContext, settle } from '../settle.ts'
import { dropAddress, giveAddress, takeAddress } from './addresses.ts'
import { toggleClient } from './app-clients.ts'
import { createUser, createWithTakenAddress, signUp } from './creation.ts'
import { describeGroup, join, leave, toggleGroup } from './groups.ts'
import { confirm, deleteUser, setAttribute, setPassword } from './users.ts'
import { createWriter, type Write, type Writer } from './writer.ts'

/** Each write and its relative frequency. The order of the rows is part of what a seed determines. */
// biome-ignore format: a table
const table = {
  createUser:             { weight: 10, write: createUser },
  signUp:                 { weight: 4,  write: signUp },
  createWithTakenAddress: { weight: 4,  write: createWithTakenAddress },
  confirm:                { weight: 6,  write: confirm },
  setAttribute:           { weight: 30, write: setAttribute },
  giveAddress:            { weight: 10, write: giveAddress },
  dropAddress:            { weight: 5,  write: dropAddress },
  takeAddress:            { weight: 2,  write: takeAddress },
  join:                   { weight: 8,  write: join },
  leave:                  { weight: 6,  write: leave },
  setPassword:            { weight: 6,  write: setPassword },
  deleteUser:             { weight: 5,  write: deleteUser },
  describeGroup:          { weight: 4,  write: describeGroup },
  toggleGroup:            { weight: 3,  write: toggleGroup },
  toggleClient:           { weight: 3,  write: toggleClient },
} as const satisfies Record<string, { weight: number; write: Write }>

const WEIGHTS = Object.fromEntries(Object.entries(table).map(([name, { weight }]) => [name, weight])) as Record<
  keyof typeof table,
  number
>

const THINKING_MILLISECONDS = 6
/** After a call that did not reach the region. */
const AWAY_MILLISECONDS = 150

/** Writes at the primary until `isOver` returns true. Each writer makes its own sequence of choices from the seed. */
export async function runWriter(
  context: SettleContext,
  { seed, number, isOver }: { seed: number; number: number; isOver: () => boolean },
): Promise<void> {
  const random = createRandom(seed, `writer ${number}`)
  const writer = createWriter(context, { random, number })
  while (!isOver()) {
    const away = await writeOnce(context, writer)
    await pause(away ? AWAY_MILLISECONDS : THINKING_MILLISECONDS)
  }
}

/** Settles a person in doubt, if there is one, or makes a write. Returns whether the region was unreachable. */
async function writeOnce(context: SettleContext, writer: Writer): Promise<boolean> {
  // What the primary reports in a gap may be lost.
  const inGap = context.disturbances.isDoubtful('primary', Date.now())
  const doubtful = writer.pickPerson(
    (person) =>
      !inGap && person.sharers === 0 && registersOf(person).some(({ busy, doubt }) => !busy && doubt.length > 0),
  )
  if (!doubtful || registersOf(doubtful).some(({ busy }) => busy)) {
    return table[writer.random.weighted(WEIGHTS)].write(writer)
  }
  doubtful.taken = true
  const settled = await settle(context, doubtful)
  doubtful.taken = false
  return !settled
}
