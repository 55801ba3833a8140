/** What is asked of each server, and what was seen. */
import { request as httpRequest } from 'node:http'

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'everybody', version: '1.0.0' },
}
const CAN_BE_ASKED = { elicitation: { form: {} } }
const LIMIT = 20_000
const ANSWER = { who: { action: 'accept', content: { name: 'Ada' } } }

const post = (name, body, headers = {}, how = {}) => ({
  name,
  method: 'POST',
  headers: {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...headers,
  },
  body: typeof body === 'string' ? body : JSON.stringify(body),
  ...how,
})

const legacy = (version, method, params, headers = {}) =>
  post(
    `${version} ${method} ${params?.name ?? ''}`,
    { jsonrpc: '2.0', id: 7, method, ...(params && { params }) },
    { ...(method === 'initialize' ? {} : { 'mcp-protocol-version': version }), ...headers },
  )

const modern = (method, params = {}, { headers = {}, capabilities = {}, meta = {}, ...how } = {}) => {
  const _meta = { ...META, 'io.modelcontextprotocol/clientCapabilities': capabilities, ...meta }
  const named = params.name ?? params.uri
  return post(
    `2026-07-28 ${method} ${named ?? ''}`,
    { jsonrpc: '2.0', id: 'é-1', method, params: { ...params, _meta } },
    {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(named === undefined ? {} : { 'mcp-name': named }),
      ...headers,
    },
    how,
  )
}

const initialize = version =>
  legacy(version, 'initialize', {
    protocolVersion: version,
    capabilities: {},
    clientInfo: { name: 'everybody', version: '1.0.0' },
  })
const call = (name, args = {}) => ({ name, arguments: args })
const counting = { ...call('count', { to: 20 }), _meta: { progressToken: 'p' } }
const ping = id => ({ jsonrpc: '2.0', id, method: 'ping' })

/**
 * - `unparsed`: a framework that parses bodies itself has its own answer;
 * - `ownWords`: each engine has its own for what is wrong with the JSON;
 * - `firstOnly`: the reply has no end, and its first event is what is compared;
 * - `streamed`: where replies come in one piece the answer is another.
 */
export const requests = [
  ...['2025-03-26', '2025-06-18', '2025-11-25'].flatMap(version => [
    initialize(version),
    post(
      `${version} initialized`,
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { 'mcp-protocol-version': version },
    ),
    legacy(version, 'tools/list'),
    legacy(version, 'tools/call', call('echo', { text: 'hällo ✓ 🙂 \u2028' })),
    legacy(version, 'tools/call', counting),
  ]),
  legacy('2025-11-25', 'tools/call', call('sum', { numbers: [1, 2.5, -4] })),
  legacy('2025-11-25', 'tools/call', call('echo', { text: 7 })),
  legacy('2025-11-25', 'tools/call', call('fail')),
  legacy('2025-11-25', 'tools/call', call('ask')),
  legacy('2025-11-25', 'tools/call', call('none')),
  legacy('2025-11-25', 'prompts/get', call('greet', { name: 'Ada' })),
  legacy('2025-11-25', 'resources/read', { uri: 'note://readme' }),
  legacy('2025-11-25', 'resources/read', { uri: 'note://none' }),
  legacy('2025-11-25', 'resources/subscribe', { uri: 'note://readme' }),
  legacy('2025-11-25', 'ping'),
  legacy('2025-11-25', 'no/such'),
  post('a batch of 2025-03-26', [ping(1), ping(2)], { 'mcp-protocol-version': '2025-03-26' }),
  post('a batch of 2025-11-25', [ping(1), ping(2)], { 'mcp-protocol-version': '2025-11-25' }),
  legacy('1999-01-01', 'tools/list'),
  modern('server/discover'),
  modern('tools/list'),
  modern('prompts/list'),
  modern('resources/list'),
  modern('tools/call', call('echo', { text: 'hällo ✓ 🙂 \u2028' })),
  modern('tools/call', call('echo', { text: 'x'.repeat(300_000) })),
  modern('tools/call', call('sum', { numbers: [1, 2.5, -4] })),
  modern('tools/call', call('fail')),
  modern('tools/call', call('none')),
  modern('tools/call', call('count', { to: 20 }), {
    meta: { progressToken: 'p', 'io.modelcontextprotocol/logLevel': 'info' },
  }),
  modern('tools/call', call('ask')),
  modern('tools/call', call('ask'), { capabilities: CAN_BE_ASKED }),
  modern('tools/call', { ...call('ask'), inputResponses: ANSWER }, { capabilities: CAN_BE_ASKED }),
  modern('prompts/get', call('greet', { name: 'Ada' })),
  modern('resources/read', { uri: 'note://readme' }),
  modern('ping'),
  modern('no/such'),
  modern('tools/list', {}, { headers: { 'mcp-method': 'tools/call' } }),
  modern('tools/list', {}, { headers: { 'mcp-protocol-version': '2999-01-01' } }),
  modern('tools/list', {}, { headers: { origin: 'https://evil.example.com' } }),
  modern('tools/list', {}, { headers: { accept: 'text/plain' } }),
  modern('tools/list', {}, { headers: { accept: 'application/json' } }),
  modern(
    'subscriptions/listen',
    { notifications: { toolsListChanged: true } },
    { firstOnly: true, streamed: true },
  ),
  post('no JSON', '{"jsonrpc":', {}, { unparsed: true, ownWords: true }),
  post('no object', '7', {}, { unparsed: true }),
  post('no text', 'jsonrpc', { 'content-type': 'text/plain' }, { unparsed: true }),
  { name: 'GET', method: 'GET', headers: { accept: 'text/event-stream' } },
  { name: 'DELETE', method: 'DELETE', headers: { 'mcp-session-id': 'none' } },
  { name: 'PUT', method: 'PUT', headers: {} },
]

