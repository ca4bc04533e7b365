import type { EngineName } from '../testing/regions.ts'
import type { Arena } from './arena.ts'
export class NetworkUnavailableError extends Error {}
export async function openNetworkArena(_: EngineName): Promise<Arena> {
  throw new NetworkUnavailableError('not yet')
}
