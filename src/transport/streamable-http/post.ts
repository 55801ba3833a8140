import type { Call, CallHost } from '../../exchange/call.js'
import {
  type CallLimits,
  DEFAULT_MAX_CALLS,
  overdue,
  SLOW_READER_LIMIT,
  sweepCalls,
} from '../../exchange/call-limits.js'
import { Context } from '../../exchange/context.js'
import { TransportError } from '../../exchange/errors.js'
import type { HttpAnswer, HttpCall } from '../../exchange/http-client.js'
import { type HttpEndpoint, sendTo } from '../../exchange/http-endpoint.js'
import { Roster } from '../../exchange/roster.js'
import type { JSONRPCRequest } from '../../protocol/message.js'
import { METHOD_LISTEN } from '../../protocol/methods.js'

/** How long a stream may stay open behind its response, in milliseconds: servers end it at once, as they should. */
const LINGER = 2_000

/** The calls that are open at one remote server. */
export class Posts {
  readonly endpoint: HttpEndpoint
  readonly limits: CallLimits
  /** Called once when nothing more can be sent; an error says why where nobody asked for it. */
  onClosed: ((error: Error | undefined) => void) | undefined
  /** When a call was last opened, or known to run by whoever asks, in milliseconds. */
  lastUsed = performance.now()
  readonly #open = new Roster<Post>()
  /** Answered, with a stream that has not ended. */
  readonly #lingering = new Roster<Post>()
  #closed: { readonly error: Error | undefined } | undefined
  #lastId = 0
  #sweep: ReturnType<typeof setInterval> | undefined

  constructor(endpoint: HttpEndpoint, limits: CallLimits) {
    this.endpoint = endpoint
    this.limits = limits
  }

  get size(): number {
    return this.#open.size
  }

  get closed(): boolean {
    return this.#closed !== undefined
  }

  /** A call is open that is no subscription. */
  get busy(): boolean {
    return this.#open.all().some(post => post.call.method !== METHOD_LISTEN)
  }

  all(): readonly Post[] {
    return this.#open.all()
  }

  nextId(): number {
    return ++this.#lastId
  }

