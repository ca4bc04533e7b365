import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createAbandonedConnections, type ServerProcess } from './abandoned-connections.ts'

describe('abandoned connections', () => {
  /** A server whose list of processes the test sets; each poll happens when the test says so. */
  const open = () => {
    let processes: readonly ServerProcess[] | Error = []
    let now = 0
    let poll = Promise.withResolvers<void>()
    let asked = Promise.withResolvers<void>()
    const abandoned = createAbandonedConnections({
      find: async () => {
        if (processes instanceof Error) throw processes
        return processes
      },
      monotonic: () => now,
      wait: () => {
        asked.resolve()
        return poll.promise
      },
    })
    return {
      abandoned,
      pollAt: async (time: number, found: readonly ServerProcess[] | Error): Promise<void> => {
        await asked.promise
        now = time
        processes = found
        asked = Promise.withResolvers()
        const { resolve } = poll
        poll = Promise.withResolvers()
        resolve()
        if (abandoned.count() > 0) await Promise.race([asked.promise, new Promise(setImmediate)])
      },
    }
  }
  const waiting = (pid: number, age: number): ServerProcess => ({ pid, age, waitsForStandby: true })

  it('count until the server has ended them', async () => {
    const { abandoned, pollAt } = open()
    const connection = {}
    const ended = abandoned.add(connection, 7)
    assert.equal(abandoned.ending(connection), ended)
    await pollAt(1_000, [waiting(7, 60)])
    assert.equal(abandoned.count(), 1)
    assert.equal(abandoned.waitForStandby(), true)
    await pollAt(2_000, new Error('connect ECONNREFUSED'))
    assert.equal(abandoned.count(), 1)
    await pollAt(3_000, [])
    await ended
    assert.equal(abandoned.count(), 0)
    assert.equal(abandoned.waitForStandby(), false)
  })

  it('are not confused with a younger process that was given the pid', async () => {
    const { abandoned, pollAt } = open()
    const ended = abandoned.add({}, 7)
    await pollAt(5_000, [{ pid: 7, age: 2, waitsForStandby: false }])
    await ended
    assert.equal(abandoned.count(), 0)
  })
})
