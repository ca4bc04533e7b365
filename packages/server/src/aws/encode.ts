/**
 * Encodes a handler's output as AWS JSON 1.1: dates as epoch seconds, bytes as base64; undefined members are left out.
 * https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 */
export function encode(output: object | undefined): string {
  return output === undefined ? '' : JSON.stringify(output, isJson(output) ? undefined : replacer)
}

/** Whether a value needs no replacer. Most outputs need none, and calling it for each member takes longer than all other work. */
function isJson(value: unknown): boolean {
  if (typeof value !== 'object') return true
  if (value === null || value instanceof Date || value instanceof Uint8Array) return false
  // No `for ... in`: for objects of many shapes V8 optimizes and deoptimizes it again and again (docs/decisions/speed.md).
  return (Array.isArray(value) ? value : Object.values(value)).every(isJson)
}

function replacer(this: Record<string, unknown>, name: string, value: unknown): unknown {
  // Date.prototype.toJSON and Buffer.prototype.toJSON run before the replacer does.
  const raw = this[name]
  if (raw instanceof Date) return raw.getTime() / 1000
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64')
  return value === null ? undefined : value
}
