import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createTurns } from './turns.ts'

const round = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

it('lets four go on at once, and four others in each of the next rounds', async () => {
  const turns = createTurns()
  const gone: number[] = []
  const go = async (number: number): Promise<void> => {
    await turns.take()
    gone.push(number)
  }
  const all = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(go)
  await Promise.resolve()
  assert.deepEqual(gone, [1, 2, 3, 4])
  await round()
  assert.deepEqual(gone, [1, 2, 3, 4, 5, 6, 7, 8])
  const late = go(10)
  await round()
  assert.deepEqual(gone, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  await Promise.all([...all, late])
  await round()
  assert.equal(turns.take(), undefined)
  await round()
})
