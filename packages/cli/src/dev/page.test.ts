import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Received } from './inbox.ts'
import { type ControlPage, type RegionState, renderControlPage } from './page.ts'

const message = (more: Partial<Received> = {}): Received => ({
  to: 'ann@example.com',
  channel: 'EMAIL',
  subject: 'Your code',
  body: 'Your code is 123456.',
  code: '123456',
  region: 'us-west-2',
  at: '2026-11-28T00:00:00.000Z',
  ...more,
})

const region = (name: string, more: Partial<RegionState> = {}): RegionState => ({
  name,
  endpoint: 'http://127.0.0.1:9601',
  state: 'running',
  paused: false,
  clockAheadMilliseconds: 0,
  pid: 42,
  log: '/tmp/region.log',
  links: [],
  health: { status: 'ok' },
  replication: undefined,
  ...more,
})

const running = (...regions: RegionState[]): ControlPage['running'] => ({
  control: 'http://127.0.0.1:9600',
  credentials: { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret' },
  states: Object.fromEntries(regions.map((state) => [state.name, state])),
})

const render = (page: Partial<ControlPage>) => renderControlPage({ running: undefined, messages: [], ...page })

describe('the page of a control port', () => {
  it('shows that the regions are starting, and reloads', async () => {
    const text = await render({})
    assert.ok(text.includes('<span class="warn">The regions are starting.</span>'))
    assert.ok(text.includes('No messages yet.'))
    assert.ok(text.includes('<meta http-equiv="refresh" content="5">'))
  })

  it('shows at most 50 messages, in the order of the inbox, and how many there are', async () => {
    const messages = Array.from({ length: 60 }, (_, at) => message({ to: `user${at}@example.com` }))
    const text = await render({ messages })
    assert.deepEqual(
      [...text.matchAll(/<strong>user(\d+)@/g)].map(([, at]) => Number(at)),
      Array.from({ length: 50 }, (_, at) => at),
    )
    assert.match(text, /the newest 50 of 60/)
  })

  it('shortens a long message', async () => {
    const text = await render({ messages: [message({ body: 'b'.repeat(100_000), subject: 's'.repeat(100_000) })] })
    assert.ok(text.length < 12_000, `${text.length}`)
    assert.match(text, /b… \(shortened\)/)
  })

  it('escapes messages, and takes members of any type for no text', async () => {
    const odd = { isEscaped: true, toString: '<script>' }
    const messages = [
      message({ to: '<script>', channel: '<b>', subject: '"&', body: '</p><script>', code: '<i>', at: '"><script>' }),
      message({ subject: odd, channel: [odd], code: 7, region: odd } as unknown as Partial<Received>),
    ]
    const text = await render({ messages })
    assert.doesNotMatch(text, /<script|<b>|<i>|"><script/)
    assert.ok(text.includes('&lt;/p&gt;&lt;script&gt;') && text.includes('&quot;&amp;'))
  })

  it('escapes text that the regions report', async () => {
    const west = region('us-west-2', {
      health: { status: 'failing', checks: { store: { ok: false, detail: '<script>' }, keys: { ok: true } } },
      links: [{ from: 'us-east-1', cut: false, slowMilliseconds: 0, bytesPerSecond: 0 }],
      replication: {
        Peers: [{ Region: 'us-east-1', Connected: false, Problem: '<script>' }],
        Copies: [{ UserPoolId: '<script>', FromRegion: 'us-east-1', Rows: 1, EstimatedRows: 2 }],
      },
    })
    const text = await render({ running: running(west, region('us-east-1')) })
    assert.doesNotMatch(text, /<script/)
    assert.match(text, /<span class="bad">failing<\/span><br><span class="detail">store: &lt;script&gt;<\/span>/)
    assert.match(text, /not connected: &lt;script&gt;/)
    assert.match(text, /1 of about 2<\/td><td>unknown/)
  })

  it('shows regions that are stopped, paused, silent, or on a wrong clock', async () => {
    const text = await render({
      running: running(
        region('us-west-2', { state: 'stopped', pid: undefined, health: undefined }),
        region('us-east-1', { paused: true, health: { status: 'silent' } }),
        region('eu-west-1', { clockAheadMilliseconds: -500, health: undefined }),
      ),
    })
    assert.match(text, /us-west-2<\/th><td><span class="bad">stopped<\/span><\/td><td><span class="muted">unknown/)
    assert.match(text, /us-east-1<\/th><td><span class="warn">paused<\/span>, pid 42<\/td><td><span class="bad">silent/)
    assert.match(text, /running<\/span>, pid 42<br>clock 500 ms behind/)
  })

  it('names no replica where there is one region', async () => {
    const text = await render({ running: running(region('us-west-2')) })
    assert.match(text, /One region has no links/)
    assert.match(text, /pool create --port 9600\n?<\/pre>/)
    assert.doesNotMatch(text, /--replica|drill/)
  })
})
