import { KmsError } from './errors.ts'

/** The marker of the page that begins after the name `last`. */
const writeMarker = (last: string): string => Buffer.from(last).toString('base64url')

/** Throws InvalidMarkerException. */
export function readMarker(marker: string | undefined): string | undefined {
  if (marker === undefined) return undefined
  const last = Buffer.from(marker, 'base64url').toString()
  // Names never contain NUL characters, and PostgreSQL refuses text with one.
  if (writeMarker(last) !== marker || last.includes('\0'))
    throw new KmsError('InvalidMarkerException', 'The marker is not valid.')
  return last
}

/** Returns one page of `found`, which the caller has read with `limit + 1`, so that an additional entry shows a next page. */
export function pageOf<T>(
  found: readonly T[],
  { limit, nameOf }: { limit: number; nameOf: (entry: T) => string },
): { entries: readonly T[]; more: { Truncated: boolean; NextMarker?: string } } {
  const entries = found.slice(0, limit)
  const last = entries.at(-1)
  if (found.length <= limit || last === undefined) return { entries, more: { Truncated: false } }
  return { entries, more: { Truncated: true, NextMarker: writeMarker(nameOf(last)) } }
}
