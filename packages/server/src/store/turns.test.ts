import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createTurns } from './turns.ts'

const round = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

it('resumes four callers at once, and four more in each of the next rounds', async () => {
  const turns = createTurns()
  const resumed: number[] = []
  const resume = async (number: number): Promise<void> => {
    await turns.take()
    resumed.push(number)
  }
  const all = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(resume)
  await Promise.resolve()
  assert.deepEqual(resumed, [1, 2, 3, 4])
  await round()
  assert.deepEqual(resumed, [1, 2, 3, 4, 5, 6, 7, 8])
  const late = resume(10)
  await round()
  assert.deepEqual(resumed, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  await Promise.all([...all, late])
  await round()
  assert.equal(turns.take(), undefined)
  await round()
})
