/**
 * Which tools want which arguments mirrored into headers, per caller: servers show different tools to different
 * callers. Specification: 2026-07-28 streamable-http, "Custom Headers from Tool Parameters".
 */

import type { Context } from '../../exchange/context.js'
import { finish, type Handler } from '../../exchange/exchange.js'
import type { HttpRequest } from '../../exchange/http.js'
import { RpcError } from '../../protocol/errors.js'
import type { JSONRPCErrorObject, JSONRPCRequest, JSONRPCResponse } from '../../protocol/message.js'
import { isObject, META_CLIENT_CAPABILITIES, META_LOG_LEVEL } from '../../protocol/meta.js'
import { METHOD_LIST_TOOLS } from '../../protocol/methods.js'
import { checkParamHeaders, type ParamHeader, paramHeaders } from '../../protocol/param-headers.js'
import { readResult } from '../../protocol/raw-json.js'

export interface ToolHeadersOptions {
  /** Callers that are remembered; those who were silent longest are forgotten first. Default 1,000. */
  readonly maxCallers?: number
  /** Milliseconds between two looks at the same caller's list, where a call does not fit it. Default 1,000. */
  readonly refetchInterval?: number
  /** Pages of a list that are read. Default 100. */
  readonly maxPages?: number
}

/** What is wrong with a call's headers. */
type Verdict = JSONRPCErrorObject | undefined

interface Entry {
  /** By tool name; only tools that have annotations, and valid ones. */
  readonly headers: ReadonlyMap<string, readonly ParamHeader[]>
  /** When it was read, by the monotonic clock. */
  readonly at: number
  /** False where the list could not be read: it is tried again. */
  readonly known: boolean
}

export class ToolHeaders {
  readonly #handler: Handler
  readonly #maxCallers: number
  readonly #refetchInterval: number
  readonly #maxPages: number
  readonly #entries = new Map<string, Entry>()
  readonly #reading = new Map<string, Promise<Entry>>()

  constructor(handler: Handler, options: ToolHeadersOptions = {}) {
    this.#handler = handler
    this.#maxCallers = options.maxCallers ?? 1_000
    this.#refetchInterval = options.refetchInterval ?? 1_000
    this.#maxPages = options.maxPages ?? 100
  }

  /** Checks a `tools/call`. At once where the caller's tools are known and the call fits them, as nearly always. */
  check(call: JSONRPCRequest, request: HttpRequest, context: Context): Verdict | Promise<Verdict> {
    const key = keyOf(call, context)
    const entry = this.#entries.get(key)
    if (entry !== undefined && (entry.known || !this.#isOld(entry))) {
      if (entry.headers.size === 0) return undefined
      const verdict = verdictOn(entry, call, request)
      if (verdict === undefined || !this.#isOld(entry)) return verdict
    }
    // Unknown, or the tool may have changed since.
    return this.#read(key, call, context).then(fresh => verdictOn(fresh, call, request))
  }

  /** Takes a list that passes by; only one that is whole says which tools have no annotations. */
  learn(list: JSONRPCRequest, response: JSONRPCResponse, context: Context): void {
    if (list.params?.cursor !== undefined || 'error' in response) return
    const key = keyOf(list, context)
    // A list may be large, and reading it anew each time would cost more than passing it on.
    const entry = this.#entries.get(key)
    if (entry?.known && !this.#isOld(entry)) return
    const { tools, nextCursor } = readResult(response.result)
    if (nextCursor !== undefined || !Array.isArray(tools)) return
    const headers = new Map<string, readonly ParamHeader[]>()
    collect(tools, headers)
    this.#set(key, { headers, at: performance.now(), known: true })
  }

  /** Whose tools a request is about, for {@link forget}. */
  keyOf(request: JSONRPCRequest, context: Context): string {
    return keyOf(request, context)
  }

  /** A caller's tools have changed. */
  forget(key: string): void {
    this.#entries.delete(key)
  }

  /** One reading at a time per caller, whoever waits for it. */
  #read(key: string, call: JSONRPCRequest, context: Context): Promise<Entry> {
    const running = this.#reading.get(key)
    if (running !== undefined) return running
    const reading = this.#list(call, context)
      .then(
        headers => ({ headers, at: performance.now(), known: true }),
        // Whoever has no list has no annotations either; if it was an accident, the call will meet it too.
        () => ({ headers: NO_HEADERS, at: performance.now(), known: false }),
      )
      .then(entry => {
        this.#reading.delete(key)
        this.#set(key, entry)
        return entry
      })
    this.#reading.set(key, reading)
    return reading
  }

  async #list(call: JSONRPCRequest, context: Context): Promise<ReadonlyMap<string, readonly ParamHeader[]>> {
    const { progressToken: _token, [META_LOG_LEVEL]: _level, ...meta } = call.params?._meta ?? {}
    const headers = new Map<string, readonly ParamHeader[]>()
    const { context: own, release } = context.child()
    try {
      let cursor: unknown
      for (let page = 0; page < this.#maxPages; page++) {
        const params = cursor === undefined ? { _meta: meta } : { _meta: meta, cursor }
        const request: JSONRPCRequest = {
          jsonrpc: '2.0',
          id: `tools-${page}`,
          method: METHOD_LIST_TOOLS,
          params,
        }
        const response = await finish(this.#handler(request, own))
        if ('error' in response) throw new RpcError(response.error.code, response.error.message)
        const { tools, nextCursor } = readResult(response.result)
        if (Array.isArray(tools)) collect(tools, headers)
        if (nextCursor === undefined || nextCursor === cursor) break
        cursor = nextCursor
      }
    } finally {
      release()
    }
    return headers
  }

  #set(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    if (this.#entries.size <= this.#maxCallers) return
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest)
      return
    }
  }

  #isOld(entry: Entry): boolean {
    return performance.now() - entry.at >= this.#refetchInterval
  }
}

const NO_HEADERS: ReadonlyMap<string, readonly ParamHeader[]> = new Map()

/** Principal and capabilities, in any one spelling: two spellings only cost a second entry. */
function keyOf(request: JSONRPCRequest, context: Context): string {
  const capabilities = request.params?._meta?.[META_CLIENT_CAPABILITIES]
  return `${context.caller.principal ?? ''}\n${spelled(capabilities)}`
}

/** Most have none, or the same few: an empty object needs no encoder. */
function spelled(capabilities: unknown): string | undefined {
  if (!isObject(capabilities)) return JSON.stringify(capabilities)
  for (const _ in capabilities) return JSON.stringify(capabilities)
  return '{}'
}

function collect(tools: readonly unknown[], into: Map<string, readonly ParamHeader[]>): void {
  for (const tool of tools) {
    if (!isObject(tool) || typeof tool.name !== 'string') continue
    const found = paramHeaders(tool.inputSchema)
    // Clients must not use a tool whose annotations are invalid; a client that does all the same mirrors nothing.
    if (found.ok && found.headers.length > 0) into.set(tool.name, found.headers)
  }
}

function verdictOn(entry: Entry, call: JSONRPCRequest, request: HttpRequest): Verdict {
  const headers = entry.headers.get(String(call.params?.name))
  if (headers === undefined) return undefined
  try {
    checkParamHeaders(headers, call.params?.arguments, name => request.header(name))
    return undefined
  } catch (error) {
    if (error instanceof RpcError) return error.toErrorObject()
    throw error
  }
}
