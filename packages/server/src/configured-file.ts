import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** Certificates, keys and configurations are smaller. */
const MAX_BYTES = 1024 * 1024

/** Reads a file that the configuration names. Throws an error that names the member: a path alone says little to an operator. */
export function readConfiguredFile(member: string, file: string): Buffer {
  try {
    return readSmallFile(file)
  } catch (error) {
    throw new Error(`${member}: ${file}: ${reasonOf(error)}`)
  }
}

/** Reads a file or a pipe. A device may be endless, and reading one would stop a region that reloads. */
export function readSmallFile(file: string): Buffer {
  const descriptor = openSync(file, 'r')
  try {
    const found = fstatSync(descriptor)
    if (found.isCharacterDevice() || found.isBlockDevice()) throw new UnsuitableFileError('a device, not a file')
    const bytes = Buffer.alloc(MAX_BYTES + 1)
    let length = 0
    for (;;) {
      const read = readSync(descriptor, bytes, length, bytes.length - length, null)
      length += read
      if (length > MAX_BYTES) throw new UnsuitableFileError('larger than 1 MB')
      if (read === 0) return Buffer.from(bytes.subarray(0, length))
    }
  } finally {
    closeSync(descriptor)
  }
}

/** Why a file could not be read; without its content. */
export const reasonOf = (error: unknown): string =>
  error instanceof UnsuitableFileError ? error.message : ((error as NodeJS.ErrnoException).code ?? 'cannot be read')

class UnsuitableFileError extends Error {}
