/** What `twinpool dev` says of itself once it is ready. */
export interface PlaneDescription {
  control: string
  regions: Record<string, { endpoint: string }>
  credentials: { accessKeyId: string; secretAccessKey: string }
}

/** The controls of a running `twinpool dev`. */
export interface DevPlane extends PlaneDescription {
  /** SIGKILL; resolves once the process is gone. */
  kill(region: string): Promise<void>
  /** Resolves once the region listens again. */
  start(region: string): Promise<void>
}

/** Finds the plane behind a control port. @throws Error when none answers there */
export async function connectDevPlane(control: string): Promise<DevPlane> {
  const response = await fetch(`${control}/dev/ready`)
  if (!response.ok) throw new Error(`${control} answered ${response.status}`)
  const description = (await response.json()) as PlaneDescription
  const order = async (region: string, action: 'kill' | 'start'): Promise<void> => {
    const answer = await fetch(`${control}/dev/regions/${region}/${action}`, { method: 'POST' })
    if (!answer.ok) throw new Error(`${action} ${region}: ${(await answer.text()).trim()}`)
  }
  return { ...description, kill: (region) => order(region, 'kill'), start: (region) => order(region, 'start') }
}
