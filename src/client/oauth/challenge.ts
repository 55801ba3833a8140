/** What a server says about why it refuses: the `WWW-Authenticate` header (RFC 9110 section 11.6.1, RFC 6750 section 3). */

export interface BearerChallenge {
  /** `invalid_token`, `insufficient_scope` and the like. */
  readonly error?: string
  readonly description?: string
  /** What the request needs; undefined where the server does not say. */
  readonly scopes?: readonly string[]
  /** Where the metadata of the protected resource is (RFC 9728 section 5.1). */
  readonly resourceMetadata?: string
}

/** The first `Bearer` challenge of a header, whose several values may be joined with commas. */
export function parseBearerChallenge(header: string | undefined): BearerChallenge | undefined {
  const parameters = header === undefined ? undefined : bearerParameters(header.slice(0, MAX_HEADER))
  if (parameters === undefined) return undefined
  const error = parameters.get('error')
  const description = parameters.get('error_description')
  const scope = parameters.get('scope')
  const resourceMetadata = parameters.get('resource_metadata')
  return {
    ...(error === undefined ? {} : { error }),
    ...(description === undefined ? {} : { description }),
    ...(scope === undefined || scope.trim() === '' ? {} : { scopes: splitScopes(scope) }),
    ...(resourceMetadata === undefined ? {} : { resourceMetadata }),
  }
}

/** The scopes of a space-separated list, each once (RFC 6749 section 3.3). */
export function splitScopes(scope: string): readonly string[] {
  return [...new Set(scope.split(/\s+/).filter(Boolean))]
}

const MAX_HEADER = 16_384
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const VALUE = /[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y

/**
 * `Bearer a="x", b=y, Basic realm="z"`: a word with `=` is a parameter of the scheme before it, a word without begins a
 * new one.
 */
function bearerParameters(header: string): ReadonlyMap<string, string> | undefined {
  let scheme = ''
  let found: Map<string, string> | undefined
  for (let index = 0; index < header.length; ) {
    const word = match(TOKEN, header, index)
    if (word === undefined) {
      index++
      continue
    }
    index += word[0].length
    const value = scheme === '' ? undefined : match(VALUE, header, index)
    if (value === undefined) {
      if (found !== undefined) return found
      scheme = word[0].toLowerCase()
      if (scheme === 'bearer') found = new Map()
      continue
    }
    index += value[0].length
    const name = word[0].toLowerCase()
    // The first one counts: a repeated parameter is an error of the server, or an addition by somebody else.
    if (!found?.has(name)) found?.set(name, value[1]?.replace(/\\(.)/g, '$1') ?? (value[2] as string))
  }
  return found
}

function match(pattern: RegExp, text: string, index: number): RegExpExecArray | undefined {
  pattern.lastIndex = index
  return pattern.exec(text) ?? undefined
}
