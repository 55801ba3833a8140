/** The whole HTTP face in this process, without a network: any request gets a reply, and what gets through is what was sent. */

import { fetchHandler } from '../../src/fetch.js'
import type { JSONRPCRequest } from '../../src/protocol/message.js'
import { MESSAGES, WORDS } from '../corpus.js'
import { mutateBytes, mutateJson, mutateText } from '../mutate.js'
import type { Random } from '../random.js'
import { must, type Target } from '../target.js'

let asked: JSONRPCRequest | undefined

const face = fetchHandler(
  async function* (request) {
    asked = request
    return { jsonrpc: '2.0', id: request.id, result: { resultType: 'complete', content: [], tools: [] } }
  },
  { onError: error => thrown.push(error), maxBody: 50_000 },
)
const thrown: unknown[] = []

const META =
  '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}'
const CALLS = [
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"a":1},${META}}}`,
  `{"jsonrpc":"2.0","id":"b","method":"resources/read","params":{"uri":"test://a",${META}}}`,
  `{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{${META}}}`,
  '{"jsonrpc":"2.0","id":3,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}',
  '{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"x"}}',
]

/** The first line holds the headers of the request, the rest is its body. */
function make(random: Random): Uint8Array {
  const message = random.chance(0.8) ? random.pick(CALLS) : random.pick(MESSAGES)
  const { method, params } = JSON.parse(message) as {
    readonly method?: string
    readonly params?: { readonly name?: string; readonly uri?: string }
  }
  const headers: Record<string, string> = {
    host: 'localhost',
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(message.includes(META) ? { 'mcp-protocol-version': '2026-07-28' } : {}),
    'mcp-method': method ?? 'x',
    'mcp-name': params?.name ?? params?.uri ?? '',
  }
  if (random.chance(0.3)) {
    const name = random.pick([...Object.keys(headers), 'origin', 'last-event-id', 'mcp-session-id'])
    headers[name] = mutateText(random, [headers[name] ?? '', '2025-11-25', '*/*'], ['=?base64?', '?=', ','])
  }
  const body = random.chance(0.2) ? message : mutateJson(random, [message], WORDS)
  return mutateBytes(random, `${JSON.stringify(headers)}\n${body}`)
}

export const httpFaces: Target = {
  name: 'http-face',
  weight: 1,
  make,
  async check(bytes: Uint8Array) {
    const end = bytes.indexOf(0x0a)
    const headers = headersOf(new TextDecoder().decode(bytes.subarray(0, Math.max(0, end))))
    if (headers === undefined) return
    const body = bytes.slice(end + 1)
    asked = undefined
    const reply = await face(new Request('http://localhost/mcp', { method: 'POST', headers, body }))
    const text = await reply.text()
    must(thrown.splice(0).length === 0 && reply.status < 500, () => `a status of ${reply.status}: ${text}`)
    must(!text.includes('-32603'), () => `an internal error: ${text}`)
    if (text === '' || !reply.headers.get('content-type')?.startsWith('application/json')) return
    const answer = JSON.parse(text) as { readonly id?: unknown }
    const sent = messageOf(body)
    if (sent === undefined || Array.isArray(answer)) return
    must(
      answer.id === undefined || answer.id === null || answer.id === sent.id,
      () => `the answer is to ${String(answer.id)}`,
    )
    if (asked !== undefined && (asked as JSONRPCRequest).method === 'tools/call')
      must(
        JSON.stringify((asked as JSONRPCRequest).params?.arguments) ===
          JSON.stringify(sent.params?.arguments),
        'other arguments arrived than were sent',
      )
  },
}

function headersOf(line: string): Headers | undefined {
  try {
    return new Headers(JSON.parse(line))
  } catch {
    // What cannot be a header cannot arrive as one.
    return undefined
  }
}

function messageOf(
  body: Uint8Array,
): { readonly id?: unknown; readonly params?: { readonly arguments?: unknown } } | undefined {
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
