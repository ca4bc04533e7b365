/** The page at `/` of a region. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { createUser } from '@twinpool/testing/pools'
import { credentials, engines, type Plane, startRegions, until } from '@twinpool/testing/regions'
import { createReplicatedPool } from '@twinpool/testing/replicas'
import { systemClock } from '../clock.ts'
import { createEvents } from '../events/events.ts'
import { acceptsDocument, renderSeconds } from './document.ts'
import { type PageState, renderPage } from './page.ts'
import { createConsoleRoutes } from './routes.ts'

/** The Accept header that Chromium sends with a navigation. */
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'

for (const engine of engines) {
  describe(`the page of a region on ${engine}`, () => {
    let plane: Plane
    let pool: string
    before(async () => {
      plane = await startRegions({ engine })
      pool = await createReplicatedPool(plane)
      await createUser(plane.primary, pool, { username: 'grace-hopper' })
    })
    after(() => plane.stop())

    const get = (accept: string | undefined, method = 'GET') =>
      fetch(`${plane.primary.endpoint}/`, { method, headers: accept === undefined ? {} : { accept } })
    const page = async () => (await get(BROWSER)).text()

    it('shows the name of the region, its endpoints, its health and its links', async () => {
      const response = await get(BROWSER)
      assert.equal(response.status, 200)
      assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8')
      assert.equal(response.headers.get('cache-control'), 'no-store')
      const text = await response.text()
      assert.match(text, /^<!doctype html>\n<html lang="en">/)
      const { context } = plane.primary.region
      for (const part of [
        '<h1>Twinpool in us-west-2</h1>',
        `<code>POST ${context.endpoint}/</code>`,
        `<code>${context.issuerBase}</code>`,
        '<dt>Version</dt><dd>0.1.0</dd>',
        '<dt>Parity</dt><dd>aws',
        'href="/health"',
        'href="/metrics"',
      ]) {
        assert.ok(text.includes(part), part)
      }
      for (const check of ['store', 'keys', 'load']) {
        assert.ok(text.includes(`<th scope="row">${check}</th><td><span class="good">ok</span></td>`), check)
      }
      await until(async () => /us-east-1<\/th><td><span class="good">connected/.test(await page()), {
        what: 'a connected peer on the page',
      })
    })

    it('allows no script, no other origin, and no style but its own', async () => {
      const response = await get(BROWSER)
      const policy = response.headers.get('content-security-policy') ?? ''
      const text = await response.text()
      const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] as string
      const hash = createHash('sha256').update(style).digest('base64')
      assert.ok(policy.startsWith(`default-src 'none'; style-src 'sha256-${hash}'; `), policy)
      assert.match(policy, /frame-ancestors 'none'/)
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
      assert.equal(response.headers.get('access-control-allow-origin'), null)
      assert.doesNotMatch(text, /<script|\bstyle="|\bon\w+="|src=/)
    })

    it('shows neither secrets nor pools nor users', async () => {
      const text = `${await page()}${await (await fetch(plane.secondary.endpoint, { headers: { accept: BROWSER } })).text()}`
      const secrets = [credentials.accessKeyId, credentials.secretAccessKey, pool, 'grace-hopper', 'mrk-', 'inbox']
      for (const secret of secrets) assert.ok(!text.includes(secret), secret)
    })

    it('is for browsers: programs get the error of the API, as at any path that it does not have', async () => {
      for (const accept of [undefined, '*/*', 'application/json', 'text/*', 'text/html;q=0', 'text/plain, */*']) {
        const response = await get(accept)
        assert.equal(response.status, 400, accept)
        assert.equal(response.headers.get('content-type'), 'application/x-amz-json-1.1', accept)
        assert.equal(response.headers.get('access-control-allow-origin'), '*', accept)
        assert.deepEqual(await response.json(), { __type: 'UnknownOperationException', message: 'No such path.' })
      }
      const call = await fetch(plane.primary.endpoint, {
        method: 'POST',
        headers: { accept: BROWSER, 'content-type': 'application/x-amz-json-1.1' },
        body: '{}',
      })
      assert.equal(((await call.json()) as { __type: string }).__type, 'UnknownOperationException')
      assert.equal((await fetch(`${plane.primary.endpoint}/nothing`, { headers: { accept: BROWSER } })).status, 400)
    })

    it('has its headers at HEAD, and no body', async () => {
      const response = await get(BROWSER, 'HEAD')
      assert.equal(response.status, 200)
      assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8')
      assert.ok(response.headers.get('content-security-policy'))
      assert.equal(await response.text(), '')
      assert.equal((await get('*/*', 'HEAD')).status, 400)
    })

    it('may be requested under any query and name', async () => {
      const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
      const { port } = new URL(plane.primary.endpoint)
      const headers = { accept: BROWSER, host: '<script>alert(1)</script>' }
      request({ port, path: '/?<script>', headers }, (incoming) => {
        incoming.resume()
        resolve(incoming.statusCode)
      })
        .on('error', reject)
        .end()
      assert.ok([200, 400].includes((await promise) as number))
    })

    it('shows that a peer is lost', async () => {
      await plane.secondary.stop()
      await until(async () => /us-east-1<\/th><td><span class="bad">not connected: \w+/.test(await page()), {
        what: 'a lost peer on the page',
      })
      await plane.secondary.restart()
    })
  })
}

