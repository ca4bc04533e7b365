import { html } from 'hono/html'
import manifest from '../../package.json' with { type: 'json' }
import type { Context } from '../context.ts'
import type { CopyStatus, PeerStatus, Status } from '../replication/status.ts'
import {
  type Markup,
  renderDetail,
  renderDocument,
  renderFacts,
  renderSeconds,
  renderState,
  renderTable,
} from './document.ts'
import type { Health } from './health.ts'

/** The content of the page; undefined members could not be read. */
export interface PageState {
  health: Health | undefined
  replication: Status | undefined
  /** Milliseconds since the epoch. */
  now: number
}

/**
 * The page of a region, for browsers. It is public, so it shows no secret, nothing about a user and no id of a
 * pool: only what /health and /metrics show, the endpoints, and the state of replication.
 */
export async function renderPage(
  { region, endpoint, issuerBase, parity }: Pick<Context, 'region' | 'endpoint' | 'issuerBase' | 'parity'>,
  { health, replication, now }: PageState,
): Promise<string> {
  const body = html`<h1>Twinpool in ${region}</h1>
<p>Twinpool is a user-pool service. It speaks the Amazon Cognito user pools API and replicates user pools between regions.
This is the API of one region; SDKs use it when their endpoint is set to <code>${endpoint}</code>.</p>
${renderFacts([
  ['Status', renderStatus(health)],
  ['Region', region],
  ['Version', manifest.version],
  ['Parity', parity === 'aws' ? 'aws: the limits of Cognito hold' : 'extended: without the limits of Cognito'],
  ['As of', new Date(now).toISOString()],
])}

<h2>Endpoints</h2>
${renderFacts([
  ['API', html`<code>POST ${endpoint}/</code>`],
  ['Issuer base', html`<code>${issuerBase}</code>`],
  ['OpenID configuration', html`<code>${endpoint}/&lt;user pool ID&gt;/.well-known/openid-configuration</code>`],
  ['Health', html`<a href="/health"><code>/health</code></a>, JSON; HTTP status 200 or 503`],
  ['Metrics', html`<a href="/metrics"><code>/metrics</code></a>, Prometheus text`],
])}

<h2>Health</h2>
${health ? renderChecks(health) : html`<p>${renderState('warn', 'unknown')}</p>`}

<h2>Replication</h2>
${renderReplication(replication)}

<footer>This page is for browsers. It does not refresh by itself.</footer>`
  return renderDocument({ title: `Twinpool ${region}`, body })
}

function renderStatus(health: Health | undefined): Markup {
  if (!health) return renderState('warn', 'unknown')
  const levels = { ok: 'good', degraded: 'warn', failing: 'bad' } as const
  return renderState(levels[health.status], health.status)
}

const renderChecks = ({ checks }: Health): Markup =>
  renderTable({
    caption: 'A sign-in needs the store and the keys. The other checks do not take the region out of service.',
    columns: ['Check', 'Result', 'Detail'],
    rows: Object.entries(checks).map(([name, { ok, detail = '' }]) => [
      name,
      ok ? renderState('good', 'ok') : renderState('bad', 'failing'),
      detail && renderDetail(detail),
    ]),
  })

function renderReplication(status: Status | undefined): Markup {
  if (!status) return html`<p>${renderState('warn', 'unknown')}</p>`
  if (status.peers.length === 0) return html`<p>This region has no peers.</p>`
  return html`${renderPeers(status.peers)}
${status.copies.length === 0 ? html`<p>No pool is being copied.</p>` : renderCopies(status.copies)}`
}

const renderPeers = (peers: readonly PeerStatus[]): Markup =>
  renderTable({
    caption: 'Links to peers. Lag: what would be lost here if the peer were lost now.',
    columns: ['Peer', 'Link', 'Lag', 'Applied position', 'Acknowledged position'],
    rows: peers.map(({ region, connected, problem, lagSeconds, position, acknowledged }) => [
      region,
      connected
        ? renderState('good', 'connected')
        : renderState('bad', problem ? `not connected: ${problem}` : 'not connected'),
      renderSeconds(lagSeconds),
      position ?? 'unknown',
      acknowledged ?? 'unknown',
    ]),
  })

const PURPOSES: Readonly<Record<CopyStatus['purpose'], string>> = {
  first: 'first copy',
  again: 'copy of all rows again',
  kinds: 'copy of newly supported kinds',
}

/** By peer and purpose, without the names of pools. */
const renderCopies = (copies: readonly CopyStatus[]): Markup =>
  renderTable({
    caption: 'Copies in progress',
    columns: ['From', 'Purpose', 'Pools', 'Done', 'Time left'],
    rows: [...Map.groupBy(copies, ({ from, purpose }) => `${from} ${purpose}`).values()].map((group) => {
      const { from, purpose } = group[0] as CopyStatus
      const rows = group.reduce((sum, copy) => sum + copy.rows, 0)
      const all = group.reduce((sum, copy) => sum + copy.estimatedRows, 0)
      const left = group.map((copy) => copy.estimatedSecondsLeft ?? Number.NaN)
      return [
        from,
        PURPOSES[purpose],
        group.length,
        all === 0 ? 'unknown' : `${Math.floor((rows / all) * 100)} %`,
        renderSeconds(Math.max(...left)),
      ]
    }),
  })
