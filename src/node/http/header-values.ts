// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
/** Headers as people give them: with variables in place of secrets. */

type Environment = Readonly<Record<string, string | undefined>>

/** What the protocol or HTTP itself says with each request. */
const RESERVED =
  /^(accept|accept-encoding|connection|content-encoding|content-length|content-type|expect|keep-alive|last-event-id|mcp-method|mcp-name|mcp-param-.*|mcp-protocol-version|mcp-session-id|proxy-authorization|te|trailer|transfer-encoding|upgrade)$/

/**
 * The headers as they are sent, under their lower-case names. `${NAME}` stands for a variable of the environment, `${NAME:-text}` for the
 * text where there is none, `$${` for `${` itself. Throws `TypeError` that names the header and the variable, and never shows a value.
 */
export function resolveHeaders(
  headers: Readonly<Record<string, string>>,
  env: Environment = process.env,
): Record<string, string> {
  const resolved = new Map<string, string>()
  for (const [name, given] of Object.entries(headers)) {
    const header = name.toLowerCase()
    // RFC 9110, section 5.6.2.
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(header))
      throw new TypeError(`headers: ${JSON.stringify(name)} is no name of a header`)
    const fail = (why: string) => new TypeError(`headers: ${name} ${why}`)
    if (RESERVED.test(header)) throw fail('is set by anyport itself')
    if (resolved.has(header)) throw fail('is given twice')
    const value = resolve(given, env, fail).trim()
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value))
      throw fail('has a value with a line break or another character that no header can have')
    resolved.set(header, value)
  }
  return Object.fromEntries(resolved)
}

/** For `resolveHeaders`: values that stand for themselves, whatever they look like. */
export function literalHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replaceAll('${', () => '$${')]),
  )
}

function resolve(text: string, env: Environment, fail: (why: string) => TypeError): string {
  return text.replace(/\$\$\{|\$\{([^{}]*)\}/g, (_whole, reference: string | undefined) => {
    if (reference === undefined) return '${'
    const [, name, fallback] = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(reference) ?? []
    if (name === undefined)
      throw fail(
        'has a reference in its value that is none to a variable; write ${NAME}, or $${ for the text ${',
      )
    const value = env[name]
    if (value !== undefined && value !== '') return value
    if (fallback !== undefined) return fallback
    throw fail(`needs the variable ${name}, which ${value === undefined ? 'is not set' : 'is empty'}`)
  })
}
