import { KmsError } from './errors.ts'

/** Where the next page begins: after this key. */
export const writeMarker = (last: string): string => Buffer.from(last).toString('base64url')

/** Throws InvalidMarkerException. */
export function readMarker(marker: string | undefined): string | undefined {
  if (marker === undefined) return undefined
  const last = Buffer.from(marker, 'base64url').toString()
  // No name has one, and PostgreSQL takes no text that does.
  if (writeMarker(last) !== marker || last.includes('\0'))
    throw new KmsError('InvalidMarkerException', 'The marker is not valid.')
  return last
}

/** One page of what was read with a limit one higher than the page's. */
export function pageOf<T>(
  found: readonly T[],
  { limit, nameOf }: { limit: number; nameOf: (entry: T) => string },
): { entries: readonly T[]; more: { Truncated: boolean; NextMarker?: string } } {
  const entries = found.slice(0, limit)
  const last = entries.at(-1)
  if (found.length <= limit || last === undefined) return { entries, more: { Truncated: false } }
  return { entries, more: { Truncated: true, NextMarker: writeMarker(nameOf(last)) } }
}
