import { readFileSync } from 'node:fs'
import { type RegionConfig, schema } from './schema.ts'

/** Lists the mistakes of a configuration, one per line. It never contains a value, which may be a secret. */
export class ConfigError extends Error {
  constructor(mistakes: readonly string[]) {
    super(`the configuration is invalid:\n${mistakes.map((line) => `  ${line}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

/** Checks a configuration and fills in defaults. Throws ConfigError. */
export function parseConfig(input: unknown): RegionConfig {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  throw new ConfigError(result.error.issues.map(({ path, message }) => `${path.join('.') || '(root)'}: ${message}`))
}

/**
 * Reads a configuration file (JSON). A value of the form `"${NAME}"` is replaced by the environment variable, so that the file
 * needs no secrets. Throws ConfigError.
 */
export function readConfig(file: string, environment: NodeJS.ProcessEnv = process.env): RegionConfig {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError([`${file}: ${(error as NodeJS.ErrnoException).code ?? 'cannot be read'}`])
  }
  let input: unknown
  try {
    input = JSON.parse(text, (_, value: unknown) => {
      const name = typeof value === 'string' ? /^\$\{(\w+)\}$/.exec(value)?.[1] : undefined
      if (name === undefined) return value
      const found = environment[name]
      if (found === undefined) throw new ConfigError([`the environment variable ${name} is not set`])
      return found
    })
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError([`${file} is not JSON`])
  }
  return parseConfig(input)
}
