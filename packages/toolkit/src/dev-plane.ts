/** The description that `twinpool dev` serves once it is ready. */
export interface PlaneDescription {
  control: string
  regions: Record<string, { endpoint: string }>
  credentials: { accessKeyId: string; secretAccessKey: string }
}

/** Controls a running `twinpool dev`. */
export interface DevPlane extends PlaneDescription {
  /** Sends SIGKILL; resolves once the process has exited. */
  kill(region: string): Promise<void>
  /** Resolves once the region listens again. */
  start(region: string): Promise<void>
}

const CONNECT_MILLISECONDS = 3_000

/** Connects to the plane behind a control port. @throws Error if no plane responds */
export async function connectDevPlane(control: string): Promise<DevPlane> {
  // Another program may hold the port and never respond.
  const response = await fetch(`${control}/dev/ready`, { signal: AbortSignal.timeout(CONNECT_MILLISECONDS) })
  if (!response.ok) throw new Error(`${control} responded with HTTP ${response.status}`)
  const description = (await response.json()) as PlaneDescription
  const sendCommand = async (region: string, action: 'kill' | 'start'): Promise<void> => {
    const response = await fetch(`${control}/dev/regions/${region}/${action}`, { method: 'POST' })
    if (!response.ok) throw new Error(`${action} ${region}: ${(await response.text()).trim()}`)
  }
  return {
    ...description,
    kill: (region) => sendCommand(region, 'kill'),
    start: (region) => sendCommand(region, 'start'),
  }
}
