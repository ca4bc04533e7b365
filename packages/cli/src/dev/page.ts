import {
  html,
  type Markup,
  renderDetail,
  renderDocument,
  renderFacts,
  renderSeconds,
  renderState,
  renderTable,
  shorten,
} from '@twinpool/server/document'
import { invocation, portArguments } from '../invocation.ts'
import type { Received } from './inbox.ts'

/** One region of the plane, as GET /dev/status returns it. */
export interface RegionState {
  name: string
  endpoint: string
  state: 'stopped' | 'starting' | 'running'
  paused: boolean
  clockAheadMilliseconds: number
  pid: number | undefined
  /** Path of its log file. */
  log: string
  links: { from: string; cut: boolean; slowMilliseconds: number; bytesPerSecond: number }[]
  /** Undefined unless the region runs; `silent` if it does not respond. */
  health: { status: string; checks?: Record<string, { ok: boolean; detail?: string }> } | undefined
  /** Undefined unless the region responds. */
  replication: Replication | undefined
}

/** What TwinpoolService.GetReplicationStatus returns, as far as the page shows it. */
interface Replication {
  Peers?: { Region: string; Connected: boolean; Problem?: string; LagSeconds?: number }[]
  Copies?: {
    UserPoolId: string
    FromRegion: string
    Rows: number
    EstimatedRows: number
    EstimatedSecondsLeft?: number
  }[]
}

export interface ControlPage {
  /** Undefined while the regions start. */
  running:
    | {
        control: string
        credentials: { accessKeyId: string; secretAccessKey: string }
        states: Readonly<Record<string, RegionState>>
      }
    | undefined
  /** Newest first. */
  messages: readonly Received[]
}

const REFRESH_SECONDS = 5
const SHOWN_MESSAGES = 50
const BODY_CHARACTERS = 2_000
const LINE_CHARACTERS = 300

/** The page of the control port: the plane, its controls and its inbox. Only for the developer on this machine. */
export function renderControlPage({ running, messages }: ControlPage): Promise<string> {
  const body = html`<h1>Twinpool development plane</h1>
<p>Twinpool is a user-pool service that speaks the Amazon Cognito user pools API and replicates user pools between regions.
This plane runs its regions on this machine, each as a process, so that you can lose one and see what happens.</p>
<p><a href="#inbox">Inbox (${messages.length})</a></p>
${running ? renderPlane(running) : html`<p>${renderState('warn', 'The regions are starting.')}</p>`}
${renderInbox(messages)}
<footer>This page reloads every ${REFRESH_SECONDS} seconds.</footer>`
  return renderDocument({ title: 'Twinpool development plane', body, refreshSeconds: REFRESH_SECONDS })
}

function renderPlane({ control, credentials, states }: NonNullable<ControlPage['running']>): Markup {
  const regions = Object.values(states)
  const [first] = regions as [RegionState, ...RegionState[]]
  const copies = regions.flatMap(
    (region) => region.replication?.Copies?.map((copy) => ({ ...copy, to: region.name })) ?? [],
  )
  return html`
<h2>Regions</h2>
${renderTable({
  caption: 'Each region is a process. User pools are created in the first region.',
  columns: ['Region', 'Process', 'Health', 'Endpoint', 'Log'],
  rows: regions.map((region) => [
    region.name,
    renderProcess(region),
    renderHealth(region),
    html`<a href="${region.endpoint}/">${region.endpoint}</a>`,
    html`<code>${region.log}</code>`,
  ]),
})}

<h2>Replication links</h2>
${regions.length < 2 ? html`<p>One region has no links.</p>` : renderLinks(regions)}
${copies.length === 0 ? '' : renderCopies(copies)}

<h2>Endpoints</h2>
${renderFacts([
  ['Control port', html`<code>${control}</code>`],
  ['Router', html`<code>${control}</code>: passes calls to the first region that responds`],
  ['UPDATED issuer', html`<code>${control}/&lt;user pool ID&gt;</code>`],
  ...regions.map(({ name, endpoint }) => [name, html`<code>${endpoint}</code>`] as const),
  ['Status', html`<a href="/dev/status"><code>/dev/status</code></a>, JSON`],
  [
    'Inbox',
    html`<a href="/dev/inbox"><code>/dev/inbox</code></a>, JSON; <code>?to=&lt;address&gt;</code> selects an address`,
  ],
  ['Ready', html`<a href="/dev/ready"><code>/dev/ready</code></a>, JSON: endpoints and credentials`],
])}

<h2>Credentials</h2>
<p>For the AWS CLI and SDKs, on this machine only:</p>
${renderLines([
  `export AWS_ACCESS_KEY_ID=${credentials.accessKeyId} AWS_SECRET_ACCESS_KEY=${credentials.secretAccessKey}`,
  `export AWS_DEFAULT_REGION=${first.name} AWS_ENDPOINT_URL=${first.endpoint}`,
])}

<h2>Controls</h2>
<p>Lines to paste into a terminal.${renderOthers(regions.slice(1))}</p>
${renderControls({ control, region: first.name, replica: regions[1]?.name })}
`
}

const renderOthers = (others: readonly RegionState[]): string =>
  others.length === 0 ? '' : ` The controls of ${others.map(({ name }) => name).join(', ')} have the same form.`

function renderProcess({ state, paused, pid, clockAheadMilliseconds: ahead }: RegionState): Markup {
  const level = state === 'stopped' ? 'bad' : state === 'starting' || paused ? 'warn' : 'good'
  const clock = ahead === 0 ? '' : html`<br>clock ${Math.abs(ahead)} ms ${ahead > 0 ? 'ahead' : 'behind'}`
  return html`${renderState(level, paused ? 'paused' : state)}${pid === undefined ? '' : `, pid ${pid}`}${clock}`
}

