import type { SpawnOptions } from 'node:child_process'

export const sourceFlags: string[]
export function handOver(program: string, args: string[], options?: SpawnOptions): Promise<number>
