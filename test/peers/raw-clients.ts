import { Agent, type IncomingMessage, request } from 'node:http'
import type { Json } from './sdk-peers.js'

/** Clients without an SDK: ids, tokens and headers are what the test says. */
export interface RawClient {
  /** Sends a message; what comes back goes to the listener given at the start. Resolves when it was taken. */
  send(message: Json): Promise<void>
  close(): Promise<void>
}

export interface RawReply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** The JSON-RPC messages of the body, be it JSON or an event stream. */
  readonly messages: Json[]
  readonly text: string
}

const VERSION = '2026-07-28'
const META = 'io.modelcontextprotocol'
const LIMIT = 30_000

const agent = new Agent({ keepAlive: true, maxSockets: Infinity })

/** The `_meta` that each modern request carries. */
export function modernMeta(extra: Json = {}, capabilities: Json = {}): Json {
  return {
    [`${META}/protocolVersion`]: VERSION,
    [`${META}/clientCapabilities`]: capabilities,
    [`${META}/clientInfo`]: { name: 'raw', version: '1.0.0' },
    ...extra,
  }
}

/** The headers that a modern request repeats. */
export function modernHeaders(message: Json): Record<string, string> {
  const name = message.params?.name ?? message.params?.uri
  return {
    'mcp-protocol-version': VERSION,
    'mcp-method': message.method,
    ...(name === undefined ? {} : { 'mcp-name': name }),
  }
}

/** Posts a message (or any text) and reads the whole answer. */
export async function post(
  url: string,
  body: Json | string,
  headers: Record<string, string> = {},
  onMessage?: (message: Json) => void,
): Promise<RawReply> {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const response = await exchange(url, 'POST', bytes, {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...headers,
  })
  return readReply(response, onMessage)
}

/** One modern request over HTTP. */
export function postModern(
  url: string,
  message: Json,
  onMessage?: (message: Json) => void,
): Promise<RawReply> {
  const stamped = { ...message, params: { ...message.params, _meta: modernMeta(message.params?._meta) } }
  return post(url, { jsonrpc: '2.0', ...stamped }, modernHeaders(message), onMessage)
}

export async function get(url: string, headers: Record<string, string> = {}): Promise<RawReply> {
  return readReply(await exchange(url, 'GET', undefined, headers))
}

export function modernClient(url: string, onMessage: (message: Json) => void): Promise<RawClient> {
  return Promise.resolve({
    async send(message) {
      const { status, text } = await postModern(url, message, onMessage)
      if (status !== 200) throw new Error(`HTTP ${status}: ${text}`)
    },
    close: async () => {},
  })
}

/** A legacy session over Streamable HTTP. */
export async function sessionClient(url: string, onMessage: (message: Json) => void): Promise<RawClient> {
  const opened = await post(url, initialize('2025-11-25'))
  const headers = {
    'mcp-session-id': opened.headers['mcp-session-id'] as string,
    'mcp-protocol-version': '2025-11-25',
  }
  if (opened.status !== 200 || headers['mcp-session-id'] === undefined) throw new Error(opened.text)
  await post(url, { jsonrpc: '2.0', method: 'notifications/initialized' }, headers)
  return {
    async send(message) {
      const { status, text } = await post(url, message, headers, onMessage)
      if (status !== 200 && status !== 202) throw new Error(`HTTP ${status}: ${text}`)
    },
    async close() {
      const response = await exchange(url, 'DELETE', undefined, headers)
      response.resume()
      if (response.statusCode !== 200 && response.statusCode !== 204)
        throw new Error(`HTTP ${response.statusCode}`)
    },
  }
}

/** A legacy client of HTTP+SSE. */
export async function sseClient(url: string, onMessage: (message: Json) => void): Promise<RawClient> {
  let endpoint: ((path: string) => void) | undefined
  let initialized: (() => void) | undefined
  const opened = new Promise<string>(resolve => {
    endpoint = resolve
  })
  const ready = new Promise<void>(resolve => {
    initialized = resolve
  })
  const stream = await exchange(url, 'GET', undefined, { accept: 'text/event-stream' })
  eachEvent(stream, (event, data) => {
    if (event === 'endpoint') return endpoint?.(data)
    const message = JSON.parse(data)
    if (message.id === 'open') initialized?.()
    else onMessage(message)
  })
  const target = new URL(await opened, url).href
  const send = async (message: Json): Promise<void> => {
    const { status, text } = await post(target, message)
    if (status !== 202 && status !== 200) throw new Error(`HTTP ${status}: ${text}`)
  }
  await send(initialize('2024-11-05'))
  await ready
  await send({ jsonrpc: '2.0', method: 'notifications/initialized' })
  return {
    send,
    async close() {
      stream.destroy()
    },
  }
}

/** Calls back for each event of an event stream. */
export function eachEvent(stream: IncomingMessage, onEvent: (event: string, data: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('error', () => {})
  stream.on('data', chunk => {
    const events = (rest + chunk).split('\n\n')
    rest = events.pop() as string
    for (const block of events) {
      const lines = block.split('\n')
      const data = lines.filter(line => line.startsWith('data:')).map(line => line.slice(5).replace(/^ /, ''))
      const event =
        lines
          .find(line => line.startsWith('event:'))
          ?.slice(6)
          .trim() ?? 'message'
      if (data.length > 0 && data.join('') !== '') onEvent(event, data.join('\n'))
    }
  })
}

/** Resolves once the response's head is there. */
export function exchange(
  url: string,
  method: string,
  body: Buffer | undefined,
  headers: Record<string, string>,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(body.length) }
    const call = request(url, { method, agent, headers: { ...headers, ...length } }, resolve)
    call.on('error', reject)
    call.end(body)
  })
}

function readReply(response: IncomingMessage, onMessage?: (message: Json) => void): Promise<RawReply> {
  const messages: Json[] = []
  let text = ''
  const take = (message: Json): void => {
    messages.push(message)
    onMessage?.(message)
  }
  return new Promise((resolve, reject) => {
    const limit = setTimeout(
      () => response.destroy(new Error(`no end of the answer within ${LIMIT} ms`)),
      LIMIT,
    )
    response.on('error', reject)
    response.on('close', () => clearTimeout(limit))
    response.on('end', () => {
      if (response.headers['content-type']?.startsWith('application/json')) {
        const value = JSON.parse(text)
        for (const message of Array.isArray(value) ? value : [value]) take(message)
      }
      resolve({ status: response.statusCode as number, headers: response.headers, messages, text })
    })
    if (response.headers['content-type']?.startsWith('text/event-stream')) {
      eachEvent(response, (_, data) => take(JSON.parse(data)))
    } else {
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
    }
  })
}

function initialize(protocolVersion: string): Json {
  return {
    jsonrpc: '2.0',
    id: 'open',
    method: 'initialize',
    params: { protocolVersion, capabilities: {}, clientInfo: { name: 'raw', version: '1.0.0' } },
  }
}