/** What hosts add, and what says how the bytes travelled. */
const OF_HOSTS = new Set([
  ...['connection', 'content-length', 'date', 'keep-alive', 'server', 'transfer-encoding', 'vary'],
  ...['x-powered-by', 'content-encoding'],
])

/** What a server answers: status, headers but for those of its host, and the body as text. */
export function ask(url, { method, headers, body, firstOnly, ownWords }) {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(url, { method, headers, signal: AbortSignal.timeout(LIMIT) }, incoming => {
      const kept = Object.entries(incoming.headers)
        .filter(([name]) => !OF_HOSTS.has(name))
        .sort(([one], [other]) => (one < other ? -1 : 1))
      let seen = ''
      const finish = () => {
        if (ownWords) seen = seen.replace(/(?<=Parse error: )[^"]+/, '...')
        resolve({ status: incoming.statusCode, headers: Object.fromEntries(kept), body: seen })
      }
      incoming.setEncoding('utf8')
      incoming.on('data', part => {
        seen += part
        if (!firstOnly || !seen.includes('\n\n')) return
        seen = seen.slice(0, seen.indexOf('\n\n'))
        finish()
        outgoing.destroy()
      })
      incoming.once('end', finish)
      incoming.once('error', reject)
    })
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

/** Resolves after `milliseconds` with undefined where a subscription is still open then, else with what ended it. */
export function subscribed(url, milliseconds) {
  return new Promise(resolve => {
    const { method, headers, body } = requests.find(({ firstOnly }) => firstOnly)
    const end = why => {
      clearTimeout(timer)
      resolve(why)
      outgoing.destroy()
    }
    let seen = ''
    const timer = setTimeout(
      () => end(seen.includes('acknowledged') ? undefined : 'nothing came'),
      milliseconds,
    )
    const outgoing = httpRequest(url, { method, headers }, incoming => {
      incoming.setEncoding('utf8')
      incoming.on('data', part => {
        seen += part
      })
      incoming.once('close', () => end(`it was closed: ${seen.slice(0, 200)}`))
    })
    outgoing.once('error', error => end(error.message))
    outgoing.end(body)
  })
}
