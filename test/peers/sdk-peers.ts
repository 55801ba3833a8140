import { Client as ModernClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StdioClientTransport as LegacyStdio } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as LegacyHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import {
  CallToolResultSchema,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'

// biome-ignore lint/suspicious/noExplicitAny: results of two SDKs, compared as JSON
export type Json = any

export interface Question {
  readonly method: string
  readonly params: Json
}

export interface PeerOptions {
  /** Whether the client declares sampling, elicitation and roots, and answers them. Default true. */
  readonly asked?: boolean
  /** Answers an elicitation; by default with a name and a choice. */
  readonly elicit?: (params: Json) => Json
}

export interface CallOptions {
  /**
   * Hears each progress notification with the token that this call was sent with, in the order of the wire. The SDK's
   * own callback would not do: where progress and result arrive together, SDK v1 handles the result first.
   */
  readonly onProgress?: (progress: Json) => void
  readonly signal?: AbortSignal
  readonly meta?: Json
}

/** One client of either SDK, in either era, with the same face. */
export interface Peer {
  readonly era: 'legacy' | 'modern'
  readonly logs: Json[]
  readonly updates: string[]
  readonly questions: Question[]
  /** How often the list of tools was said to have changed. */
  readonly changes: () => number
  readonly capabilities: () => Json
  readonly instructions: () => string | undefined
  listTools(): Promise<Json>
  listPrompts(): Promise<Json>
  listResources(): Promise<Json>
  listResourceTemplates(): Promise<Json>
  callTool(name: string, parameters?: Json, options?: CallOptions): Promise<Json>
  readResource(uri: string): Promise<Json>
  getPrompt(name: string, parameters?: Json): Promise<Json>
  complete(params: Json): Promise<Json>
  /** All levels from now on; on a modern connection this goes with each call. */
  logEverything(): Promise<void>
  /** Resolves once updates of the resource would arrive. */
  subscribe(uri: string): Promise<Json>
  close(): Promise<void>
}

export type PeerTransport =
  | { readonly kind: 'http' | 'sse'; readonly url: string }
  | {
      readonly kind: 'stdio'
      readonly command: string
      readonly args: readonly string[]
      readonly env?: Record<string, string>
    }
  | { readonly kind: 'own'; readonly transport: Json }

const INFO = { name: 'anyport-peers', version: '1.0.0' }
const CAPABILITIES = { sampling: {}, elicitation: { form: {} }, roots: {} }
const LOG_LEVEL = 'io.modelcontextprotocol/logLevel'
const CALL_LIMIT = 20_000

export const ROOTS = [
  { uri: 'file:///home/ann', name: 'Home' },
  { uri: 'file:///srv/data', name: 'Data' },
]

/** A client of SDK v1; always legacy. */
export async function connectV1(to: PeerTransport, options: PeerOptions = {}): Promise<Peer> {
  const asked = options.asked ?? true
  const client = new LegacyClient(INFO, { capabilities: asked ? CAPABILITIES : {} })
  const seen = newSeen(options)
  if (asked) {
    client.setRequestHandler(CreateMessageRequestSchema, request => seen.answer(request))
    client.setRequestHandler(ElicitRequestSchema, request => seen.answer(request))
    client.setRequestHandler(ListRootsRequestSchema, request => seen.answer(request))
  }
  client.setNotificationHandler(LoggingMessageNotificationSchema, log => void seen.logs.push(log.params))
  client.setNotificationHandler(
    ResourceUpdatedNotificationSchema,
    update => void seen.updates.push(update.params.uri),
  )
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => void seen.changed++)
  const transport = v1Transport(to)
  await client.connect(transport)
  const withProgress = tapProgress(transport)
  return {
    ...face(client, seen, 'legacy'),
    callTool: (name, parameters = {}, { onProgress, signal, meta } = {}) =>
      client.callTool(
        { name, arguments: parameters, ...(meta === undefined ? {} : { _meta: meta }) },
        CallToolResultSchema,
        withProgress(parameters, onProgress, signal),
      ),
    logEverything: async () => void (await client.setLoggingLevel('debug')),
    subscribe: uri => client.subscribeResource({ uri }),
  }
}

/** A client of SDK v2 in the given mode. */
export async function connectV2(
  to: PeerTransport,
  mode: 'legacy' | 'modern' | 'auto',
  options: PeerOptions = {},
): Promise<Peer> {
  const asked = options.asked ?? true
  const client = new ModernClient(INFO, {
    capabilities: asked ? CAPABILITIES : {},
    versionNegotiation: { mode: mode === 'modern' ? { pin: '2026-07-28' } : mode },
  })
  const seen = newSeen(options)
  if (asked) {
    client.setRequestHandler('sampling/createMessage', (request: Json) => seen.answer(request))
    client.setRequestHandler('elicitation/create', (request: Json) => seen.answer(request))
    client.setRequestHandler('roots/list', (request: Json) => seen.answer(request))
  }
  client.setNotificationHandler('notifications/message', (log: Json) => void seen.logs.push(log.params))
  client.setNotificationHandler(
    'notifications/resources/updated',
    (update: Json) => void seen.updates.push(update.params.uri),
  )
  client.setNotificationHandler('notifications/tools/list_changed', () => void seen.changed++)
  const transport = v2Transport(to)
  await client.connect(transport)
  const withProgress = tapProgress(transport)
  const era = client.getProtocolEra() === 'modern' ? 'modern' : 'legacy'
  let level: Json
  return {
    ...face(client, seen, era),
    callTool: (name, parameters = {}, { onProgress, signal, meta } = {}) =>
      client.callTool(
        { name, arguments: parameters, _meta: { ...level, ...meta } },
        withProgress(parameters, onProgress, signal) as Json,
      ),
    async logEverything() {
      if (era === 'modern') level = { [LOG_LEVEL]: 'debug' }
      else await client.setLoggingLevel('debug')
    },
    subscribe: uri =>
      era === 'modern' ? client.listen({ resourceSubscriptions: [uri] }) : client.subscribeResource({ uri }),
  }
}

