/**
 * A legacy server at an HTTP address, as a Session: a POST for each message, a standalone stream for what belongs to no call.
 * Specification: 2025-11-25, 2025-06-18 and 2025-03-26 basic/transports, "Streamable HTTP".
 */

import { Call } from '../../exchange/call.js'
import { type CallLimits, onlyCandidate } from '../../exchange/call-limits.js'
import { Context } from '../../exchange/context.js'
import { within } from '../../exchange/deadline.js'
import { TransportError } from '../../exchange/errors.js'
import type { HttpAnswer, HttpCall } from '../../exchange/http-client.js'
import { type HttpEndpoint, sendTo } from '../../exchange/http-endpoint.js'
import { Queue } from '../../exchange/queue.js'
import { restored, restoredProgress } from '../../exchange/remint.js'
import { TaskProgress } from '../../exchange/task-progress.js'
import type { LossListener } from '../../legacy/losses.js'
import type { Session, SessionExchange } from '../../legacy/session.js'
import { METHOD_NOT_FOUND } from '../../protocol/errors.js'
import { HEADER_LAST_EVENT_ID, HEADER_PROTOCOL_VERSION, HEADER_SESSION } from '../../protocol/headers.js'
import {
  isRequest,
  isResponse,
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  resultResponse,
} from '../../protocol/message.js'
import {
  METHOD_CANCELLED,
  METHOD_INITIALIZE,
  METHOD_INITIALIZED,
  METHOD_MESSAGE,
  METHOD_PING,
  METHOD_PROGRESS,
  mayAsk,
} from '../../protocol/methods.js'
import { readResult } from '../../protocol/raw-json.js'
import { type AnswerLimits, kindOf, readAnswer } from './answer.js'
import { AskedQuestions } from './asked-questions.js'
import { LegacyPost, type LegacyPosts, STREAM_HEADERS } from './legacy-post.js'
import { POST_HEADERS, type Post, Posts } from './post.js'
import { refusedAnswer } from './refused-answer.js'
import { sessionLoss } from './session-loss.js'
import { keepStandaloneStream } from './standalone-stream.js'

export interface HttpSessionOptions extends CallLimits {
  readonly onLoss?: LossListener | undefined
}

/** Notifications that belong to no call and that nobody has pulled yet; later ones are dropped. */
const MAX_EVENTS = 1000
/** How long the server may take to say goodbye, in milliseconds. */
const FAREWELL = 2_000
/** How long a call that may ask waits for the standalone stream, in milliseconds: some servers say nothing on it before they have to. */
const STREAM_WAIT = 500
/** Visible ASCII ("Session Management"). */
const VISIBLE = /^[!-~]+$/

const INTERNAL = { binding: 'internal' } as const

/** Nothing is sent before the first request, which has to be `initialize`. */
export function connectHttpSession(endpoint: HttpEndpoint, options: HttpSessionOptions = {}): HttpSession {
  return new HttpSession(endpoint, options)
}

export class HttpSession extends Posts implements Session, LegacyPosts {
  readonly behind = false
  readonly tasks = new TaskProgress()
  listens = false
  readonly #onLoss: LossListener | undefined
  readonly #questions: AskedQuestions
  readonly #events = new Queue<JSONRPCNotification>()
  /** Ends what belongs to no call. */
  readonly #life = new Context(INTERNAL)
  /** Set from `notifications/initialized` until the server has taken it. */
  #taken: Promise<void> | undefined
  /** Set from then until the server has answered the GET for the standalone stream. */
  #standing: Promise<void> | undefined
  #id: string | undefined
  #version: string | undefined
  #verifying: Promise<boolean> | undefined
  #worked = false

