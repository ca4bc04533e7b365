export function ensureInstalled(options?: { root?: string; say?: (line: string) => void }): Promise<string>
export function pinnedNode(root?: string, platform?: string, arch?: string): string
export function isInstalled(root: string): boolean
export function checkOwnNode(platform?: string, version?: string): void
