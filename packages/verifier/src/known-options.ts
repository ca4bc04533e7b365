import { VerifierOptionsError } from './errors.ts'

/**
 * Refuses options with an unknown name. A misspelled option would otherwise be ignored, and its requirement would not be checked.
 *
 * @param what the function or part that takes the options, for the message
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
