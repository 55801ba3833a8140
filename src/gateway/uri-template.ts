/** Which URIs a template can have made (RFC 6570): in time linear in the URI, since templates come from servers and URIs from clients. */

export interface UriPattern {
  /**
   * Whether the template can have made the URI. `strict`: a plain expression has no reserved characters; else any
   * expression may hold anything, as many servers mean it (`file:///{path}`).
   */
  matches(uri: string, strict: boolean): boolean
  /** Characters outside expressions: a template with more of them says more. */
  readonly literals: number
}

/** Undefined for what is no template. */
export function uriPattern(template: string): UriPattern | undefined {
  const literals: string[] = []
  const operators: string[] = []
  let end = 0
  for (const match of template.matchAll(/\{([+#./;?&]?)[^{}]*\}/g)) {
    literals.push(template.slice(end, match.index))
    operators.push(match[1] as string)
    end = match.index + match[0].length
  }
  literals.push(template.slice(end))
  if (literals.some(literal => /[{}]/.test(literal))) return undefined
  return {
    literals: literals.reduce((sum, literal) => sum + literal.length, 0),
    matches: (uri, strict) => {
      const values = valuesOf(uri, literals, operators)
      if (values === undefined) return false
      return (
        !strict ||
        values.every((value, index) => ALLOWED.get(operators[index] as string)?.test(value) === true)
      )
    },
  }
}

/** What each expression stands for, every one as short as can be. */
function valuesOf(
  uri: string,
  literals: readonly string[],
  operators: readonly string[],
): readonly string[] | undefined {
  const first = literals[0] as string
  const last = literals.at(-1) as string
  if (operators.length === 0) return uri === first ? [] : undefined
  const limit = uri.length - last.length
  if (first.length > limit || !uri.startsWith(first) || !uri.endsWith(last)) return undefined
  const values: string[] = []
  let at = first.length
  for (let index = 1; index < operators.length; index++) {
    const literal = literals[index] as string
    const next =
      literal === ''
        ? borderOf(uri, at, endOfExpressions(uri, at, literals, index, limit), operators[index] as string)
        : uri.indexOf(literal, at)
    if (next < 0 || next + literal.length > limit) return undefined
    values.push(uri.slice(at, next))
    at = next + literal.length
  }
  values.push(uri.slice(at, limit))
  return values
}

/** Where the next characters outside of expressions are, for several expressions that follow each other at once. */
function endOfExpressions(
  uri: string,
  from: number,
  literals: readonly string[],
  index: number,
  limit: number,
): number {
  for (let next = index + 1; next < literals.length - 1; next++) {
    const literal = literals[next] as string
    if (literal !== '') return uri.indexOf(literal, from)
  }
  return limit
}

/** Where an expression begins that follows another one at once: at the character that its operator writes. */
function borderOf(uri: string, from: number, limit: number, operator: string): number {
  if (limit < 0 || operator === '' || operator === '+') return limit < 0 ? limit : from
  const found = uri.indexOf(operator, from)
  return found < 0 || found > limit ? limit : found
}

const ALLOWED: ReadonlyMap<string, RegExp> = new Map([
  ['', /^[^/?#]*$/],
  ['+', /^/],
  ['#', /^(?:#|$)/],
  ['.', /^(?:\.[^/?#]*)?$/],
  ['/', /^(?:\/[^?#]*)?$/],
  [';', /^(?:;[^/?#]*)?$/],
  ['?', /^(?:\?[^#]*)?$/],
  ['&', /^(?:&[^#]*)?$/],
])
