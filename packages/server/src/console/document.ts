import { createHash } from 'node:crypto'
import { html, raw } from 'hono/html'
import { parseAccept } from 'hono/utils/accept'

/** The template of all pages; it escapes every value that is not markup itself. */
export { html }

/** Page content: text that hono's `html` has escaped. */
export type Markup = ReturnType<typeof html>

// Colours have a contrast of at least 4.5:1 on their background, in both schemes (WCAG 2.2, 1.4.3).
const STYLE = `
:root { color-scheme: light dark; --back: #fff; --panel: #f6f8fa; --line: #d0d7de; --text: #1f2328; --muted: #57606a;
  --link: #0757b8; --good: #116329; --bad: #b3211b; --warn: #7d4e00 }
@media (prefers-color-scheme: dark) { :root { --back: #0d1117; --panel: #161b22; --line: #3d444d; --text: #e6edf3;
  --muted: #9da7b3; --link: #79b8ff; --good: #56d364; --bad: #ff8b84; --warn: #e3b341 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 3rem }
h1 { margin: 0 0 .5rem; font-size: 1.6rem; line-height: 1.25 }
h2 { margin: 2rem 0 .5rem; font-size: 1.2rem; line-height: 1.25 }
p { margin: .5rem 0; max-width: 46rem }
a { color: var(--link) }
a:focus-visible, .scroll:focus-visible, pre:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
.muted, footer { color: var(--muted) }
footer { margin-top: 2.5rem; font-size: .875rem }
code, pre { font: .875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
code { overflow-wrap: anywhere }
pre { margin: .5rem 0; padding: .75rem; overflow-x: auto; background: var(--panel); border: 1px solid var(--line); border-radius: 6px }
.scroll { overflow-x: auto }
.scroll code { overflow-wrap: normal }
table { min-width: min(100%, 40rem); border-collapse: collapse; font-variant-numeric: tabular-nums }
figure { margin: .5rem 0 }
figcaption { color: var(--muted) }
th, td { padding: .4rem 1.25rem .4rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; white-space: nowrap }
tr > :last-child { padding-right: 0 }
th { font-weight: 600 }
thead th { color: var(--muted); font-size: .875rem }
.detail { display: inline-block; min-width: 16rem; max-width: 30rem; white-space: normal; overflow-wrap: anywhere }
.good, .bad, .warn { font-weight: 600 }
.good { color: var(--good) }
.bad { color: var(--bad) }
.warn { color: var(--warn) }
ol.messages { margin: .5rem 0; padding: 0; list-style: none }
ol.messages > li { margin: 0 0 .75rem; padding: .75rem; background: var(--panel); border: 1px solid var(--line); border-radius: 6px }
ol.messages p { margin: 0; max-width: none; overflow-wrap: anywhere }
ol.messages .code { font-size: 1.1rem; font-weight: 600; letter-spacing: .05em }
ol.messages .body { margin-top: .25rem; white-space: pre-wrap }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: .5rem 0 }
dl.facts dt { font-weight: 600 }
dl.facts dd { margin: 0; overflow-wrap: anywhere }
@media (max-width: 34rem) { th, td { padding-right: 1rem } dl.facts { grid-template-columns: fit-content(7rem) 1fr } }
`

const styleHash = createHash('sha256').update(STYLE).digest('base64')

/** Headers of every page: no scripts, no other origins, no frames, and no style but the page's own. */
export const documentHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${styleHash}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
  vary: 'accept',
}

/** Whether a caller is a browser: `Accept` names text/html. Wildcards do not count, because SDKs and curl send them. */
export const acceptsDocument = (accept: string | undefined): boolean =>
  accept !== undefined && parseAccept(accept).some(({ type, q }) => type.toLowerCase() === 'text/html' && q > 0)

/** A complete page. `refreshSeconds`: the browser reloads it after that time. */
export async function renderDocument({
  title,
  body,
  refreshSeconds,
}: {
  title: string
  body: Markup
  refreshSeconds?: number
}): Promise<string> {
  const page = await html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
${refreshSeconds === undefined ? '' : html`<meta http-equiv="refresh" content="${refreshSeconds}">`}
<title>${title}</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`
  return String(page)
}

/** A state in words; the colour only repeats it. */
export const renderState = (level: 'good' | 'bad' | 'warn', words: string): Markup =>
  html`<span class="${level}">${words}</span>`

const DETAIL_CHARACTERS = 300

/** Error text in a table cell, shortened and wrapped. */
export const renderDetail = (text: string): Markup =>
  html`<span class="detail">${shorten(text, DETAIL_CHARACTERS)}</span>`

export const shorten = (text: string, characters: number): string =>
  text.length > characters ? `${text.slice(0, characters).toWellFormed()}… (shortened)` : text

/** A table that scrolls sideways where it is too wide. The first cell of a row is its header. */
export function renderTable({
  caption,
  columns,
  rows,
}: {
  caption: string
  columns: readonly string[]
  rows: readonly (readonly (string | number | Markup)[])[]
}): Markup {
  return html`<figure>
<figcaption>${caption}</figcaption>
<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>${rows.map(
    ([first, ...others]) => html`
<tr><th scope="row">${first}</th>${others.map((cell) => html`<td>${cell}</td>`)}</tr>`,
  )}
</tbody>
</table></div>
</figure>`
}

/** Names and their values. */
export const renderFacts = (facts: readonly (readonly [name: string, value: string | Markup])[]): Markup =>
  html`<dl class="facts">${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`

/** A time span for people: "0.25 s", "42 s", "3 min 20 s", "2 h 5 min". */
export function renderSeconds(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return 'unknown'
  if (seconds < 10) return `${seconds.toFixed(2)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`
}
