/** Text of others, before it is shown: what is known to be secret in it, and what looks like it, is replaced. */

import type { HttpCall } from './http-client.js'

/** What a call sends that is nobody's business: all but what the protocol itself says. */
export function secretsOf({ headers, url }: Pick<HttpCall, 'headers' | 'url'>): readonly string[] {
  const shown = Object.entries(headers)
    .filter(([name]) => !PUBLIC.test(name))
    .flatMap(([, value]) => [value, value.replace(/^\S+\s+/, '')])
  const { searchParams, search } = new URL(url)
  const asked = [...searchParams.values(), ...search.slice(1).split(/[&=]/)]
  return [...shown, ...asked].filter(secret => secret.length >= 4)
}

const PUBLIC = /^(accept|content-.*|host|last-event-id|user-agent|mcp-(?!session-id).*)$/i

/** `secrets` are replaced wherever they stand, and what looks like a credential. */
export function masked(text: string, secrets: readonly string[]): string {
  let result = text
  // The longest first: one may be part of another.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length))
    result = result.replaceAll(secret, '***')
  return result
    .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]{6,}/gi, '$1 ***')
    .replace(
      /((?:token|secret|passw(?:or)?d|api[-_]?key|credential)["']?\s*[:=]\s*["']?)[^\s"'&,;]{4,}/gi,
      '$1***',
    )
    .replace(/\b(?:sk|pk|ghp|gho|ghs|xox[a-z])[-_][\w-]{6,}|\beyJ[\w-]+\.[\w.-]+/g, '***')
}
