import type { HttpReply } from '../../exchange/http.js'

/** What a person sees who opens the endpoint in a browser. `url` comes from the request and is escaped. */
export function humanPage(url: string): HttpReply {
  const address = escapeHtml(url)
  const config = escapeHtml(JSON.stringify({ mcpServers: { server: { type: 'http', url } } }, null, 2))
  return {
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      vary: 'Accept',
    },
    body: `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>MCP server</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}pre{background:#8882;padding:1rem;overflow:auto}</style>
<h1>This is an MCP server</h1>
<p>It is made for AI applications, not for browsers. To use it, add its address to a client that speaks the
<a href="https://modelcontextprotocol.io">Model Context Protocol</a>:</p>
<pre>${address}</pre>
<p>Many clients take it in this form:</p>
<pre>${config}</pre>
</html>
`,
  }
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
