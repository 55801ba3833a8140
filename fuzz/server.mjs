/** An MCP server of both eras on stdio that nothing can confuse: it answers each request, and `echo` with what it was given. */

import { createInterface } from 'node:readline'

const META = 'io.modelcontextprotocol/'
const send = message => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
const isModern = process.argv[2] === 'modern'
const about = {
  capabilities: { tools: {}, resources: {}, logging: {} },
  serverInfo: { name: 'fuzz', version: '1' },
}

createInterface({ input: process.stdin })
  .on('line', line => receive(JSON.parse(line)))
  .on('close', () => process.exit(0))

function receive({ id, method, params }) {
  if (id === undefined || method === undefined) return
  const result = answer(id, method, params)
  if (result === undefined) send({ id, error: { code: -32601, message: `Unknown method ${method}` } })
  else if (result !== null) send({ id, result })
}

function answer(id, method, params) {
  const cached = isModern ? { resultType: 'complete', ttlMs: 0, cacheScope: 'private' } : {}
  switch (method) {
    case 'initialize':
      return isModern ? undefined : { protocolVersion: '2025-11-25', ...about }
    case 'server/discover':
      return isModern ? { ...cached, supportedVersions: ['2026-07-28'], ...about } : undefined
    case 'subscriptions/listen':
      if (!isModern) return undefined
      send({
        method: 'notifications/subscriptions/acknowledged',
        params: { notifications: params?.notifications ?? {}, _meta: { [`${META}subscriptionId`]: id } },
      })
      return null
    case 'tools/list':
      return {
        ...cached,
        tools: [
          {
            name: 'echo',
            inputSchema: {
              type: 'object',
              properties: { words: { type: 'string', 'x-mcp-header': 'Words' } },
            },
          },
        ],
      }
    case 'resources/list':
      return { ...cached, resources: [{ uri: 'test://a', name: 'a' }] }
    case 'resources/read':
      return { ...cached, contents: [{ uri: String(params?.uri), text: 'a' }] }
    case 'tools/call': {
      const token = params?._meta?.progressToken
      if (token !== undefined)
        send({ method: 'notifications/progress', params: { progressToken: token, progress: 1 } })
      return {
        ...(isModern ? { resultType: 'complete' } : {}),
        content: [{ type: 'text', text: JSON.stringify(params?.arguments ?? null) }],
      }
    }
    case 'ping':
    case 'logging/setLevel':
      return {}
    default:
      return undefined
  }
}
