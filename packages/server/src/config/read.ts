import type { z } from 'zod'
import { readSmallFile, reasonOf } from '../configured-file.ts'
import { knownMembers, nearest } from './members.ts'
import { type RegionConfig, schema } from './schema.ts'

/** Lists the mistakes of a configuration, one per line, each with its member. It never contains a value, which may be a secret. */
export class ConfigError extends Error {
  readonly mistakes: readonly string[]

  constructor(mistakes: readonly string[]) {
    super(`the configuration is invalid:\n${mistakes.map((line) => `  ${line}`).join('\n')}`)
    this.name = 'ConfigError'
    this.mistakes = mistakes
  }
}

/** Checks a configuration and fills in defaults. Throws ConfigError. */
export function parseConfig(input: unknown): RegionConfig {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  throw new ConfigError(result.error.issues.flatMap((issue) => describe(issue, [], input)))
}

type Path = readonly PropertyKey[]
type Issue = z.core.$ZodIssue

const nameOf = (path: Path): string => path.map(String).join('.') || '(root)'

function describe(issue: Issue, above: Path, input: unknown): string[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    const known = knownMembers(path, input)
    return issue.keys.map((key) => {
      const meant = nearest(key, known)
      const advice = meant ? `did you mean ${meant}?` : `known are: ${known.join(', ')}`
      return `${nameOf([...path, key])}: unknown member; ${advice}`
    })
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // The variant with mistakes deepest in the value is the one that was meant.
    const [deepest = []] = [...issue.errors].sort((a, b) => depthOf(b) - depthOf(a))
    return deepest.flatMap((inner) => describe(inner, path, input))
  }
  return [`${nameOf(path)}: ${issue.message}`]
}

const depthOf = (issues: readonly Issue[]): number =>
  Math.max(...issues.map(({ path, code }) => path.length * 2 + (code === 'invalid_type' ? 0 : 1)))

/**
 * Reads a configuration file (JSON). A value of the form `"${NAME}"` is replaced by the environment variable, one of the form
 * `"${file:PATH}"` by the content of the file without white space at its end, so that the file needs no secrets. Throws ConfigError.
 */
export function readConfig(file: string, environment: NodeJS.ProcessEnv = process.env): RegionConfig {
  let text: string
  try {
    text = readSmallFile(file).toString()
  } catch (error) {
    throw new ConfigError([`${file}: ${reasonOf(error)}`])
  }
  const mistakes: string[] = []
  const config = substitute(parseJson(file, text), [], { environment, mistakes })
  if (mistakes.length > 0) throw new ConfigError(mistakes)
  return parseConfig(config)
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // The message of the error contains a part of the text, which may be a secret; only the position is used.
    const at = /at position (\d+)/.exec((error as Error).message)?.[1]
    const lines = text.slice(0, Number(at ?? text.length)).split('\n')
    throw new ConfigError([`${file} is not JSON: line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`])
  }
}

interface Substitution {
  environment: NodeJS.ProcessEnv
  /** Receives a line per value that cannot be read. */
  mistakes: string[]
}

function substitute(value: unknown, path: Path, into: Substitution): unknown {
  if (typeof value === 'string') return substituteText(value, path, into)
  if (Array.isArray(value)) return value.map((entry, at) => substitute(entry, [...path, at], into))
  if (typeof value !== 'object' || value === null) return value
  // `fromEntries` defines `__proto__` as an ordinary member.
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [name, substitute(entry, [...path, name], into)]),
  )
}

function substituteText(value: string, path: Path, { environment, mistakes }: Substitution): string {
  const [, name, file] = /^\$\{(?:(\w+)|file:(.+))\}$/.exec(value) ?? []
  if (file !== undefined) {
    try {
      return readSmallFile(file).toString().trimEnd()
    } catch (error) {
      mistakes.push(`${nameOf(path)}: ${file}: ${reasonOf(error)}`)
    }
  }
  if (name !== undefined) {
    const found = Object.hasOwn(environment, name) ? environment[name] : undefined
    if (found !== undefined) return found
    mistakes.push(`${nameOf(path)}: the environment variable ${name} is not set`)
  }
  // Taken literally, a misspelt reference to a secret would be a secret that everybody can guess.
  if (name === undefined && file === undefined && /^\s*\$\{.*\}\s*$/s.test(value)) {
    mistakes.push(`${nameOf(path)}: neither "\${NAME}", a name of letters, digits and _, nor "\${file:PATH}"`)
  }
  return value
}
