/**
 * Opens the one connection whose opening the suite would measure. A bridge to a legacy server starts it anew for each
 * set of client capabilities, and `server-stateless` allows its first call with elicitation 600 ms in all. How fast
 * two programs start on a busy machine is no matter of conformance.
 */
const LIMIT = 20_000

/** Resolves once a request with these capabilities was answered; in the legacy era the suite allows the time itself. */
export async function warmUp(url, wire) {
  if (wire !== '2026-07-28') return
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': wire,
    'io.modelcontextprotocol/clientInfo': { name: 'warm-up', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
  }
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': wire,
      'mcp-method': 'tools/list',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 'warm-up', method: 'tools/list', params: { _meta } }),
    signal: AbortSignal.timeout(LIMIT),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`tools/list was answered with ${response.status}: ${text}`)
}
