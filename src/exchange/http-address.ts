/**
 * The address of a remote server as a person may see it, in names, logs and errors. Secrets travel in addresses as well: user
 * names, query values, and path segments that are long and random.
 */
export function nameOfUrl(url: string): string {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    return 'an invalid address'
  }
  const path = parsed.pathname
    .split('/')
    .map(segment => (isRandom(segment) ? '***' : segment))
    .join('/')
  const query = [...parsed.searchParams.keys()].map(
    key => `${isRandom(key) ? '***' : encodeURIComponent(key)}=***`,
  )
  return `${parsed.protocol}//${parsed.host}${path}${query.length === 0 ? '' : `?${query.join('&')}`}`
}

/** Letters and digits mixed, at a length that no word has. */
function isRandom(text: string): boolean {
  return text.length >= 20 && /\d/.test(text) && /[A-Za-z]/.test(text) && !/%2F/i.test(text)
}

/** Scheme, host and port are the same. `URL.origin` does not tell for schemes of our own (`http+unix:`). */
export function isSameOrigin(one: URL, other: URL): boolean {
  return one.protocol === other.protocol && one.host === other.host
}
