/** A line chart with few series and few points. Both axes are logarithmic unless `x.linear` is set. */
export interface Plot {
  title: string
  x: { label: string; linear?: boolean }
  y: { label: string }
  series: readonly { name: string; points: readonly (readonly [x: number, y: number])[] }[]
}

const WIDTH = 760
const HEIGHT = 420
/** The plot area, with space on the right for the names of the series. */
const AREA = { left: 72, right: WIDTH - 150, top: 48, bottom: HEIGHT - 56 }
/** Distinguishable with colour vision deficiency (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56708a', '#b8860b']
const LINE_OF_TEXT = 15

/** Renders the chart as SVG. @throws Error for a value that is not above 0 */
export function renderPlot({ title, x, y, series }: Plot): string {
  const xs = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b)
  const ys = series.flatMap(({ points }) => points.map(([, value]) => value))
  if ([...xs, ...ys].some((value) => !(value > 0))) throw new Error('values must be above 0')
  const low = 10 ** Math.floor(Math.log10(Math.min(...ys)))
  const high = Math.max(low * 10, ceiling(Math.max(...ys)))
  const along = x.linear ? (value: number) => value : Math.log10
  const [first, last] = [along(xs[0] as number), along(xs.at(-1) as number)]
  const toX = (value: number): number =>
    AREA.left + (last === first ? 0.5 : (along(value) - first) / (last - first)) * (AREA.right - AREA.left)
  const toY = (value: number): number =>
    AREA.bottom - (Math.log10(value / low) / Math.log10(high / low)) * (AREA.bottom - AREA.top)

  const ticks = decades(low, high)
  const grid = ticks.flatMap((value) => [
    `<line x1="${AREA.left}" x2="${AREA.right}" y1="${px(toY(value))}" y2="${px(toY(value))}" stroke="#e3e6ea"/>`,
    text(value.toLocaleString('en'), { x: AREA.left - 8, y: toY(value) + 4, anchor: 'end' }),
  ])
  const marks = xs.flatMap((value) => [
    `<line x1="${px(toX(value))}" x2="${px(toX(value))}" y1="${AREA.bottom}" y2="${AREA.bottom + 5}" stroke="#8a929b"/>`,
    text(value.toLocaleString('en'), { x: toX(value), y: AREA.bottom + 20, anchor: 'middle' }),
  ])
  const names = spread(series.map(({ points }) => toY((points.at(-1) as readonly [number, number])[1])))
  const lines = series.flatMap(({ name, points }, at) => {
    const colour = COLOURS[at % COLOURS.length] as string
    const places = points.map(([from, to]) => [px(toX(from)), px(toY(to))] as const)
    return [
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${places.map((place) => place.join()).join(' ')}"/>`,
      ...places.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3.5" fill="${colour}"/>`),
      text(name, { x: AREA.right + 12, y: (names[at] as number) + 4, anchor: 'start', colour }),
    ]
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" font-family="system-ui, 'Helvetica Neue', Arial, sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${AREA.left}" y="26" font-size="15" font-weight="600" fill="#1c2430">${escaped(title)}</text>`,
    ...grid,
    `<line x1="${AREA.left}" x2="${AREA.right}" y1="${AREA.bottom}" y2="${AREA.bottom}" stroke="#8a929b"/>`,
    ...marks,
    text(x.label, { x: (AREA.left + AREA.right) / 2, y: HEIGHT - 14, anchor: 'middle' }),
    `<text transform="translate(20 ${px((AREA.top + AREA.bottom) / 2)}) rotate(-90)" text-anchor="middle" fill="#56616e">${escaped(y.label)}</text>`,
    ...lines,
    '</svg>',
    '',
  ].join('\n')
}

/** The smallest of 1, 2, 5, 10, 20, … that is not below the value. */
function ceiling(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 5, 10].find((step) => step * decade >= value) as number) * decade
}

function decades(low: number, high: number): number[] {
  const steps = high / low > 1_000 ? [1] : [1, 2, 5]
  const ticks: number[] = []
  for (let decade = low; decade <= high; decade *= 10) {
    ticks.push(...steps.map((step) => Number((step * decade).toPrecision(3))).filter((value) => value <= high * 1.001))
  }
  return ticks
}

/** Moves vertical positions apart until a line of text fits between any two. */
function spread(places: readonly number[]): number[] {
  const order = places.map((place, at) => ({ place, at })).sort((a, b) => a.place - b.place)
  for (let at = 1; at < order.length; at += 1) {
    const [above, here] = [order[at - 1], order[at]] as [(typeof order)[0], (typeof order)[0]]
    here.place = Math.max(here.place, above.place + LINE_OF_TEXT)
  }
  const surplus = (order.at(-1)?.place ?? 0) - AREA.bottom
  for (const entry of order) if (surplus > 0) entry.place -= surplus
  const moved: number[] = []
  for (const { place, at } of order) moved[at] = place
  return moved
}

function text(
  words: string,
  { x, y, anchor, colour = '#56616e' }: { x: number; y: number; anchor: string; colour?: string },
): string {
  return `<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}" fill="${colour}">${escaped(words)}</text>`
}

const px = (value: number): number => Math.round(value * 10) / 10
const escaped = (words: string): string => words.replace(/&/g, '&amp;').replace(/</g, '&lt;')
