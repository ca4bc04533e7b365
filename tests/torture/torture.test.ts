/** A short run of the torture (torture/README.md). `npm run torture` runs for as long as required. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { engines } from '@twinpool/testing/regions'
import { openDevArena } from '../../torture/arena.ts'
import { runTorture } from '../../torture/run.ts'
import { type FaultKind, planFaults } from '../../torture/schedule.ts'

const SEED = Number(process.env.TWINPOOL_TEST_SEED ?? 7)
const MINUTES = 0.15

describe('the schedule of a torture', () => {
  const kinds: ReadonlySet<FaultKind> = new Set(['kill', 'pause', 'cut', 'clock', 'recreate'])
  const plan = (seed: number) => planFaults({ seed, milliseconds: 60_000, kinds })

  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(plan(1), plan(1))
    assert.notDeepEqual(plan(1), plan(2))
  })

  it('stays within its duration, and uses each supported fault and no other', () => {
    const planned = Array.from({ length: 50 }, (_, seed) => plan(seed)).flat()
    for (const { at, until } of planned) assert.ok(at >= 0 && until >= at && until <= 60_000)
    assert.deepEqual(new Set(planned.map(({ fault }) => fault.kind)), kinds)
  })
})

for (const engine of engines) {
  describe(`two regions on ${engine} under work and faults`, () => {
    it(`keep what they acknowledged, seed ${SEED}`, async (t) => {
      const lines: string[] = []
      const report = await runTorture({
        seed: SEED,
        minutes: MINUTES,
        store: engine,
        open: () => openDevArena(engine, { spares: engine === 'sqlite' }),
        print: (line) => lines.push(line),
      })
      assert.ok(report.ok, lines.join('\n'))
      assert.ok((report.counts['acknowledged writes'] ?? 0) > 0 && (report.counts['sign-ins'] ?? 0) > 0)
      t.diagnostic(`${report.faults} faults, ${report.counts['acknowledged writes']} acknowledged writes`)
    })
  })
}
