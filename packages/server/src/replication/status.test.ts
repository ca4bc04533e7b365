/** The lag behind a peer, as the processes of a region see it. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { engines } from '@twinpool/testing/regions'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { putCursor } from '../store/cursors.ts'
import { createThrottling } from '../store/throttling.ts'
import { createStatusBoard, type LinkReport, type StatusBoard } from './status.ts'

const [HERE, PEER] = ['us-east-1', 'us-west-2'] as const
const START = 1_800_000_000_000

for (const engine of engines) {
  describe(`the lag: ${engine}`, () => {
    /** One process of the region. Its clock can be set; its monotonic clock cannot. */
    interface Process {
      board: StatusBoard
      set(milliseconds: number): void
    }
    let opened: TestStore
    let passed: number
    let startProcess: () => Process

    beforeEach(async () => {
      passed = 0
      opened = await openTestStore(engine, { clock: { now: () => START + passed }, region: HERE })
      const { store } = opened
      const throttling = createThrottling({ engine: store.engine, clock: { now: () => START + passed } })
      startProcess = () => {
        let shift = 0
        const clock = { now: () => START + passed + shift, monotonic: () => passed }
        return {
          board: createStatusBoard({ store, clock, throttling, region: HERE, peers: [PEER] }),
          set: (milliseconds) => {
            shift = milliseconds
          },
        }
      }
    })
    afterEach(() => opened.close())

    const pass = (seconds: number): void => {
      passed += seconds * 1_000
    }
    /** A message has just arrived from a peer whose clock is ahead; everything up to `behind` seconds ago is applied. */
    const heard = ({ board }: Process, { ahead = 0, behind = 0 } = {}): Promise<void> => {
      const now = START + passed
      const report = { connected: true, problem: undefined, heardAt: now, ahead, asOf: now + ahead - behind * 1_000 }
      return board.report(PEER, report)
    }
    const LOST: LinkReport = { connected: false, problem: 'unreachable', heardAt: 0, ahead: 0, asOf: 0 }
    const stateOf = async ({ board }: Process) => {
      await board.refresh()
      const { connected, lagSeconds } = board.links()[0] ?? assert.fail()
      return { connected, lag: Math.floor(lagSeconds) }
    }

    it('grows while nothing is received, connected or not', async () => {
      const one = startProcess()
      await heard(one)
      assert.deepEqual(await stateOf(one), { connected: true, lag: 0 })
      pass(2)
      assert.deepEqual(await stateOf(one), { connected: true, lag: 2 })
      await one.board.report(PEER, { ...LOST, heardAt: START, asOf: START })
      pass(60)
      assert.deepEqual(await stateOf(one), { connected: false, lag: 62 })
      assert.equal((await one.board.status()).peers[0]?.lagSeconds, 62)
    })

    it('goes on from the last message when the clock of the peer, or of this region, goes back', async () => {
      const one = startProcess()
      const hour = 3_600_000
      await heard(one, { ahead: hour })
      await heard(one, { behind: 3 })
      assert.deepEqual(await stateOf(one), { connected: true, lag: 3 })
      one.set(-hour)
      pass(10)
      assert.deepEqual(await stateOf(one), { connected: false, lag: 13 })
    })

    it('is at least the time since the start, where a cursor has a time of the future', async () => {
      const cursor = { peer: PEER, log: 'log', position: 1, mark: '', asOf: START + 3_600_000 }
      await opened.store.transaction((connection) => putCursor(connection, cursor))
      const one = startProcess()
      pass(20)
      assert.deepEqual(await stateOf(one), { connected: false, lag: 20 })
    })

    it('includes the time during which no process ran', async () => {
      const cursor = { peer: PEER, log: 'log', position: 1, mark: '', asOf: START }
      await opened.store.transaction((connection) => putCursor(connection, cursor))
      pass(100)
      const one = startProcess()
      pass(20)
      assert.deepEqual(await stateOf(one), { connected: false, lag: 120 })
    })

    it('is a number before the first contact, too, for the metric alone', async () => {
      const one = startProcess()
      pass(30)
      assert.deepEqual(await stateOf(one), { connected: false, lag: 30 })
      assert.equal((await one.board.status()).peers[0]?.lagSeconds, undefined)
    })

    it('is seen by every process, whatever their clocks, and after the one that follows the peer has died', async () => {
      const [holder, other] = [startProcess(), startProcess()]
      other.set(7_200_000)
      await stateOf(other)
      await heard(holder, { behind: 1 })
      assert.deepEqual(await stateOf(other), { connected: true, lag: 1 })
      for (let reading = 0; reading < 40; reading += 1) {
        pass(0.25)
        await heard(holder)
        assert.equal((await stateOf(other)).connected, true)
      }
      assert.deepEqual(await stateOf(other), { connected: true, lag: 0 })
      pass(6)
      assert.deepEqual(await stateOf(other), { connected: false, lag: 6 })
      // The next holder has not reached the peer yet.
      await other.board.report(PEER, LOST)
      pass(6)
      assert.deepEqual(await stateOf(other), { connected: false, lag: 12 })
      assert.deepEqual(await stateOf(startProcess()), { connected: false, lag: 12 })
      await heard(other)
      assert.deepEqual(await stateOf(other), { connected: true, lag: 0 })
    })
  })
}
