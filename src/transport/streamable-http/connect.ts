/**
 * A modern server at an HTTP address, as a Handler: each request is a POST of its own.
 * Specification: 2026-07-28 basic/transports/streamable-http.
 */

import { Call } from '../../exchange/call.js'
import type { CallLimits } from '../../exchange/call-limits.js'
import { Context } from '../../exchange/context.js'
import { TransportError } from '../../exchange/errors.js'
import { type Exchange, finish, type Handler } from '../../exchange/exchange.js'
import type { HttpAnswer, HttpCall } from '../../exchange/http-client.js'
import type { HttpEndpoint } from '../../exchange/http-endpoint.js'
import { outgoing, restored, restoredProgress } from '../../exchange/remint.js'
import {
  HEADER_MISMATCH,
  INTERNAL_ERROR,
  INVALID_PARAMS,
  METHOD_NOT_FOUND,
  MISSING_CAPABILITY,
  type RpcError,
  UNSUPPORTED_VERSION,
} from '../../protocol/errors.js'
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
import { cutAnswer, type RefusedAnswer, refusedAnswer, strangeAnswer } from './refused-answer.js'

export interface ConnectHttpOptions extends CallLimits {
  /** Hears of tools that are left out of lists, because no client may use them. */
  readonly onRefusedTool?: RefusedTool | undefined
  /**
   * Asks the server whether it still speaks this revision, after it refused a request as one of an older revision would. Where it
   * does not, no more calls are made, and those that were refused may be made elsewhere. Default: it is not asked.
   */
  readonly isStillModern?: (() => Promise<boolean>) | undefined
}

/** Milliseconds for which a server that said that it is modern is not asked again. */
const SURE = 5_000

/** Nothing is sent before somebody calls: there is no handshake. */
export function connectHttp(endpoint: HttpEndpoint, options: ConnectHttpOptions = {}): ModernHttp {
  return new ModernHttp(endpoint, options)
}

/** The calls that are open at the server, and how to make another. */
export class ModernHttp extends Posts {
  readonly behind = false
  /** It closes by itself only where its server was replaced, which is no failed start. */
  readonly worked = true
  readonly tools: MirroredTools
  readonly #isStillModern: (() => Promise<boolean>) | undefined
  #asking: Promise<boolean> | undefined
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(endpoint: HttpEndpoint, options: ConnectHttpOptions) {
    super(endpoint, options)
    this.#isStillModern = options.isStillModern
    this.tools = new MirroredTools((like, cursor) => this.#listTools(like, cursor), options.onRefusedTool)
  }

  readonly handler: Handler = (request, context) =>
    // A modern server never asks, so what a call yields is notifications only.
    new Call(new ModernPost(this), request, context) as Exchange

  async close(): Promise<void> {
    this.retire(undefined)
    this.hangUp()
  }

  /** False where the server was replaced by one that does not speak this revision. */
  async holds(): Promise<boolean> {
    if (this.closed) return false
    if (this.#isStillModern === undefined || performance.now() - this.#askedAt < SURE) return true
    this.#asking ??= this.#isStillModern().finally(() => {
      this.#asking = undefined
      this.#askedAt = performance.now()
    })
    if (await this.#asking) return true
    const { name } = this.endpoint
    this.retire(
      new TransportError('ERR_HANDSHAKE', `${name} does not speak revision 2026-07-28 any more`, {
        hop: name,
      }),
    )
    return false
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
    void refusedAnswer(answer, call).then(async refused => {
      this.bodyEnded()
      if (this.over) return
      const { response, error } = refused
      const holds = !isDoubtful(refused) || (await this.posts.holds())
      if (this.over) return
      // It was refused, so that it did not run.
      if (!holds) this.fail(this.posts.lost(true))
      else if (response === undefined) this.fail(error)
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
    if ('error' in response && response.error.code === UNSUPPORTED_VERSION) {
      this.#failOnUs(`does not speak the revision of our request: ${response.error.message}`)
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
      this.#failOnUs(`refused our headers: ${message}`)
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

  /** It is about what we made of the request, which our caller knows nothing of. */
  #failOnUs(what: string): void {
    const error = { code: INTERNAL_ERROR, message: `${this.posts.endpoint.name} ${what}` }
    this.responded()
    this.call.respond(errorResponse(this.call.id, error))
  }
}

/**
 * Whether a server of an older revision may have said this, which would not know our session or our headers. Modern servers refuse
 * a request in few ways, each with a code of its own ("Error Codes").
 */
function isDoubtful({ status, response }: RefusedAnswer): boolean {
  if (!UNKNOWING.includes(status)) return false
  switch (response?.error.code) {
    case METHOD_NOT_FOUND:
      return status !== 404
    case INVALID_PARAMS:
    case HEADER_MISMATCH:
    case MISSING_CAPABILITY:
      return false
    default:
      return true
  }
}

const UNKNOWING: readonly number[] = [400, 404, 405, 406, 410, 415, 422, 501]

function withoutParams(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('mcp-param-')))
}