interface Seen {
  readonly logs: Json[]
  readonly updates: string[]
  readonly questions: Question[]
  changed: number
  answer(request: Json): Json
}

function newSeen(options: PeerOptions): Seen {
  const questions: Question[] = []
  return {
    logs: [],
    updates: [],
    questions,
    changed: 0,
    answer({ method, params }) {
      questions.push({ method, params })
      switch (method) {
        case 'roots/list':
          return { roots: ROOTS }
        case 'sampling/createMessage':
          return {
            role: 'assistant',
            content: { type: 'text', text: `You said: ${JSON.stringify(params.messages)}` },
            model: 'parrot',
            stopReason: 'endTurn',
          }
        default:
          return (options.elicit ?? elicited)(params)
      }
    },
  }
}

/** Fills in a form: what it knows by name, and a text for each other required field. */
function elicited({ requestedSchema }: Json): Json {
  const known: Json = { name: 'Ann', check: true, integer: 42, untitledSingleSelectEnum: 'Monica' }
  const fields = Object.keys(known).filter(field => field in requestedSchema.properties)
  const content = Object.fromEntries(fields.map(field => [field, known[field]]))
  for (const field of requestedSchema.required ?? []) content[field] ??= `the ${field}`
  return { action: 'accept', content }
}

function face(
  client: Json,
  seen: Seen,
  era: Peer['era'],
): Omit<Peer, 'callTool' | 'logEverything' | 'subscribe'> {
  const limit = { timeout: CALL_LIMIT }
  return {
    era,
    logs: seen.logs,
    updates: seen.updates,
    questions: seen.questions,
    changes: () => seen.changed,
    capabilities: () => client.getServerCapabilities(),
    instructions: () => client.getInstructions(),
    listTools: () => client.listTools(undefined, limit),
    listPrompts: () => client.listPrompts(undefined, limit),
    listResources: () => client.listResources(undefined, limit),
    listResourceTemplates: () => client.listResourceTemplates(undefined, limit),
    readResource: uri => client.readResource({ uri }, limit),
    getPrompt: (name, parameters) =>
      client.getPrompt({ name, ...(parameters === undefined ? {} : { arguments: parameters }) }, limit),
    complete: params => client.complete(params, limit),
    close: () => client.close(),
  }
}

/** Request options that ask for progress, which is then read from the transport itself. */
function tapProgress(transport: Json) {
  const byArguments = new Map<Json, (progress: Json) => void>()
  const byToken = new Map<string | number, (progress: Json) => void>()
  const send = transport.send.bind(transport)
  transport.send = (message: Json, options: Json) => {
    const callback = byArguments.get(message.params?.arguments)
    const token = message.params?._meta?.progressToken
    if (callback !== undefined && token !== undefined) byToken.set(token, callback)
    return send(message, options)
  }
  const receive = transport.onmessage
  transport.onmessage = (message: Json, extra: Json) => {
    if (message.method === 'notifications/progress')
      byToken.get(message.params.progressToken)?.(message.params)
    receive(message, extra)
  }
  return (parameters: Json, onProgress: CallOptions['onProgress'], signal: AbortSignal | undefined) => {
    if (onProgress !== undefined) byArguments.set(parameters, onProgress)
    return {
      timeout: CALL_LIMIT,
      ...(onProgress === undefined ? {} : { onprogress: () => {} }),
      ...(signal === undefined ? {} : { signal }),
    }
  }
}

function v1Transport(to: PeerTransport): Json {
  switch (to.kind) {
    case 'own':
      return to.transport
    case 'sse':
      return new SSEClientTransport(new URL(to.url))
    case 'http':
      return new LegacyHttp(new URL(to.url))
    case 'stdio':
      return new LegacyStdio(stdioParameters(to))
  }
}

function v2Transport(to: PeerTransport): Json {
  switch (to.kind) {
    case 'own':
      return to.transport
    case 'http':
      return new StreamableHTTPClientTransport(new URL(to.url))
    case 'stdio':
      return new StdioClientTransport(stdioParameters(to))
    case 'sse':
      throw new TypeError('SDK v2 is tested over Streamable HTTP only')
  }
}

function stdioParameters(to: Extract<PeerTransport, { kind: 'stdio' }>) {
  return {
    command: to.command,
    args: [...to.args],
    stderr: 'ignore' as const,
    ...(to.env === undefined ? {} : { env: to.env }),
  }
}
