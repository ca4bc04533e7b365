/** Masks a destination for the response to the caller who requested a code: `a***@e***`, `+*******1234`. */
export function maskDestination(value: string): string {
  const at = value.lastIndexOf('@')
  if (at > 0) return `${first(value)}***@${first(value.slice(at + 1))}***`
  const digits = value.slice(1)
  return `+${digits.slice(-4).padStart(digits.length, '*')}`
}

const first = (text: string): string => String.fromCodePoint(text.codePointAt(0) ?? 0x2a)
