import { readFileSync } from 'node:fs'

/** Reads a file that the configuration names. Throws an error that names the member: a path alone says little to an operator. */
export function readConfiguredFile(member: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new Error(`${member}: ${file}: ${(error as NodeJS.ErrnoException).code ?? 'cannot be read'}`)
  }
}
