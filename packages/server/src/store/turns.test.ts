import assert from 'node:assert/strict'
import { it } from 'node:test'
import { takeTurn } from './turns.ts'

const round = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

it('lets the first go on at once, and each other in a round of its own', async () => {
  const gone: number[] = []
  const go = async (number: number): Promise<void> => {
    await takeTurn()
    gone.push(number)
  }
  const all = [1, 2, 3].map(go)
  await Promise.resolve()
  assert.deepEqual(gone, [1])
  await round()
  assert.deepEqual(gone, [1, 2])
  await round()
  assert.deepEqual(gone, [1, 2, 3])
  await Promise.all(all)
  await round()
  assert.equal(takeTurn(), undefined)
  await round()
})
