/**
 * A modern server at an HTTP address, as a Handler: each request is a POST of its own.
 * Specification: 2026-07-28 basic/transports/streamable-http.
 */

import { Call } from '../../exchange/call.js'
import type { CallLimits } from '../../exchange/call-limits.js'
import { Context } from '../../exchange/context.js'
import { type Exchange, finish, type Handler } from '../../exchange/exchange.js'
import type { HttpAnswer, HttpCall } from '../../exchange/http-client.js'
import type { HttpEndpoint } from '../../exchange/http-endpoint.js'
import { outgoing, restored, restoredProgress } from '../../exchange/remint.js'
import { HEADER_MISMATCH, INTERNAL_ERROR, type RpcError } from '../../protocol/errors.js'
import { mirrorHeaders } from '../../protocol/headers.js'
import {
  errorResponse,
  isResponse,
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
} from '../../protocol/message.js'
import { META_LOG_LEVEL, META_SUBSCRIPTION_ID } from '../../protocol/meta.js'
import {
  METHOD_CALL_TOOL,
  METHOD_LIST_TOOLS,
  METHOD_LISTEN,
  METHOD_PROGRESS,
} from '../../protocol/methods.js'
import { type AnswerListener, kindOf, readAnswer } from './answer.js'
import { MirroredTools, type RefusedTool } from './mirrored-tools.js'
import { POST_HEADERS, Post, Posts } from './post.js'
import { cutAnswer, refusedAnswer, strangeAnswer } from './refused-answer.js'

export interface ConnectHttpOptions extends CallLimits {
  /** Hears of tools that are left out of lists, because no client may use them. */
  readonly onRefusedTool?: RefusedTool | undefined
}

/** Nothing is sent before somebody calls: there is no handshake. */
export function connectHttp(endpoint: HttpEndpoint, options: ConnectHttpOptions = {}): ModernHttp {
  return new ModernHttp(endpoint, options)
}

/** The calls that are open at the server, and how to make another. */
export class ModernHttp extends Posts {
  readonly behind = false
  readonly tools: MirroredTools

  constructor(endpoint: HttpEndpoint, options: ConnectHttpOptions) {
    super(endpoint, options)
    this.tools = new MirroredTools((like, cursor) => this.#listTools(like, cursor), options.onRefusedTool)
  }

  readonly handler: Handler = (request, context) =>
    // A modern server never asks, so what a call yields is notifications only.
    new Call(new ModernPost(this), request, context) as Exchange

  async close(): Promise<void> {
    this.retire(undefined)
    this.hangUp()
  }

  #listTools(like: JSONRPCRequest, cursor: unknown): Promise<JSONRPCResponse> {
    const { progressToken: _token, [META_LOG_LEVEL]: _level, ...meta } = like.params?._meta ?? {}
    const params = cursor === undefined ? { _meta: meta } : { _meta: meta, cursor }
    const request: JSONRPCRequest = { jsonrpc: '2.0', id: 'tools', method: METHOD_LIST_TOOLS, params }
    return finish(this.handler(request, new Context({ binding: 'internal' })))
  }
}

class ModernPost extends Post implements AnswerListener {
  declare protected readonly posts: ModernHttp
  #request: JSONRPCRequest | undefined
  #http: HttpCall | undefined
  #retried = false
  /** The call is being sent once more: how the last answer ends does not matter. */
  #repeating = false
  #problem: RpcError | undefined

  protected begin(request: JSONRPCRequest): void {
    const message = outgoing(request, this.call)
    const headers = mirrorHeaders(message)
    headers['content-type'] = POST_HEADERS['content-type'] as string
    headers.accept = POST_HEADERS.accept as string
    this.#http = {
      method: 'POST',
      url: this.posts.endpoint.url,
      headers,
      body: JSON.stringify(message),
      stream: this.call.method === METHOD_LISTEN,
    }
    if (request.method !== METHOD_CALL_TOOL) return this.#post()
    this.#request = request
    const unknown = this.posts.tools.mirror(request, headers)
    if (unknown === undefined) this.#post()
    else unknown.then(() => this.#post())
  }

  /** Hanging up is what cancels ("Cancellation"). */
  protected cancel(): void {}

  message(message: JSONRPCMessage): void {
    if (this.call.settled) return
    if (isResponse(message)) this.#respond(message)
    else if (!('id' in message)) this.#notify(message)
    // A request would break the protocol, and there is nothing that could be answered.
  }

  broken(error: RpcError): void {
    this.#problem = error
  }

  ended(error: Error | undefined): void {
    this.bodyEnded()
    if (this.over || this.#repeating) return
    this.fail(
      this.#problem === undefined
        ? cutAnswer(this.posts.endpoint.name, this.call.method, error)
        : strangeAnswer(this.posts.endpoint.name, this.#problem),
    )
  }

  #post(): void {
    if (this.over) return
    const call = this.#http as HttpCall
    this.send(call).then(
      answer => {
        if (answer !== undefined) this.#onAnswer(answer, call)
      },
      error => this.fail(error),
    )
  }

  #onAnswer(answer: HttpAnswer, call: HttpCall): void {
    this.#repeating = false
    const kind = kindOf(answer)
    if (answer.status >= 200 && answer.status < 300 && kind !== undefined) {
      this.streams = kind === 'events'
      readAnswer(answer, kind, this.posts.endpoint, this)
      return
    }
    void refusedAnswer(answer, call).then(({ response, error }) => {
      this.bodyEnded()
      if (this.over) return
      if (response === undefined) this.fail(error)
      else this.#respond(response)
    })
  }

  #respond(response: JSONRPCResponse): void {
    const { call } = this
    // An error may lack an id, and there is only one request that it can be about.
    if (response.id != null && String(response.id) !== String(call.upstreamId)) return
    if ('error' in response && response.error.code === HEADER_MISMATCH) {
      this.#mismatch(response.error.message)
      return
    }
    this.responded()
    const own = restored(response, call)
    call.respond(call.method === METHOD_LIST_TOOLS ? this.posts.tools.learn(own) : own)
  }

  #notify(notification: JSONRPCNotification): void {
    const { call } = this
    call.lastSign = performance.now()
    if (notification.method === METHOD_PROGRESS) {
      const own = restoredProgress(notification, call)
      if (own !== undefined) call.push(own)
      return
    }
    const meta = notification.params?._meta as Record<string, unknown> | undefined
    if (call.method === METHOD_LISTEN && meta?.[META_SUBSCRIPTION_ID] !== undefined)
      meta[META_SUBSCRIPTION_ID] = call.id
    call.push(notification)
  }

  /** The tool may have changed ("Client Behavior"): its list is read again, and the call, which did not run, is sent once more. */
  #mismatch(message: string): void {
    const request = this.#request
    const http = this.#http
    if (request === undefined || http === undefined || this.#retried) {
      // It is about our headers, which our caller knows nothing of.
      const error = {
        code: INTERNAL_ERROR,
        message: `${this.posts.endpoint.name} refused our headers: ${message}`,
      }
      this.responded()
      this.call.respond(errorResponse(this.call.id, error))
      return
    }
    this.#retried = this.#repeating = true
    const { tools } = this.posts
    const headers = withoutParams(http.headers)
    this.#http = { ...http, headers }
    void tools
      .read(request)
      .then(() => tools.mirror(request, headers))
      .then(() => this.#post())
  }
}

function withoutParams(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('mcp-param-')))
}
