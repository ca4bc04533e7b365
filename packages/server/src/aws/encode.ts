/**
 * What a handler answered, in the terms of AWS JSON 1.1: dates as epoch seconds, bytes as base64, nothing for undefined.
 * https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 */
export function encode(output: object | undefined): string {
  return output === undefined ? '' : JSON.stringify(output, isJson(output) ? undefined : replacer)
}

/** Whether JSON has it as it is: most answers do, and calling the replacer for each member would take longer than all the rest. */
function isJson(value: unknown): boolean {
  if (typeof value !== 'object') return true
  if (value === null || value instanceof Date || value instanceof Uint8Array) return false
  // Not by `for ... in`: V8 makes code for it and throws it away again, on and on, where objects of many shapes pass (docs/decisions/speed.md).
  return (Array.isArray(value) ? value : Object.values(value)).every(isJson)
}

function replacer(this: Record<string, unknown>, name: string, value: unknown): unknown {
  // Date.prototype.toJSON and Buffer.prototype.toJSON run before the replacer does.
  const raw = this[name]
  if (raw instanceof Date) return raw.getTime() / 1000
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64')
  return value === null ? undefined : value
}
