const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * Whether users may be redirected to this URL after sign-in or sign-out: absolute, without a fragment, HTTPS except on
 * loopback. Private-use schemes of apps are allowed; schemes that run scripts are not. RFC 6749 §3.1.2, RFC 8252 §7.
 */
export function isRedirectUrl(text: string): boolean {
  if (!/^[a-z][a-z0-9+.-]*:/i.test(text) || text.includes('#') || !URL.canParse(text)) return false
  const { protocol, hostname } = new URL(text)
  if (protocol === 'https:') return hostname !== ''
  if (protocol === 'http:') return LOOPBACK.has(hostname)
  return !['javascript:', 'data:', 'vbscript:', 'blob:', 'file:'].includes(protocol)
}
