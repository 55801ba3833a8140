/**
 * The MCP server behind every product: newline-delimited JSON-RPC on stdio, written to cost as little as it can, so
 * that the product in front of it is what gets measured. Speaks both eras;
 * `--era legacy|modern` pins it to one. `--tools N` adds tools that do nothing until there are N.
 */

import { blobText } from './blob.mjs'

const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05']
const MODERN_VERSION = '2026-07-28'
const META_VERSION = 'io.modelcontextprotocol/protocolVersion'
const META_SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId'
/** Progress notifications go out in writes of about this many characters. */
const WRITE_SIZE = 32 * 1024

const flag = process.argv.indexOf('--era')
const era = flag === -1 ? 'both' : process.argv[flag + 1]
if (!['both', 'legacy', 'modern'].includes(era))
  throw new TypeError(`era must be both, legacy or modern: ${era}`)

const capabilities = { tools: { listChanged: true } }
const serverInfo = { name: 'bench-echo', version: '1.0.0' }
const tools = [
  tool('echo', 'Returns its arguments as text.', {}),
  tool('blob', 'Returns a text of so many bytes.', { bytes: { type: 'integer' } }),
  tool('events', 'Sends so many progress notifications, then the result.', { count: { type: 'integer' } }),
  tool('changed', 'Announces that the list of tools has changed.', {}),
]
const asked = process.argv.indexOf('--tools')
for (let index = tools.length; asked !== -1 && index < Number(process.argv[asked + 1]); index++) {
  tools.push(
    tool(
      `more_${index}`,
      `One of many tools, with a description as long as they usually are, number ${index}.`,
      {
        path: { type: 'string', description: 'Where to look, as an absolute path.' },
        recursive: { type: 'boolean', description: 'Looks below it too.', default: false },
        limit: { type: 'integer', minimum: 1, maximum: 1000, description: 'How many to return at most.' },
      },
    ),
  )
}

/** Filters of the open `subscriptions/listen` requests, by the request's id. */
const listening = new Map()
const blobs = new Map()
/** Replies to the messages of one chunk, written together. */
let replies = []
let rest = ''

process.stdin.setEncoding('utf8')
process.stdin.on('data', chunk => {
  const lines = (rest + chunk).split('\n')
  rest = lines.pop()
  for (const line of lines) if (line !== '') receive(JSON.parse(line))
  flush()
})
process.stdin.on('end', () => process.exit(0))

function receive(message) {
  const { id, method, params } = message
  if (id === undefined) {
    if (method === 'notifications/cancelled') listening.delete(params?.requestId)
    return
  }
  if (method === undefined) return
  const declared = params?._meta?.[META_VERSION]
  if (era === 'modern') {
    if (method === 'initialize') {
      return fail(id, -32601, 'this server speaks 2026-07-28 only', { supported: [MODERN_VERSION] })
    }
    if (declared === undefined) return fail(id, -32602, `missing _meta["${META_VERSION}"]`)
  }
  const modern = declared !== undefined && era !== 'legacy'
  if (modern && declared !== MODERN_VERSION) {
    return fail(id, -32022, 'unsupported protocol version', {
      supported: [MODERN_VERSION],
      requested: declared,
    })
  }
  switch (method) {
    case 'tools/call':
      return call(id, params, modern)
    case 'tools/list':
      return reply(id, modern ? { resultType: 'complete', tools, ttlMs: 0, cacheScope: 'public' } : { tools })
    case 'initialize': {
      const asked = params?.protocolVersion
      const protocolVersion = LEGACY_VERSIONS.includes(asked) ? asked : LEGACY_VERSIONS[0]
      return reply(id, { protocolVersion, capabilities, serverInfo })
    }
    case 'ping':
      if (modern) break
      return reply(id, {})
    case 'server/discover':
      if (!modern) break
      return reply(id, {
        resultType: 'complete',
        supportedVersions: [MODERN_VERSION],
        capabilities,
        ttlMs: 0,
        cacheScope: 'public',
        _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo },
      })
    case 'subscriptions/listen': {
      if (!modern) break
      const notifications = params.notifications?.toolsListChanged ? { toolsListChanged: true } : {}
      listening.set(id, notifications)
      return notify('notifications/subscriptions/acknowledged', {
        notifications,
        _meta: { [META_SUBSCRIPTION]: id },
      })
    }
  }
  fail(id, -32601, `method not found: ${method}`)
}

function call(id, params, modern) {
  const given = params.arguments ?? {}
  switch (params.name) {
    case 'echo':
      return reply(id, textResult(JSON.stringify(given), modern))
    case 'blob': {
      flush()
      process.stdout.write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":`)
      process.stdout.write(blobResult(given.bytes, modern))
      process.stdout.write('}\n')
      return
    }
    case 'events':
      flush()
      return void sendEvents(id, params._meta?.progressToken, given.count, modern)
    case 'changed':
      if (era !== 'modern') notify('notifications/tools/list_changed', undefined)
      for (const [subscription, filter] of listening) {
        if (!filter.toolsListChanged) continue
        notify('notifications/tools/list_changed', { _meta: { [META_SUBSCRIPTION]: subscription } })
      }
      return reply(id, textResult(String(listening.size), modern))
  }
  fail(id, -32602, `unknown tool: ${params.name}`)
}

/** As fast as the reader takes them: large writes, and a wait whenever the pipe is full. */
async function sendEvents(id, token, count, modern) {
  const head = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${JSON.stringify(token)},"progress":`
  let batch = ''
  for (let index = 1; token !== undefined && index <= count; index++) {
    batch += `${head}${index},"total":${count}}}\n`
    if (batch.length < WRITE_SIZE) continue
    const flowing = process.stdout.write(batch)
    batch = ''
    if (!flowing) await new Promise(resolve => process.stdout.once('drain', resolve))
  }
  const result = textResult(`sent ${count}`, modern)
  process.stdout.write(`${batch}${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`)
}

function blobResult(bytes, modern) {
  const key = `${bytes} ${modern}`
  let result = blobs.get(key)
  if (result === undefined) {
    result = Buffer.from(JSON.stringify(textResult(blobText(bytes), modern)))
    blobs.set(key, result)
  }
  return result
}

function textResult(text, modern) {
  const content = [{ type: 'text', text }]
  return modern ? { resultType: 'complete', content } : { content }
}

function tool(name, description, properties) {
  return { name, description, inputSchema: { type: 'object', properties } }
}

function reply(id, result) {
  replies.push(JSON.stringify({ jsonrpc: '2.0', id, result }))
}

function fail(id, code, message, data) {
  replies.push(JSON.stringify({ jsonrpc: '2.0', id, error: { code, message, data } }))
}

function notify(method, params) {
  replies.push(JSON.stringify({ jsonrpc: '2.0', method, params }))
}

function flush() {
  if (replies.length === 0) return
  process.stdout.write(`${replies.join('\n')}\n`)
  replies = []
}
