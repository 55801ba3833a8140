/** What a client of each era puts on the wire, as ASCII text made by joining strings: it must cost next to nothing. */

const LEGACY_VERSION = '2025-11-25'
const MODERN_VERSION = '2026-07-28'
const CLIENT_INFO = '{"name":"bench","version":"1.0.0"}'
const MODERN_META = `"io.modelcontextprotocol/protocolVersion":"${MODERN_VERSION}","io.modelcontextprotocol/clientInfo":${CLIENT_INFO},"io.modelcontextprotocol/clientCapabilities":{}`

/**
 * `era`: `legacy` opens a session with `initialize`; `modern` describes itself in each request; `plain` is for servers that know no
 * protocol: the legacy request without a session. `headers`: lines of each request beside its own.
 */
export function dialect(era, port, headers = '') {
  const common = `Host: 127.0.0.1:${port}\r\n${headers}Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n`
  const version = era === 'modern' ? MODERN_VERSION : LEGACY_VERSION
  const top = `POST /mcp HTTP/1.1\r\n${common}MCP-Protocol-Version: ${version}\r\n`

  /** Everything up to the body's length, which does not change from call to call. */
  function head(method, name, session) {
    const mirrored = era === 'modern' ? `Mcp-Method: ${method}\r\n${name ? `Mcp-Name: ${name}\r\n` : ''}` : ''
    return `${top}${mirrored}${session ? `Mcp-Session-Id: ${session}\r\n` : ''}Content-Length: `
  }

  function meta(token) {
    const progress = token === undefined ? '' : `"progressToken":${JSON.stringify(token)}`
    if (era !== 'modern') return progress === '' ? '' : `,"_meta":{${progress}}`
    return `,"_meta":{${MODERN_META}${progress === '' ? '' : `,${progress}`}}`
  }

  const plainMeta = meta(undefined)

  return {
    era,
    /** A function of (id, arguments as JSON text, progress token) that gives the request for one tool and session. */
    caller(tool, session) {
      const before = head('tools/call', tool, session)
      return (id, given, token) => {
        const tail = token === undefined ? plainMeta : meta(token)
        const body = `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"${tool}","arguments":${given}${tail}}}`
        return `${before}${body.length}\r\n\r\n${body}`
      }
    },
    /** The list of tools. */
    list(session) {
      const params = plainMeta === '' ? '' : `,"params":{${plainMeta.slice(1)}}`
      const body = `{"jsonrpc":"2.0","id":1,"method":"tools/list"${params}}`
      return `${head('tools/list', undefined, session)}${body.length}\r\n\r\n${body}`
    },
    initialize() {
      const body = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"${LEGACY_VERSION}","capabilities":{},"clientInfo":${CLIENT_INFO}}}`
      return `POST /mcp HTTP/1.1\r\n${common}Content-Length: ${body.length}\r\n\r\n${body}`
    },
    initialized(session) {
      const body = '{"jsonrpc":"2.0","method":"notifications/initialized"}'
      return `${head('notifications/initialized', undefined, session)}${body.length}\r\n\r\n${body}`
    },
    end(session) {
      return `DELETE /mcp HTTP/1.1\r\n${common}MCP-Protocol-Version: ${version}\r\nMcp-Session-Id: ${session}\r\n\r\n`
    },
    /** The long-lived stream of this era: GET, or `subscriptions/listen`. */
    stream(id, session) {
      if (era !== 'modern') {
        const bound = session ? `Mcp-Session-Id: ${session}\r\n` : ''
        return `GET /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: text/event-stream\r\nMCP-Protocol-Version: ${version}\r\n${bound}\r\n`
      }
      const body = `{"jsonrpc":"2.0","id":${id},"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}${plainMeta}}}`
      return `${head('subscriptions/listen', undefined, undefined)}${body.length}\r\n\r\n${body}`
    },
  }
}

/** The JSON-RPC messages of a reply's body, be it one JSON value or an event stream. */
export function messagesOf(body) {
  const text = body.toString('utf8')
  if (text.startsWith('{')) return [JSON.parse(text)]
  const messages = []
  for (const block of text.split(/\r?\n\r?\n/)) {
    let data = ''
    for (const line of block.split(/\r?\n/)) if (line.startsWith('data:')) data += line.slice(5).trimStart()
    if (data !== '') messages.push(JSON.parse(data))
  }
  return messages
}

/** The text of a tool's result, checked to be the answer to `id`; throws with the reply otherwise. */
export function textOf(message, id) {
  const text = message?.result?.content?.[0]?.text
  if (message?.id !== id || typeof text !== 'string') {
    throw new Error(`wrong reply to ${id}: ${JSON.stringify(message)?.slice(0, 200)}`)
  }
  return text
}
