import type { Live } from './live.js'

export interface Reply {
  readonly result?: Record<string, unknown>
  readonly error?: { readonly code?: number; readonly message?: string; readonly data?: unknown }
}

export interface CallOptions {
  readonly signal: AbortSignal
  /** The tool's schema says which arguments are headers as well. */
  readonly schema?: unknown
  readonly onProgress?: (params: Record<string, unknown>) => void
}

/**
 * Runs in the page, as its source: a client like any other, of revision 2026-07-28, at the endpoint that all use, with the viewer's own
 * credential. Specification: basic/transports/streamable-http.
 */
export function mcpClient(live: Live, version: () => string) {
  const META = 'io.modelcontextprotocol/'
  let next = 1

  /** "Value Encoding". */
  function headerValue(text: string): string {
    if (/^(?:[!-~](?:[ -~]*[!-~])?)?$/.test(text) && !(text.startsWith('=?base64?') && text.endsWith('?=')))
      return text
    let binary = ''
    for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
    return `=?base64?${btoa(binary)}?=`
  }

  /** "Custom Headers from Tool Parameters": only what `properties` lead to. */
  function mirrored(schema: unknown, value: unknown, found: Record<string, string>): Record<string, string> {
    const { properties } = (schema ?? {}) as { readonly properties?: Record<string, Record<string, unknown>> }
    if (typeof properties !== 'object' || typeof value !== 'object' || value === null) return found
    for (const [name, property] of Object.entries(properties)) {
      const part = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
      const header = property?.['x-mcp-header']
      const isPlain = typeof part === 'string' || typeof part === 'number' || typeof part === 'boolean'
      if (typeof header === 'string' && isPlain) found[`Mcp-Param-${header}`] = headerValue(String(part))
      mirrored(property, part, found)
    }
    return found
  }

  async function request(
    path: string,
    method: string,
    params: Record<string, unknown>,
    { signal, schema, onProgress }: CallOptions,
  ): Promise<Reply> {
    const id = next++
    const { name, arguments: args } = params
    const message = {
      jsonrpc: '2.0',
      id,
      method,
      params: {
        ...params,
        _meta: {
          [`${META}protocolVersion`]: '2026-07-28',
          [`${META}clientInfo`]: { name: 'anyport-dashboard', version: version() },
          [`${META}clientCapabilities`]: { elicitation: { form: {} } },
          ...(onProgress === undefined ? {} : { progressToken: id }),
        },
      },
    }
    const reply = await fetch(path, {
      method: 'POST',
      signal,
      cache: 'no-store',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...(typeof name === 'string' ? { 'mcp-name': headerValue(name) } : {}),
        ...mirrored(schema, args, {}),
        ...live.headers(),
      },
      body: JSON.stringify(message),
    })
    if (reply.status === 401) live.askForKey('This call needs a key.')
    if (reply.headers.get('content-type')?.startsWith('text/event-stream') !== true || reply.body === null) {
      const text = await reply.text()
      try {
        const answer = JSON.parse(text)
        if (answer.result !== undefined || answer.error !== undefined) return answer
      } catch {
        // It is shown as what it is.
      }
      return { error: { message: `HTTP ${reply.status}: ${text.slice(0, 500)}` } }
    }
    let answer: Reply | undefined
    await live.readEvents(reply.body, (_name, data) => {
      const event = JSON.parse(data)
      if (event.id === id && event.method === undefined) answer = event
      else if (event.method === 'notifications/progress') onProgress?.(event.params ?? {})
    })
    return answer ?? { error: { message: 'The stream ended without an answer' } }
  }

  /** All pages of a list. */
  async function tools(path: string, signal: AbortSignal): Promise<readonly Record<string, unknown>[]> {
    const found: Record<string, unknown>[] = []
    let cursor: unknown
    for (let page = 0; page < 50; page++) {
      const params = cursor === undefined ? {} : { cursor }
      const { result, error } = await request(path, 'tools/list', params, { signal })
      if (error !== undefined) throw new Error(error.message ?? 'The tools cannot be listed')
      if (Array.isArray(result?.tools)) found.push(...result.tools)
      cursor = result?.nextCursor
      if (typeof cursor !== 'string') break
    }
    return found
  }

  return { request, tools }
}

export type McpClient = ReturnType<typeof mcpClient>
