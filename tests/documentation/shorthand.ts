/** The parts of a command line of the AWS CLI: words of a shell, and the CLI's shorthand for structures. */
import type { Member, Structures } from '@twinpool/server/internal/aws/shapes'

/** Splits a command as a shell does: quotes and backslashes group, and disappear. */
export function splitWords(command: string): string[] {
  const words: string[] = []
  const part = /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)|([^\s"'\\]+)|(\s+)/gs
  let word: string | undefined
  for (const [, double, single, escaped, bare, space] of command.matchAll(part)) {
    if (space !== undefined) {
      if (word !== undefined) words.push(word)
      word = undefined
      continue
    }
    word = (word ?? '') + (double?.replace(/\\(["\\$`])/g, '$1') ?? single ?? escaped ?? bare)
  }
  return word === undefined ? words : [...words, word]
}

/**
 * Parses the value of an option, of the type of its member: JSON, or `Name=value,Other={Inner=value},List=[a,b]`.
 * https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-shorthand.html
 */
export function parseShorthand(text: string, member: Member, structures: Structures): unknown {
  if (text.startsWith('file://') || !isNested(member)) return convert(text, member)
  if (/^\s*[{[]\s*(["{[]|$)/.test(text)) return JSON.parse(text)
  const reader = { text, at: 0 }
  return member.type === 'list' ? readList(reader, member, structures) : readPairs(reader, member, structures)
}

interface Reader {
  text: string
  at: number
}

const isNested = ({ type }: Member): boolean => type === 'structure' || type === 'map' || type === 'list'

function readPairs(reader: Reader, member: Member, structures: Structures): Record<string, unknown> {
  const pairs: Record<string, unknown> = {}
  for (;;) {
    const name = read(reader, /[^=,{}[\]]+(?==)/y)
    if (name === undefined) return pairs
    reader.at += 1
    const inner = member.type === 'map' ? member.of : structures[member.structure as string]?.[name]
    if (!inner) throw new Error(`${name} is not in the model: ${reader.text}`)
    pairs[name] = readValue(reader, inner, structures)
    if (read(reader, /,/y) === undefined) return pairs
  }
}

function readValue(reader: Reader, member: Member, structures: Structures): unknown {
  if (member.type === 'list') {
    if (reader.text[reader.at] === '[') return readList(reader, member, structures)
    // A list without brackets ends before the next name.
    const values: unknown[] = []
    do values.push(readValue(reader, member.of as Member, structures))
    while (read(reader, /,(?![^,{}[\]]+=)/y) !== undefined)
    return values
  }
  if (isNested(member)) {
    read(reader, /\{/y)
    const pairs = readPairs(reader, member, structures)
    read(reader, /\}/y)
    return pairs
  }
  const quoted = read(reader, /"[^"]*"/y)
  return convert(quoted?.slice(1, -1) ?? read(reader, /[^,}]+/y) ?? '', member)
}

function readList(reader: Reader, member: Member, structures: Structures): unknown[] {
  const values: unknown[] = []
  read(reader, /\[/y)
  while (read(reader, /\]/y) === undefined && reader.at < reader.text.length) {
    values.push(readValue(reader, member.of as Member, structures))
    read(reader, /,/y)
  }
  return values
}

function read(reader: Reader, pattern: RegExp): string | undefined {
  pattern.lastIndex = reader.at
  const found = pattern.exec(reader.text)?.[0]
  reader.at += found?.length ?? 0
  return found
}

function convert(text: string, { type }: Member): unknown {
  if (type === 'boolean') return /^true$/i.test(text)
  return type === 'integer' || type === 'long' || type === 'double' ? Number(text) : text
}