  /** Throws where no more calls can be made. */
  begin(post: Post): void {
    if (this.#closed !== undefined) throw this.lost(true)
    const limit = this.limits.maxCalls ?? DEFAULT_MAX_CALLS
    if (this.#open.size >= limit) {
      throw new TransportError('ERR_BUSY', `${this.endpoint.name} has ${limit} calls open already`, {
        hop: this.endpoint.name,
        retryable: true,
      })
    }
    const { call } = post
    call.upstreamId = this.nextId()
    call.openedAt = call.lastSign = performance.now()
    if (call.method !== METHOD_LISTEN) this.lastUsed = call.openedAt
    this.#open.add(post)
    this.#sweep ??= sweepCalls(this.limits, () => this.#expire())
  }

  /** False where it had ended before. */
  end(post: Post): boolean {
    return this.#open.delete(post)
  }

  linger(post: Post): void {
    this.#lingering.add(post)
    this.#sweep ??= sweepCalls(this.limits, () => this.#expire())
  }

  lingered(post: Post): void {
    this.#lingering.delete(post)
  }

  /** Takes no more calls. Those that are open go on. */
  retire(error: Error | undefined): void {
    if (this.#closed !== undefined) return
    this.#closed = { error }
    this.onClosed?.(error)
  }

  /** Ends all calls. */
  hangUp(): void {
    clearInterval(this.#sweep)
    this.#sweep = undefined
    for (const post of this.#open.all()) post.fail(this.lost(false))
    for (const post of this.#lingering.all()) post.hangUp()
    this.#lingering.clear()
  }

  /** The error of a call for which nothing can be sent any more. */
  lost(retryable: boolean): TransportError {
    const error = this.#closed?.error
    if (error instanceof TransportError)
      return new TransportError(error.code, error.message, { ...error.facts, retryable })
    const { name } = this.endpoint
    return new TransportError('ERR_CLOSED', `The connection to ${name} was closed`, {
      hop: name,
      retryable,
      ...(error === undefined ? {} : { cause: error }),
    })
  }

  #expire(): void {
    if (this.#open.size === 0 && this.#lingering.size === 0) {
      clearInterval(this.#sweep)
      this.#sweep = undefined
      return
    }
    const time = performance.now()
    for (const post of this.#lingering.all()) if (time - post.respondedAt >= LINGER) post.hangUp()
    for (const post of this.#open.all()) {
      const late = overdue(post.call, time, this.limits, this.endpoint.name)
      if (late !== undefined) post.giveUp('timeout', late)
      else if (post.slowSince !== undefined && time - post.slowSince >= SLOW_READER_LIMIT) {
        const text = `The caller did not read for ${SLOW_READER_LIMIT / 1000} s`
        post.giveUp(
          'the reader is too slow',
          new TransportError('ERR_BUSY', text, { hop: this.endpoint.name }),
        )
      }
    }
  }
}

/** One call over HTTP, with what it holds of the network while it lasts. */
export abstract class Post implements CallHost {
  /** Set when the call is first pulled. */
  call!: Call
  /** Since when its caller does not read. */
  slowSince: number | undefined
  respondedAt = 0
  protected readonly posts: Posts
  /** Ends whatever it has on the network. */
  #network: Context | undefined
  #answer: HttpAnswer | undefined
  #over = false
  /** Behind the response more may come. */
  protected streams = false

  constructor(posts: Posts) {
    this.posts = posts
  }

  /** Sends the request. */
  protected abstract begin(request: JSONRPCRequest): void
  /** The peer is told to stop, where hanging up does not say so. */
  protected abstract cancel(reason: string): void

  open(call: Call, request: JSONRPCRequest): void {
    this.call = call
    this.posts.begin(this)
    this.begin(request)
  }

  drop(_call: Call, cancelled: string | undefined): void {
    if (!this.#end()) return
    if (cancelled !== undefined) this.cancel(cancelled)
    this.hangUp()
  }

  congested(_call: Call, congested: boolean): void {
    this.slowSince = congested ? performance.now() : undefined
    if (congested) this.#answer?.pause()
    else this.#answer?.resume()
  }

  /** Nothing is left to be done for the call. */
  get over(): boolean {
    return this.#over
  }

  fail(error: unknown): void {
    this.#end()
    this.hangUp()
    this.call.fail(error)
  }

  giveUp(reason: string, error: TransportError): void {
    this.drop(this.call, reason)
    this.call.fail(error)
  }

  /** Hangs up, whether or not something is left to come. */
  hangUp(): void {
    this.posts.lingered(this)
    this.#network?.cancel('cancelled')
    this.#answer?.cancel()
    this.#answer = undefined
  }

  /** Sends one request for the call. The answer is undefined where the call was over before it came. */
  protected async send(call: HttpCall): Promise<HttpAnswer | undefined> {
    const answer = await sendTo(this.posts.endpoint, call, this.network)
    if (this.#over) {
      answer.cancel()
      return undefined
    }
    this.#answer = answer
    if (this.slowSince !== undefined) answer.pause()
    return answer
  }

  /** Cancelled when the call is over. Its own, since that may be before its caller is. */
  protected get network(): Context {
    this.#network ??= new Context(this.call.context.caller)
    return this.#network
  }

  /** The response is there; what may follow it is nothing to wait for. To be called before `call.respond`. */
  protected responded(): void {
    if (!this.#end() || !this.streams || this.#answer === undefined) return
    this.respondedAt = performance.now()
    // Nobody is left who could fall behind.
    if (this.slowSince !== undefined) this.#answer.resume()
    this.posts.linger(this)
  }

  /** The answer has ended by itself. */
  protected bodyEnded(): void {
    this.#answer = undefined
    if (this.#over) this.posts.lingered(this)
  }

  #end(): boolean {
    this.#over = true
    return this.posts.end(this)
  }
}

export const POST_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
}
