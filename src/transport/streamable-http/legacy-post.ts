import type { Call } from '../../exchange/call.js'
import { delay } from '../../exchange/deadline.js'
import type { TransportError } from '../../exchange/errors.js'
import type { HttpAnswer, HttpCall } from '../../exchange/http-client.js'
import { outgoing, restored, restoredProgress } from '../../exchange/remint.js'
import type { TaskProgress } from '../../exchange/task-progress.js'
import type { RpcError } from '../../protocol/errors.js'
import { HEADER_LAST_EVENT_ID } from '../../protocol/headers.js'
import {
  isRequest,
  isResponse,
  type JSONRPCErrorResponse,
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  notification,
} from '../../protocol/message.js'
import {
  METHOD_CANCELLED,
  METHOD_INITIALIZE,
  METHOD_MESSAGE,
  METHOD_PROGRESS,
  METHOD_TASK_RESULT,
} from '../../protocol/methods.js'
import { type AnswerListener, type AnswerReader, kindOf, readAnswer } from './answer.js'
import { POST_HEADERS, Post, type Posts } from './post.js'
import { cutAnswer, type RefusedAnswer, refusedAnswer, strangeAnswer } from './refused-answer.js'
import { sessionLoss } from './session-loss.js'

/** `error` is missing only where there is a response. */
type Refused = Omit<RefusedAnswer, 'error'> & { readonly error?: TransportError }

/** What a call needs of its session. */
export interface LegacyPosts extends Posts {
  /** Resolves once the server may be called so; undefined where it may. */
  ready(method: string): Promise<void> | undefined
  /** True where the server has given the session a name. */
  readonly named: boolean
  /** Responses may come on the standalone stream. */
  readonly listens: boolean
  readonly tasks: TaskProgress
  headers(base: Readonly<Record<string, string>>): Record<string, string>
  /** The answer to `initialize` has begun. */
  begun(answer: HttpAnswer): void
  /** The server has answered a call. */
  answered(call: Call, response: JSONRPCResponse): void
  tell(message: JSONRPCNotification): void
  ask(question: JSONRPCRequest, call: Call): void
  /** What came on the stream of a call, and is not about it. */
  aside(message: JSONRPCResponse | JSONRPCNotification): void
  /** Asks the server whether it still knows the session. */
  verify(): Promise<boolean>
  /** The server does not know the session any more. */
  lose(): void
}

/** Attempts to resume a stream that bring nothing. */
const MAX_RESUMES = 8
const FIRST_WAIT = 100
const LONGEST_WAIT = 5_000

export const STREAM_HEADERS: Readonly<Record<string, string>> = { accept: 'text/event-stream' }

/** One call of a session: a POST, and GETs that go on where its stream broke. */
export class LegacyPost extends Post implements AnswerListener {
  declare protected readonly posts: LegacyPosts
  #body = ''
  #lastEventId: string | undefined
  #retry: number | undefined
  /** Attempts since the last message. */
  #resumes = 0
  #heard = false
  #problem: RpcError | undefined
  /** It is being found out whether the session is lost; how the answer ends does not matter. */
  #verifying = false

