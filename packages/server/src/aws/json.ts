import { CognitoError } from '../errors.ts'
import type { InputLimits } from './input-limits.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Parses a body whose depth and number of values are within the limits. Throws SerializationException. */
export function parseJson(body: Buffer, limits: Pick<InputLimits, 'depth' | 'values'>): unknown {
  if (body.length === 0) return {}
  checkSize(body, limits)
  try {
    return JSON.parse(decoder.decode(body))
  } catch {
    throw new CognitoError('SerializationException', 'The request body is not JSON.')
  }
}

const [QUOTE, COMMA, OPEN_LIST, BACKSLASH, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [...Buffer.from('",[\\]{}')]

/** Counts without parsing: parsing builds every value, and takes seconds for some texts of a few megabytes. */
function checkSize(body: Buffer, limits: Pick<InputLimits, 'depth' | 'values'>): void {
  let depth = 0
  let values = 1
  for (let at = 0; at < body.length; at += 1) {
    switch (body[at]) {
      case QUOTE:
        at = endOfText(body, at)
        break
      case OPEN_LIST:
      case OPEN_OBJECT:
        depth += 1
        values += 1
        if (depth > limits.depth) throw new CognitoError('SerializationException', 'The input is nested too deeply.')
        break
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        depth -= 1
        break
      case COMMA:
        values += 1
    }
    if (values > limits.values) throw new CognitoError('SerializationException', 'The input has too many values.')
  }
}

/** The position of the quote that ends the text; the length of the body without one. */
function endOfText(body: Buffer, start: number): number {
  let at = start + 1
  while (at < body.length && body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1
  return at
}