function renderHealth({ health }: RegionState): Markup {
  if (!health) return html`<span class="muted">unknown</span>`
  if (health.status === 'ok') return renderState('good', 'ok')
  const failing = Object.entries(health.checks ?? {}).filter(([, { ok }]) => !ok)
  const details = failing.map(([name, { detail = 'failing' }]) => html`<br>${renderDetail(`${name}: ${detail}`)}`)
  return html`${renderState(health.status === 'degraded' ? 'warn' : 'bad', shorten(health.status, LINE_CHARACTERS))}${details}`
}

const renderLinks = (regions: readonly RegionState[]): Markup =>
  renderTable({
    caption: 'Each region reads the changes of the others. Lag: what would be lost if the source were lost now.',
    columns: ['From', 'To', 'Link', 'Stream', 'Lag'],
    rows: regions.flatMap(({ name, links, replication }) =>
      links.map(({ from, ...link }) => {
        const peer = replication?.Peers?.find(({ Region }) => Region === from)
        return [from, name, renderLink(link), renderStream(peer), renderSeconds(peer?.LagSeconds)]
      }),
    ),
  })

function renderLink({ cut, slowMilliseconds, bytesPerSecond }: Omit<RegionState['links'][number], 'from'>): Markup {
  if (cut) return renderState('bad', 'cut')
  if (bytesPerSecond > 0) return renderState('warn', `throttled: ${bytesPerSecond} bytes/s`)
  return slowMilliseconds > 0 ? renderState('warn', `slow: ${slowMilliseconds} ms`) : renderState('good', 'open')
}

function renderStream(peer: { Connected: boolean; Problem?: string } | undefined): Markup {
  if (!peer) return html`<span class="muted">unknown</span>`
  if (peer.Connected) return renderState('good', 'connected')
  return renderState('bad', peer.Problem ? `not connected: ${peer.Problem}` : 'not connected')
}

const renderCopies = (copies: readonly (NonNullable<Replication['Copies']>[number] & { to: string })[]): Markup =>
  renderTable({
    caption: 'Copies in progress',
    columns: ['User pool', 'From', 'To', 'Rows', 'Time left'],
    rows: copies
      .slice(0, SHOWN_MESSAGES)
      .map(({ UserPoolId, FromRegion, to, Rows, EstimatedRows, EstimatedSecondsLeft }) => [
        UserPoolId,
        FromRegion,
        to,
        `${Rows} of about ${EstimatedRows}`,
        renderSeconds(EstimatedSecondsLeft),
      ]),
  })

function renderControls({
  control,
  region,
  replica,
}: {
  control: string
  region: string
  replica: string | undefined
}): Markup {
  const port = portArguments(Number(new URL(control).port))
  const order = (action: string, body?: string): string =>
    `curl -X POST ${control}/dev/regions/${region}/${action}${body === undefined ? '' : ` -d '${body}'`}`
  return renderLines([
    '# lose the region (SIGKILL), start it again, or stop it gracefully (SIGTERM)',
    ...[order('kill'), order('start'), order('stop')],
    '',
    '# pause it: connections stay open, nothing responds; resume it',
    ...[order('pause'), order('resume')],
    '',
    '# cut, slow or throttle its replication links, the API stays up; heal them',
    ...[order('cut'), order('slow', '{"ms": 500}'), order('throttle', '{"bytesPerSecond": 50000}'), order('heal')],
    '',
    '# set its clock ahead; correct it',
    ...[order('clock', '{"ms": 60000}'), order('clock', '{"ms": 0}')],
    '',
    `# create a user pool with an app client${replica ? ' and a replica' : ''}`,
    invocation('pool create', ...(replica ? ['--replica', replica] : []), ...port),
    ...(replica
      ? ['', '# kill the primary region under load, and measure the effect', invocation('drill', ...port)]
      : []),
  ])
}

/** Lines to paste into a terminal. */
const renderLines = (lines: readonly string[]): Markup => html`<pre tabindex="0">${lines.join('\n')}</pre>`

function renderInbox(messages: readonly Received[]): Markup {
  const shown = messages.slice(0, SHOWN_MESSAGES)
  return html`<h2 id="inbox">Inbox</h2>
<p>Messages that the regions sent, newest first${messages.length > shown.length ? `: the newest ${shown.length} of ${messages.length}` : ''}.</p>
${shown.length === 0 ? html`<p class="muted">No messages yet.</p>` : html`<ol class="messages">${shown.map(renderMessage)}</ol>`}`
}

/** Any program on this machine can send a message, with members of any type. */
function renderMessage(message: Received): Markup {
  const { to, channel, subject, code, at, body, region } = message as { [Member in keyof Received]: unknown }
  return html`
<li>
<p><strong>${textOf(to)}</strong> <span class="muted">${textOf(channel)}${region === undefined ? '' : ` from ${textOf(region)}`}, <time datetime="${textOf(at)}">${textOf(at)}</time></span></p>
${subject === undefined ? '' : html`<p>${textOf(subject)}</p>`}
${code === undefined || code === '' ? '' : html`<p>Code <code class="code">${textOf(code)}</code></p>`}
<p class="body">${textOf(body, BODY_CHARACTERS)}</p>
</li>`
}

const textOf = (value: unknown, characters = LINE_CHARACTERS): string =>
  typeof value === 'string' ? shorten(value, characters) : ''
