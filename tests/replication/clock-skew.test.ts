/** Operators see how far the clocks of two regions are apart: metric, event, health. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '@twinpool/server/internal/clock'
import { readMetric } from '@twinpool/testing/metrics'
import { engines, type Plane, type RunningRegion, startRegions, until } from '@twinpool/testing/regions'
import type { HealthReport } from '@twinpool/testing/served-region'

for (const engine of engines) {
  // On PostgreSQL, the clock of a region is that of its database server, which is not set here: the primary sees no difference.
  const isSeen = engine === 'sqlite'
  const seers = isSeen ? 'both regions' : 'the region of the process'
  describe(`a secondary whose clock is set: ${engine}`, () => {
    let ahead = 3_000
    let plane: Plane

    before(async () => {
      const clock = { ...systemClock, now: () => systemClock.now() + ahead }
      plane = await startRegions({ engine, clocks: { 'us-east-1': clock } })
    })
    after(() => plane?.stop())

    const peerOf = ({ name }: RunningRegion) => (name === 'us-west-2' ? 'us-east-1' : 'us-west-2')
    const measure = async (at: RunningRegion) => {
      const read = (metric: string) => readMetric(at.endpoint, metric, { peer: peerOf(at) })
      const skew = await read('twinpool_clock_skew_seconds')
      const uncertainty = await read('twinpool_clock_skew_uncertainty_seconds')
      return skew === undefined || uncertainty === undefined ? undefined : { skew, uncertainty }
    }
    /** Waits until both regions have measured the difference, each from its side. */
    const measured = async (seconds: number): Promise<void> => {
      for (const [region, expected] of [
        [plane.primary, isSeen ? seconds : 0],
        [plane.secondary, -seconds],
      ] as const) {
        const within = async () => {
          const found = await measure(region)
          // Values are rounded to milliseconds.
          return found !== undefined && Math.abs(found.skew - expected) <= found.uncertainty + 0.005
        }
        await until(within, { what: `${expected} s at ${region.name}` })
      }
    }
    const counts = (region: RunningRegion) =>
      Promise.all(
        ['clocks-differ', 'clocks-agree'].map(
          async (event) => (await readMetric(region.endpoint, 'twinpool_events_total', { event })) ?? 0,
        ),
      )
    const health = async (region: RunningRegion) => {
      const response = await fetch(`${region.endpoint}/health`)
      const { status, checks } = (await response.json()) as HealthReport
      return [response.status, status, checks.replication?.detail] as const
    }

    it(`by 3 s: is in the metrics of ${seers}${isSeen ? ' with opposite signs' : ''}, and no event`, async () => {
      await measured(3)
      for (const region of plane.regions) {
        assert.deepEqual(await counts(region), [0, 0])
        const serves = async () => (await health(region))[1] === 'ok'
        await until(serves, { what: `the health of ${region.name}` })
      }
    })

    it(`by 8 s: one event in ${seers}, however often it is measured, and a degraded health with the reason`, async () => {
      ahead = 8_000
      await measured(8)
      ahead = 8_500
      await measured(8.5)
      for (const [region, reason] of [
        [plane.primary, /^the clock of us-east-1 is 8\.\d s ahead$/],
        [plane.secondary, /^the clock of us-west-2 is 8\.\d s behind$/],
      ] as const) {
        const sees = isSeen || region === plane.secondary
        assert.deepEqual(await counts(region), [sees ? 1 : 0, 0])
        if (!sees) continue
        const [code, status, detail] = await health(region)
        assert.deepEqual([code, status], [200, 'degraded'])
        assert.match(detail ?? '', reason)
      }
    })

    it(`right again: one event in ${seers}, and health is ok`, async () => {
      ahead = 0
      await measured(0)
      for (const region of plane.regions) {
        const expected = isSeen || region === plane.secondary ? 1 : 0
        assert.deepEqual(await counts(region), [expected, expected])
        assert.deepEqual(await health(region), [200, 'ok', undefined])
      }
    })
  })
}
