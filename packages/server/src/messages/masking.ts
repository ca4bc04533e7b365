/** A destination as it is shown to whoever asked for a code: `a***@e***`, `+*******1234`. */
export function maskDestination(value: string): string {
  const at = value.lastIndexOf('@')
  if (at > 0) return `${first(value)}***@${first(value.slice(at + 1))}***`
  return `+${'*'.repeat(Math.max(0, value.length - 5))}${value.slice(-4)}`
}

const first = (text: string): string => String.fromCodePoint(text.codePointAt(0) ?? 0x2a)