describe('a page', () => {
  const region = { region: 'us-west-2', endpoint: 'http://w', issuerBase: 'http://i', parity: 'extended' } as const
  const state: PageState = {
    health: { status: 'failing', region: 'us-west-2', checks: { store: { ok: false, detail: '<script>"&' } } },
    replication: {
      region: 'us-west-2',
      peers: [
        {
          region: '<img src=x onerror=alert(1)>',
          connected: false,
          problem: undefined,
          position: undefined,
          acknowledged: 7,
          lagSeconds: 125,
        },
      ],
      copies: [],
    },
    now: 0,
  }
  const copy = (pool: string, rows: number) =>
    ({
      pool,
      from: 'us-east-1',
      purpose: 'first',
      rows,
      estimatedRows: 100,
      startedAt: 0,
      estimatedSecondsLeft: 90,
    }) as const

  it('escapes every value', async () => {
    const text = await renderPage(region, state)
    assert.doesNotMatch(text, /<script|<img/)
    assert.ok(text.includes('&lt;script&gt;&quot;&amp;'))
    assert.ok(text.includes('&lt;img src=x onerror=alert(1)&gt;'))
    assert.match(text, /<span class="bad">not connected<\/span><\/td><td>2 min 5 s<\/td><td>unknown<\/td><td>7</)
  })

  it('shortens a long detail', async () => {
    const checks = { store: { ok: false, detail: 'x'.repeat(5_000) } }
    const text = await renderPage(region, { ...state, health: { status: 'failing', region: 'us-west-2', checks } })
    assert.ok(text.includes(`${'x'.repeat(300)}… (shortened)`) && !text.includes('x'.repeat(301)))
  })

  it('sums copies up by peer, without the names of pools', async () => {
    const copies = [copy('us-west-2_Aaaaaaaaa', 20), copy('us-west-2_Bbbbbbbbb', 65)]
    const text = await renderPage(region, { ...state, replication: { region: 'us-west-2', peers: [], copies } })
    assert.match(text, /This region has no peers/)
    const [peer] = state.replication?.peers ?? []
    assert.ok(peer)
    const withPeer = await renderPage(region, { ...state, replication: { region: '', peers: [peer], copies } })
    assert.match(withPeer, /us-east-1<\/th><td>first copy<\/td><td>2<\/td><td>42 %<\/td><td>1 min 30 s/)
    assert.doesNotMatch(withPeer, /Aaaaaaaaa|Bbbbbbbbb/)
  })

  it('shows "unknown" for state that could not be read', async () => {
    const text = await renderPage(region, { health: undefined, replication: undefined, now: 0 })
    assert.equal(text.match(/<span class="warn">unknown<\/span>/g)?.length, 3)
  })
})

describe('the state on a page', () => {
  const failing = () => Promise.reject(new Error('the store is gone'))
  function routesOf(status: () => Promise<never>) {
    let reads = 0
    let time = 0
    const context = {
      region: 'us-west-2',
      endpoint: 'http://w',
      issuerBase: 'http://i',
      parity: 'aws',
      clock: { ...systemClock, monotonic: () => time },
      store: {
        check: () => {
          reads += 1
          return failing()
        },
      },
      keyProvider: { find: failing },
      serviceKeyArn: '',
      events: createEvents({ region: 'us-west-2', level: 'silent' }),
    } as unknown as Parameters<typeof createConsoleRoutes>[0]
    const app = createConsoleRoutes(context, {
      overload: { recent: () => undefined },
      replication: {
        status,
        links: () => [],
        backlogs: async () => [],
        closedReplicas: () => 0,
        skewedClocks: () => [],
      },
      resources: () => [],
      isStopping: () => false,
    })
    return {
      page: async () => {
        const response = await app.request('/', { headers: { accept: BROWSER } })
        return { status: response.status, text: await response.text() }
      },
      reads: () => reads,
      pass: (milliseconds: number) => {
        time += milliseconds
      },
    }
  }

  it('is not an error of the page when the store fails', async () => {
    const { status, text } = await routesOf(failing).page()
    assert.equal(status, 200)
    assert.ok(text.includes('<span class="bad">failing</span>'))
    assert.match(text, /<h2>Replication<\/h2>\s*<p><span class="warn">unknown/)
  })

  it('is not waited for when the store does not respond', async () => {
    const { promise } = Promise.withResolvers<never>()
    const { status, text } = await routesOf(() => promise).page()
    assert.equal(status, 200)
    assert.match(text, /<h2>Replication<\/h2>\s*<p><span class="warn">unknown/)
  })

  it('is read once a second, however many browsers there are', async () => {
    const routes = routesOf(failing)
    await Promise.all(Array.from({ length: 20 }, routes.page))
    assert.equal(routes.reads(), 1)
    routes.pass(900)
    await routes.page()
    assert.equal(routes.reads(), 1)
    routes.pass(200)
    await routes.page()
    assert.equal(routes.reads(), 2)
  })
})

describe('a document', () => {
  it('is for callers that name text/html', () => {
    for (const accept of [BROWSER, 'text/html', 'TEXT/HTML', 'application/json, text/html;q=0.1']) {
      assert.equal(acceptsDocument(accept), true, accept)
    }
    for (const accept of [undefined, '', '*/*', 'text/*', 'text/html;q=0', 'text/htmlx', ',;,']) {
      assert.equal(acceptsDocument(accept), false, accept)
    }
  })

  it('has spans of time in words', () => {
    const spans = {
      0: '0.00 s',
      0.256: '0.26 s',
      42.4: '42 s',
      59.9: '1 min 0 s',
      200: '3 min 20 s',
      7500: '2 h 5 min',
    }
    for (const [seconds, words] of Object.entries(spans)) assert.equal(renderSeconds(Number(seconds)), words)
    for (const nothing of [undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.equal(renderSeconds(nothing), 'unknown')
    }
  })
})
