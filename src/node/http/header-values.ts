// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
/** Headers as people give them: with variables in place of secrets. */

import type { CallerHeader, CallerValue } from '../../client/caller-credentials.js'

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
  const { fixed, perCaller } = resolveCallerHeaders(headers, env)
  const [first] = perCaller
  if (first !== undefined)
    throw new TypeError(`headers: ${first.name} depends on who calls, and here all share one connection`)
  return fixed
}

export interface ResolvedHeaders {
  readonly fixed: Record<string, string>
  /** What differs from caller to caller. */
  readonly perCaller: readonly CallerHeader[]
}

/** The same, where `${principal}` stands for who calls, and `${claim:NAME}` for a claim about him. */
export function resolveCallerHeaders(
  headers: Readonly<Record<string, string>>,
  env: Environment = process.env,
): ResolvedHeaders {
  const fixed = new Map<string, string>()
  const perCaller = new Map<string, CallerHeader>()
  for (const [name, given] of Object.entries(headers)) {
    const header = name.toLowerCase()
    // RFC 9110, section 5.6.2.
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(header))
      throw new TypeError(`headers: ${JSON.stringify(name)} is no name of a header`)
    const fail = (why: string) => new TypeError(`headers: ${name} ${why}`)
    if (RESERVED.test(header)) throw fail('is set by anyport itself')
    if (fixed.has(header) || perCaller.has(header)) throw fail('is given twice')
    const parts = partsOf(given.trim(), env, fail)
    if (parts.some(part => typeof part === 'string' && /[^\t\x20-\x7e\x80-\xff]/.test(part.trim())))
      throw fail('has a value with a line break or another character that no header can have')
    if (parts.every(part => typeof part === 'string')) fixed.set(header, parts.join('').trim())
    else perCaller.set(header, { name: header, parts })
  }
  return { fixed: Object.fromEntries(fixed), perCaller: [...perCaller.values()] }
}

/** For `resolveHeaders`: values that stand for themselves, whatever they look like. */
export function literalHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replaceAll('${', () => '$${')]),
  )
}

function partsOf(
  text: string,
  env: Environment,
  fail: (why: string) => TypeError,
): readonly (string | CallerValue)[] {
  const parts: (string | CallerValue)[] = []
  let plain = ''
  let offset = 0
  for (const match of text.matchAll(/\$\$\{|\$\{([^{}]*)\}/g)) {
    const [whole, reference] = match
    plain += text.slice(offset, match.index)
    offset = match.index + whole.length
    const value = reference === undefined ? '${' : meaningOf(reference, env, fail)
    if (typeof value === 'string') plain += value
    else {
      parts.push(...(plain === '' ? [] : [plain]), value)
      plain = ''
    }
  }
  plain += text.slice(offset)
  return plain === '' && parts.length > 0 ? parts : [...parts, plain]
}

function meaningOf(
  reference: string,
  env: Environment,
  fail: (why: string) => TypeError,
): string | CallerValue {
  if (reference === 'principal') return { kind: 'principal' }
  const claim = /^claim:(.+)$/s.exec(reference)?.[1]
  if (claim !== undefined) return { kind: 'claim', name: claim }
  const [, name, fallback] = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(reference) ?? []
  if (name === undefined)
    throw fail(
      'has a reference in its value that is none to a variable or a caller; write ${NAME} or ${claim:NAME}, or $${ for the text ${',
    )
  const value = env[name]
  if (value !== undefined && value !== '') return value
  if (fallback !== undefined) return fallback
  throw fail(`needs the variable ${name}, which ${value === undefined ? 'is not set' : 'is empty'}`)
}
