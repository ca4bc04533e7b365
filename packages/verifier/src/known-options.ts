import { VerifierOptionsError } from './errors.ts'

/**
 * Refuses options with an unknown name: a misspelled option would be one that was left out, and what it demands would not be checked.
 *
 * @param what of which function or part, for the message
 * @throws VerifierOptionsError that names the option
 */
export function refuseUnknown(given: unknown, known: readonly string[], what: string): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new VerifierOptionsError(`${what} must be an object`)
  }
  const stray = Object.keys(given).find((name) => !known.includes(name))
  if (stray === undefined) return
  throw new VerifierOptionsError(`unknown option '${stray}' of ${what}; it takes ${known.join(', ')}`)
}
