import { type ParseArgsConfig, parseArgs } from 'node:util'

export interface Command {
  help: string
  /** Resolves with the exit code. Throws CommandError. */
  run(args: string[]): Promise<number>
}

/** A command cannot run; the message explains it to the user at the terminal. */
export class CommandError extends Error {
  override name = 'CommandError'
}

/** Parses the options of a command. Throws CommandError, which names the invalid option. */
export function readOptions<const T extends NonNullable<ParseArgsConfig['options']>>(args: string[], options: T) {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values
  } catch (error) {
    throw new CommandError(`${(error as Error).message} (see --help)`)
  }
}

/** Reads a whole number between bounds. */
export function wholeNumber(name: string, text: string, { least, most }: { least: number; most: number }): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most))
    throw new CommandError(`--${name} takes a whole number from ${least} to ${most}`)
  return value
}

export function oneOf<const T extends string>(name: string, value: string, allowed: readonly T[]): T {
  if (!(allowed as readonly string[]).includes(value))
    throw new CommandError(`--${name} takes one of: ${allowed.join(', ')}`)
  return value as T
}
