/**
 * Which arguments of which tools are mirrored into headers, as the server's lists of tools say.
 * Specification: 2026-07-28 streamable-http, "Custom Headers from Tool Parameters".
 */

import type { JSONRPCRequest, JSONRPCResponse } from '../../protocol/message.js'
import { isObject } from '../../protocol/meta.js'
import { type ParamHeader, paramHeaders, paramHeaderValues } from '../../protocol/param-headers.js'
import { readResult, withResultKey } from '../../protocol/raw-json.js'

/** A tool was left out of a list, because its annotations are invalid. */
export type RefusedTool = (name: string, reason: string) => void

/** Milliseconds between two lists read for tools that no list named. */
const REFETCH_INTERVAL = 1_000
/** Tools that are remembered; beyond that the oldest are forgotten. */
const MAX_TOOLS = 10_000
const MAX_PAGES = 100

export class MirroredTools {
  readonly #list: (like: JSONRPCRequest, cursor: unknown) => Promise<JSONRPCResponse>
  readonly #onRefused: RefusedTool | undefined
  /** By name; without annotations there are no headers. */
  readonly #tools = new Map<string, readonly ParamHeader[]>()
  #reading: Promise<void> | undefined
  #readAt: number | undefined

  /** `list` asks for a page of tools on behalf of a call. */
  constructor(
    list: (like: JSONRPCRequest, cursor: unknown) => Promise<JSONRPCResponse>,
    onRefused: RefusedTool | undefined,
  ) {
    this.#list = list
    this.#onRefused = onRefused
  }

  /** Adds the headers of a `tools/call`. A promise only where the tool is not known yet. */
  mirror(call: JSONRPCRequest, headers: Record<string, string>): Promise<void> | undefined {
    if (this.#add(call, headers)) return undefined
    const fresh = this.#readAt !== undefined && performance.now() - this.#readAt < REFETCH_INTERVAL
    if (fresh && this.#reading === undefined) return undefined
    return this.read(call).then(() => {
      // A tool that no list names is not looked for again, until the server finds a header missing.
      if (!this.#add(call, headers)) this.#remember(String(call.params?.name), [])
    })
  }

  /** Reads the list anew, once for all who wait. Never rejects: whoever has no list has no annotations either. */
  read(call: JSONRPCRequest): Promise<void> {
    this.#reading ??= this.#readAll(call)
      .catch(() => {})
      .then(() => {
        this.#reading = undefined
        this.#readAt = performance.now()
      })
    return this.#reading
  }

  /** Takes a list that passes by. The same response, or one without the tools that must not be used. */
  learn(response: JSONRPCResponse): JSONRPCResponse {
    if ('error' in response) return response
    const { tools } = readResult(response.result)
    if (!Array.isArray(tools)) return response
    const usable = tools.filter(tool => this.#take(tool))
    if (usable.length === tools.length) return response
    return { ...response, result: withResultKey(response.result, 'tools', usable) }
  }

  async #readAll(call: JSONRPCRequest): Promise<void> {
    let cursor: unknown
    for (let page = 0; page < MAX_PAGES; page++) {
      const response = await this.#list(call, cursor)
      if ('error' in response) return
      const { nextCursor } = readResult(response.result)
      if (nextCursor === undefined || nextCursor === cursor) return
      cursor = nextCursor
    }
  }

  #add(call: JSONRPCRequest, headers: Record<string, string>): boolean {
    const declared = this.#tools.get(String(call.params?.name))
    if (declared === undefined) return false
    if (declared.length > 0) Object.assign(headers, paramHeaderValues(declared, call.params?.arguments))
    return true
  }

  #take(tool: unknown): boolean {
    if (!isObject(tool) || typeof tool.name !== 'string') return true
    const found = paramHeaders(tool.inputSchema)
    if (!found.ok) {
      this.#tools.delete(tool.name)
      this.#onRefused?.(tool.name, found.reason)
      return false
    }
    this.#remember(tool.name, found.headers)
    return true
  }

  #remember(tool: string, headers: readonly ParamHeader[]): void {
    if (this.#tools.size >= MAX_TOOLS && !this.#tools.has(tool)) {
      for (const oldest of this.#tools.keys()) {
        this.#tools.delete(oldest)
        break
      }
    }
    this.#tools.set(tool, headers)
  }
}
