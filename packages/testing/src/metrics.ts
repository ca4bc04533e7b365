/** One value of `GET /metrics` of a region; undefined if there is no metric with this name and these labels. */
export async function readMetric(
  endpoint: string,
  name: string,
  labels: Record<string, string> = {},
): Promise<number | undefined> {
  const text = await (await fetch(`${endpoint}/metrics`)).text()
  const line = text
    .split('\n')
    .find(
      (entry) =>
        new RegExp(`^${name}[{ ]`).test(entry) &&
        Object.entries(labels).every(([key, value]) => entry.includes(`${key}="${value}"`)),
    )
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')))
}
