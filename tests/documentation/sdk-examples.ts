/** The examples in the comments of the installed SDK's commands. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Example, Input } from './example.ts'

const EXAMPLE =
  /^@example (?<title>[A-Z].+)\n```javascript\n[\s\S]*?^const input = (?<input>\{(?: \/\* empty \*\\\/ \}|[\s\S]*?^\}));[\s\S]*?^\/\* response is\n(?<output>\{(?: \/\* (?:empty|metadata only) \*\\\/ \}|[\s\S]*?^\}))\n/gm

/** @param client the name of the SDK's package */
export function sdkExamples<Operation extends string>(
  client: string,
  operationNames: readonly Operation[],
): Example<Operation>[] {
  const root = dirname(createRequire(import.meta.url).resolve(`${client}/package.json`))
  return operationNames.flatMap((operation) => {
    const text = readFileSync(join(root, 'dist-types/commands', `${operation}Command.d.ts`), 'utf8')
    const comment = text.replace(/^ \* ?/gm, '')
    return [...comment.matchAll(EXAMPLE)]
      .map((match) => match.groups as Record<'title' | 'input' | 'output', string>)
      .filter(({ title }) => !title.startsWith('Use a bare-bones'))
      .map(({ title, input, output }) => ({
        name: `SDK ${operation}: ${title}`,
        operation,
        input: parseLiteral(input) as Input,
        output: parseLiteral(output),
      }))
  })
}

/** An object literal with one member a line; its names have no quotes, and a text with quotes or line breaks stands in backticks. */
function parseLiteral(literal: string): unknown {
  const json = literal
    .replace(/\/\* (?:empty|metadata only) \*\\\//, '')
    .replace(/`([^`]*)`/g, (_, text: string) => JSON.stringify(text))
    .replace(/^(\s*)([\w.:-]+): /gm, '$1"$2": ')
  return JSON.parse(json)
}