  constructor(endpoint: HttpEndpoint, options: HttpSessionOptions) {
    super(endpoint, options)
    this.#onLoss = options.onLoss
    this.#questions = new AskedQuestions({
      open: () => this.all().map(post => post.call),
      refuse: response => void this.#send(response),
      onLoss: options.onLoss,
    })
  }

  /** Questions come with the call that they belong to, so that calls that may ask can share the session. */
  get exact(): boolean {
    return this.#questions.exact
  }

  get named(): boolean {
    return this.#id !== undefined
  }

  /** It has answered more than its own opening: its end is no failed start. */
  get worked(): boolean {
    return this.#worked
  }

  request(request: JSONRPCRequest, context: Context): SessionExchange {
    return new Call(new LegacyPost(this), request, context) as SessionExchange
  }

  deliver(message: JSONRPCResponse | JSONRPCNotification): void {
    if (!('method' in message)) this.#questions.settle(message.id)
    const sent = this.#send(message)
    if (!('method' in message) || message.method !== METHOD_INITIALIZED) return
    let listening: Promise<void> | undefined
    this.#taken = sent.then(() => {
      this.#taken = undefined
      if (!this.closed) listening = this.#listen()
    })
    this.#standing = this.#taken
      .then(() => listening && within(listening, STREAM_WAIT, () => new Error('late')))
      .catch(() => {})
      .finally(() => {
        this.#standing = undefined
      })
  }

  ready(method: string): Promise<void> | undefined {
    if (method === METHOD_INITIALIZE) return undefined
    // Strict servers refuse what comes before `notifications/initialized`, and two POSTs may overtake each other. What a server
    // asks on a stream that does not stand yet is lost with some, and its call waits for an answer that never comes.
    return mayAsk(method) ? this.#standing : this.#taken
  }

  async *events(context: Context): AsyncGenerator<JSONRPCNotification, void, void> {
    context.onCancel(() => this.#events.close())
    for (;;) {
      const step = await this.#events.next()
      if (step.done) return
      yield step.value
    }
  }

  /** Ends the session, at the server as well where it has a name. */
  async close(): Promise<void> {
    const lives = !this.closed
    this.retire(undefined)
    // Where sessions cannot be ended, calls can.
    if (lives) for (const post of this.all()) post.giveUp('shutdown', this.lost(false))
    this.hangUp()
    if (lives && this.#id !== undefined) await this.#farewell()
    this.#life.cancel('shutdown')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  override end(post: Post): boolean {
    const open = super.end(post)
    if (open) {
      this.tasks.ended(post.call)
      this.#questions.callEnded()
    }
    return open
  }

  override retire(error: Error | undefined): void {
    this.#events.close()
    super.retire(error)
  }

  headers(base: Readonly<Record<string, string>>): Record<string, string> {
    const headers = { ...base }
    if (this.#id !== undefined) headers[HEADER_SESSION] = this.#id
    if (this.#version !== undefined) headers[HEADER_PROTOCOL_VERSION] = this.#version
    return headers
  }

  begun(answer: HttpAnswer): void {
    const id = answer.header(HEADER_SESSION)
    if (id !== undefined && VISIBLE.test(id)) this.#id = id
  }

  answered(call: Call, response: JSONRPCResponse): void {
    this.tasks.responded(call, response)
    if (call.method !== METHOD_INITIALIZE) this.#worked = true
    else if ('result' in response) {
      const { protocolVersion } = readResult(response.result)
      if (typeof protocolVersion === 'string' && VISIBLE.test(protocolVersion))
        this.#version = protocolVersion
    }
  }

  tell(message: JSONRPCNotification): void {
    void this.#send(message)
  }

  ask(question: JSONRPCRequest, call: Call): void {
    if (question.method === METHOD_PING) void this.#send(resultResponse(question.id, {}))
    else this.#questions.ask(question, call)
  }

  aside(message: JSONRPCResponse | JSONRPCNotification): void {
    if (isResponse(message)) this.#respond(message)
    else if (message.method === METHOD_CANCELLED) this.#questions.withdraw(message)
    else if (this.#events.size < MAX_EVENTS) this.#events.push(message)
    else this.#onLoss?.('notification-outside-call', message.method)
  }

  verify(): Promise<boolean> {
    // Another call has found out.
    if (this.closed) return Promise.resolve(false)
    this.#verifying ??= this.#ping().finally(() => {
      this.#verifying = undefined
    })
    return this.#verifying
  }

  lose(): void {
    if (this.closed) return
    const { name } = this.endpoint
    this.retire(new TransportError('ERR_CLOSED', `${name} has ended the session`, { hop: name }))
    this.#questions.close()
    this.#life.cancel('shutdown')
  }

  /** What comes on the standalone stream. */
  #onAside(message: JSONRPCMessage): void {
    if (isRequest(message)) {
      if (message.method === METHOD_PING) void this.#send(resultResponse(message.id, {}))
      else this.#questions.askAside(message)
    } else if (isResponse(message) || !this.#belongs(message)) this.aside(message)
  }

  /** Progress says whose it is; a log may only be given to a call where there is no other. */
  #belongs(message: JSONRPCNotification): boolean {
    if (message.method === METHOD_PROGRESS) {
      const token = message.params?.progressToken
      const call = this.#find(token) ?? this.tasks.waiterOf(token as number)
      if (call === undefined) return true
      call.lastSign = performance.now()
      const own = restoredProgress(message, call)
      if (own !== undefined) call.push(own)
      return true
    }
    const call = message.method === METHOD_MESSAGE ? onlyCandidate(this.#calls()) : undefined
    if (call === undefined) return false
    call.lastSign = performance.now()
    call.push(message)
    return true
  }

  /** To a call whose own stream did not bring it. */
  #respond(response: JSONRPCResponse): void {
    const post = this.all().find(({ call }) => call.upstreamId === response.id)
    if (post === undefined) return
    this.end(post)
    post.hangUp()
    this.answered(post.call, response)
    post.call.respond(restored(response, post.call))
  }

  #find(id: unknown): Call | undefined {
    return this.#calls().find(call => call.upstreamId === id)
  }

  #calls(): readonly Call[] {
    return this.all().map(post => post.call)
  }

  /** Resolves once it is known whether there is such a stream. */
  #listen(): Promise<void> {
    const { endpoint } = this
    return new Promise(answered => {
      const kept = keepStandaloneStream(
        {
          limits: endpoint,
          open: async lastEventId => {
            const headers = this.headers(STREAM_HEADERS)
            if (lastEventId !== undefined) headers[HEADER_LAST_EVENT_ID] = lastEventId
            const http: HttpCall = { method: 'GET', url: endpoint.url, headers, stream: true }
            return await sendTo(endpoint, http, this.#life).finally(answered)
          },
          message: message => this.#onAside(message),
          opened: () => {
            this.listens = true
          },
          lost: () => this.lose(),
        },
        this.#life,
      )
      void kept.finally(answered)
    })
  }

  /** Sends what is no request. Never rejects: whoever waits for its effect finds out. */
  async #send(message: JSONRPCResponse | JSONRPCNotification): Promise<void> {
    const http = this.#post(message)
    try {
      const answer = await sendTo(this.endpoint, http, this.#life)
      if (answer.status >= 200 && answer.status < 300) {
        answer.listen(DEAF)
        return
      }
      const { status, response, text } = await refusedAnswer(answer, http)
      if (!this.named || this.closed) return
      const loss = sessionLoss({ session: true, status, error: response?.error, named: false, text })
      if (loss === 'lost' || (loss === 'perhaps' && !(await this.verify()))) this.lose()
    } catch {
      // A server that cannot be reached does not answer its calls either.
    }
  }

  /** True where the server knows the session, and where that cannot be found out. */
  async #ping(): Promise<boolean> {
    const id = this.nextId()
    const http = this.#post({ jsonrpc: '2.0', id, method: METHOD_PING })
    try {
      const answer = await sendTo(this.endpoint, http, this.#life)
      if (answer.status >= 200 && answer.status < 300) return await holdsResult(answer, this.endpoint, id)
      const { status, response, text } = await refusedAnswer(answer, http)
      if (response?.error.code === METHOD_NOT_FOUND && response.id === id) return true
      return (
        sessionLoss({ session: true, status, error: response?.error, named: response?.id === id, text }) ===
        'kept'
      )
    } catch {
      return !this.closed
    }
  }

  #post(message: JSONRPCMessage): HttpCall {
    const headers = this.headers(POST_HEADERS)
    return { method: 'POST', url: this.endpoint.url, headers, body: JSON.stringify(message) }
  }

  async #farewell(): Promise<void> {
    const { endpoint } = this
    const context = new Context(INTERNAL)
    const call: HttpCall = { method: 'DELETE', url: endpoint.url, headers: this.headers({}) }
    try {
      const answer = await within(sendTo(endpoint, call, context), FAREWELL, () => new Error('late'))
      answer.cancel()
    } catch {
      context.cancel('timeout')
    }
  }
}

/** What has to be read and says nothing. */
const DEAF = { data: () => {}, closed: () => {} }

/** Whether a ping was answered with anything but an error about the session. */
function holdsResult(answer: HttpAnswer, limits: AnswerLimits, id: number): Promise<boolean> {
  const kind = kindOf(answer)
  if (kind === undefined) {
    answer.cancel()
    return Promise.resolve(true)
  }
  return new Promise(resolve => {
    readAnswer(answer, kind, limits, {
      message(message) {
        if (!isResponse(message)) return
        const error = 'error' in message ? message.error : undefined
        resolve(
          sessionLoss({ session: true, status: 200, error, named: message.id === id, text: '' }) === 'kept',
        )
        answer.cancel()
      },
      broken: () => {},
      ended: () => resolve(true),
    })
  })
}