  protected begin(request: JSONRPCRequest): void {
    const { posts, call } = this
    if (call.method === METHOD_TASK_RESULT) posts.tasks.wait(call, request.params)
    this.#body = JSON.stringify(outgoing(request, call))
    const ready = posts.ready(call.method)
    if (ready === undefined) void this.#post()
    else void ready.then(() => this.#post())
  }

  /** Hanging up cancels nothing here: the stream might be resumed ("Sending Messages to the Server"). */
  protected cancel(reason: string): void {
    if (this.call.method === METHOD_INITIALIZE) return
    this.posts.tell(notification(METHOD_CANCELLED, { requestId: this.call.upstreamId, reason }))
  }

  message(message: JSONRPCMessage): void {
    this.#heard = true
    if (isResponse(message)) this.#onResponse(message)
    else if (isRequest(message)) this.posts.ask(message, this.call)
    else this.#onNotification(message)
  }

  broken(error: RpcError): void {
    this.#problem = error
  }

  ended(error: Error | undefined, { lastEventId, retry }: AnswerReader): void {
    this.bodyEnded()
    if (this.over || this.#verifying) return
    if (lastEventId !== undefined) this.#lastEventId = lastEventId
    if (retry !== undefined) this.#retry = retry
    const { name } = this.posts.endpoint
    if (this.#problem !== undefined) this.fail(strangeAnswer(name, this.#problem))
    else if (this.#lastEventId === undefined) this.fail(cutAnswer(name, this.call.method, error))
    else void this.#resume(error)
  }

  async #post(): Promise<void> {
    const { posts } = this
    if (this.over) return
    // The session ended while the call waited for it to begin.
    if (posts.closed) return this.fail(posts.lost(true))
    const headers = posts.headers(POST_HEADERS)
    const http: HttpCall = {
      method: 'POST',
      url: posts.endpoint.url,
      headers,
      body: this.#body,
    }
    try {
      const answer = await this.send(http)
      if (answer !== undefined) await this.#onAnswer(answer, http)
    } catch (error) {
      this.fail(error)
    }
  }

  async #onAnswer(answer: HttpAnswer, http: HttpCall): Promise<void> {
    const { posts, call } = this
    const success = answer.status >= 200 && answer.status < 300
    const kind = kindOf(answer)
    if (success && call.method === METHOD_INITIALIZE) posts.begun(answer)
    if (success && kind !== undefined) {
      this.streams = kind === 'events'
      readAnswer(answer, kind, posts.endpoint, this)
      return
    }
    const refused = await refusedAnswer(answer, http)
    this.bodyEnded()
    if (this.over) return
    // Taken, and to be answered on the standalone stream. No revision has it so, but some servers.
    if (answer.status === 202 && posts.listens) return
    await this.#onRefused(refused)
  }

  async #onRefused(refused: Refused): Promise<void> {
    const { posts, call } = this
    const { status, response, text, error } = refused
    if (call.method !== METHOD_INITIALIZE) {
      const named = response?.id === call.upstreamId
      const loss = sessionLoss({ session: posts.named, status, error: response?.error, named, text })
      if (loss === 'lost' || (loss === 'perhaps' && !(await posts.verify()))) {
        posts.lose()
        // Refused for its session, it did not run.
        this.fail(posts.lost(true))
        return
      }
    }
    if (this.over) return
    // Of a refused handshake the status matters: another transport may be served there.
    if (response === undefined || (call.method === METHOD_INITIALIZE && status >= 400)) this.fail(error)
    else this.#respond(response)
  }

  #onResponse(response: JSONRPCResponse): void {
    const { posts, call } = this
    if (call.settled) return
    if (response.id != null && String(response.id) !== String(call.upstreamId)) {
      posts.aside(response)
      return
    }
    if ('error' in response && call.method !== METHOD_INITIALIZE) {
      const loss = sessionLoss({
        session: posts.named,
        status: 200,
        error: response.error,
        named: response.id != null,
        text: '',
      })
      if (loss !== 'kept') return void this.#verify(response)
    }
    this.#respond(response)
  }

  /** An error that may be about the session rather than the call. */
  async #verify(response: JSONRPCErrorResponse): Promise<void> {
    this.#verifying = true
    await this.#onRefused({ status: 200, response, text: '' })
  }

  #respond(response: JSONRPCResponse): void {
    const { posts, call } = this
    this.responded()
    posts.answered(call, response)
    call.respond(restored(response, call))
  }

  #onNotification(message: JSONRPCNotification): void {
    const { posts, call } = this
    switch (message.method) {
      case METHOD_PROGRESS: {
        call.lastSign = performance.now()
        const own = restoredProgress(message, call)
        if (own !== undefined) call.push(own)
        return
      }
      case METHOD_MESSAGE:
        call.lastSign = performance.now()
        call.push(message)
        return
      default:
        posts.aside(message)
    }
  }

  /** "Resumability and Redelivery": the events behind the last one are asked for again, until the response has come. */
  async #resume(cause: Error | undefined): Promise<void> {
    const { posts, call } = this
    const cut = () => this.fail(cutAnswer(posts.endpoint.name, call.method, cause))
    if (this.#heard) this.#resumes = 0
    this.#heard = false
    for (;;) {
      if (++this.#resumes > MAX_RESUMES) return cut()
      const backoff = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (this.#resumes - 1))
      // "The client MUST respect the retry field."
      await delay(
        this.#resumes === 1 ? (this.#retry ?? backoff) : Math.max(this.#retry ?? 0, backoff),
        this.network,
      )
      if (this.over) return
      if (posts.closed) return cut()
      const headers = posts.headers(STREAM_HEADERS)
      headers[HEADER_LAST_EVENT_ID] = this.#lastEventId as string
      let answer: HttpAnswer | undefined
      try {
        answer = await this.send({ method: 'GET', url: posts.endpoint.url, headers, stream: true })
      } catch {
        // The server may come back, with or without what it knew.
        continue
      }
      if (answer === undefined) return
      if (answer.status === 200 && kindOf(answer) === 'events') {
        this.streams = true
        readAnswer(answer, 'events', posts.endpoint, this)
        return
      }
      answer.cancel()
      this.bodyEnded()
      if (answer.status === 404 && posts.named) posts.lose()
      if (answer.status !== 409 && answer.status !== 429 && answer.status < 500) return cut()
    }
  }
}
