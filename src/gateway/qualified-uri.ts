/**
 * URIs that name their server: `anyport:SERVER/URI`, for those that several servers have. The server's own URI stands in it as it
 * is, so that the expansions of a template keep the form. A server's URI of this scheme (it may be a gateway itself) is always
 * qualified, so that a qualified URI has one reading.
 */

const SCHEME = 'anyport:'

export function qualifiedUri(server: string, uri: string): string {
  return `${SCHEME}${encodeURIComponent(server)}/${uri}`
}

export function isQualifiedUri(uri: string): boolean {
  return uri.startsWith(SCHEME)
}

/** The server and its own URI; undefined where the URI has another form. */
export function splitQualifiedUri(uri: string): readonly [server: string, uri: string] | undefined {
  const [, server, own] = /^anyport:([^/]+)\/(.*)$/s.exec(uri) ?? []
  if (server === undefined || own === undefined) return undefined
  try {
    return [decodeURIComponent(server), own]
  } catch {
    return undefined
  }
}
