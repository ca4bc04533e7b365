/** The examples of the AWS CLI, where it is installed. */
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Member } from '@twinpool/server/internal/aws/shapes'
import { operationNames, structures } from '@twinpool/server/internal/cognito/shapes.generated'
import { type Example, type Input, inputMembers } from './example.ts'
import { parseShorthand, splitWords } from './shorthand.ts'

/** Undefined where the CLI is not installed, or its package has no examples. */
export function cliExamples(): Example[] | undefined {
  const directory = findDirectory()
  if (directory === undefined) return undefined
  return globSync('*.rst', { cwd: directory })
    .sort()
    .flatMap((file) => examplesOf(readFileSync(join(directory, file), 'utf8')))
}

/** The folder of the examples, from the Python that runs `aws`: the CLI of version 1 is a package of it. */
function findDirectory(): string | undefined {
  try {
    const script = execFileSync('aws', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    if (!script.startsWith('aws-cli/')) return undefined
    const program = 'import awscli, os; print(os.path.dirname(awscli.__file__))'
    for (const python of ['python3', 'python']) {
      const place = execFileSync(python, ['-c', program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      const directory = join(place.trim(), 'examples/cognito-idp')
      if (existsSync(directory)) return directory
    }
  } catch {
    // Not installed.
  }
  return undefined
}

function examplesOf(text: string): Example[] {
  const sections = text.replace(/\r/g, '').split(/^(?=\*\*)/m)
  return sections.flatMap((section) => {
    const title = /^\*\*(.+?)\*\*/.exec(section)?.[1]
    const [call = '', documented] = section.split(/^Output::\s*$/m)
    const words = splitWords(commandOf(call))
    if (title === undefined || words.length === 0) return []
    const [name = '', ...options] = words
    const operation = operationNames.find((known) => known.toLowerCase() === plain(name))
    if (!operation) throw new Error(`the CLI documents ${name}, which the model lacks`)
    const input: Input = {}
    for (const [option, values] of optionsOf(options)) {
      const [member, value] = memberOf(inputMembers(operation), option, values)
      input[member] = value
    }
    return { name: `CLI ${operation}: ${title}`, operation, input, output: parseOutput(documented) }
  })
}

const plain = (name: string): string => name.replaceAll('-', '').toLowerCase()

/** The indented lines that begin with `aws cognito-idp`, on one line, without these words. */
function commandOf(text: string): string {
  const block = /^[ \t]+aws cognito-idp (.*(?:\n(?:[ \t]+\S.*|[ \t]*))*)/m.exec(text)?.[1] ?? ''
  return block.replace(/\\?\s*\n\s*/g, ' ').trim()
}

function optionsOf(words: readonly string[]): [string, string[]][] {
  const options: [string, string[]][] = []
  for (const word of words) {
    const [, name, value] = /^--([\w-]+)(?:=([\s\S]*))?$/.exec(word) ?? []
    if (name !== undefined) options.push([name, value === undefined ? [] : [value]])
    else options.at(-1)?.[1].push(word)
  }
  return options
}

/** The member that an option sets; an option of the CLI itself (`--query`) keeps its name. `--max-items` is a page size. */
function memberOf(members: Readonly<Record<string, Member>>, option: string, values: string[]): [string, unknown] {
  const wanted = option === 'max-items' ? 'limit' : plain(option)
  const [name, member] =
    Object.entries(members).find(([name]) => name.toLowerCase() === wanted) ??
    Object.entries(members).find(([name]) => `no${name.toLowerCase()}` === wanted) ??
    []
  if (name === undefined || !member) return [`--${option}`, values.join(' ')]
  if (member.type === 'boolean' && values.length === 0) return [name, !option.startsWith('no-')]
  if (member.type === 'list')
    return [name, values.map((value) => parseShorthand(value, member.of as Member, structures))]
  return [name, parseShorthand(values.join(' '), member, structures)]
}

/** Some documented outputs are no JSON: they stay text. */
function parseOutput(text: string | undefined): unknown {
  const block = text && /^[ \t]+[{[][\s\S]*?(?=^\S|(?![\s\S]))/m.exec(text)?.[0]
  try {
    return block ? JSON.parse(block) : undefined
  } catch {
    return block
  }
}
