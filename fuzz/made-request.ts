/** Requests over HTTP as chance makes them of good ones, what they are put to, and what must hold of the replies. */

import type { Exchange, Handler } from '../src/exchange/exchange.js'
import { type JSONRPCRequest, notification, resultResponse } from '../src/protocol/message.js'
import { isObject, progressTokenOf } from '../src/protocol/meta.js'
import { MESSAGES, WORDS } from './corpus.js'
import { mutateBytes, mutateJson, mutateText } from './mutate.js'
import type { Random } from './random.js'
import { must } from './target.js'

/** A server that answers everything, and knows what it was asked last. */
export class Asked {
  last: JSONRPCRequest | undefined
  readonly thrown: unknown[] = []
  readonly options = { onError: (error: unknown) => void this.thrown.push(error), maxBody: 50_000 }

  readonly handler: Handler = request => this.#answer(request)

  async *#answer(request: JSONRPCRequest): Exchange {
    this.last = request
    const progressToken = progressTokenOf(request)
    if (progressToken !== undefined)
      yield notification('notifications/progress', { progressToken, progress: 1 })
    return resultResponse(request.id, { resultType: 'complete', content: [], tools: [] })
  }
}

const META =
  '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}'
const CALLS = [
  `{"jsonrpc":"2.0","id":"p","method":"tools/call","params":{"name":"x","_meta":{"progressToken":7,${META.slice(9)}}}`,
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"a":1},${META}}}`,
  `{"jsonrpc":"2.0","id":"b","method":"resources/read","params":{"uri":"test://a",${META}}}`,
  `{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{${META}}}`,
  '{"jsonrpc":"2.0","id":3,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}',
  '{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"x"}}',
]

/** A request as chance made it of bytes: headers in their first line, then the body. */
export interface MadeRequest {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array<ArrayBuffer>
}

/** Undefined where there are no headers. */
export function madeRequest(bytes: Uint8Array): MadeRequest | undefined {
  const end = Math.max(0, bytes.indexOf(0x0a))
  try {
    const headers: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)))
    if (!isObject(headers) || Object.values(headers).some(value => typeof value !== 'string'))
      return undefined
    return { headers: headers as Record<string, string>, body: bytes.slice(end + 1) }
  } catch {
    return undefined
  }
}

/** The first line holds the headers of the request, the rest is its body. */
export function makeRequest(random: Random): Uint8Array {
  const message = random.chance(0.8) ? random.pick(CALLS) : random.pick(MESSAGES)
  const { method, params } = JSON.parse(message) as {
    readonly method?: string
    readonly params?: { readonly name?: string; readonly uri?: string }
  }
  const headers: Record<string, string> = {
    host: 'localhost',
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(message.includes('"io.modelcontextprotocol/protocolVersion":"2026-07-28"')
      ? { 'mcp-protocol-version': '2026-07-28' }
      : {}),
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

/** Nothing has failed, and an answer is to what was asked. */
export function mustBeRight(
  { last, thrown }: Asked,
  body: Uint8Array,
  status: number,
  type: string | null | undefined,
  text: string,
): void {
  must(thrown.splice(0).length === 0 && status < 500, () => `a status of ${status}: ${text}`)
  // What an error quotes of a request has escaped quotes.
  must(!text.includes('"code":-32603'), () => `an internal error: ${text}`)
  if (text === '' || !type?.startsWith('application/json')) return
  const answer = JSON.parse(text) as { readonly id?: unknown }
  const sent = messageOf(body)
  if (sent === undefined || Array.isArray(answer)) return
  must(
    answer.id === undefined || answer.id === null || answer.id === sent.id,
    () => `the answer is to ${String(answer.id)}`,
  )
  if (last?.method === 'tools/call')
    must(
      JSON.stringify(last.params?.arguments) === JSON.stringify(sent.params?.arguments),
      'other arguments arrived than were sent',
    )
}

export function headersOf({ headers }: MadeRequest): Headers | undefined {
  try {
    return new Headers(headers)
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
