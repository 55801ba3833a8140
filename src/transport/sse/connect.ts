/**
 * A server on HTTP+SSE, as a Channel: its messages come on one stream, ours go to the address that the stream begins with.
 * Specification: 2024-11-05 basic/transports, "HTTP with SSE".
 */

import { Context } from '../../exchange/context.js'
import { delay, within } from '../../exchange/deadline.js'
import { TransportError } from '../../exchange/errors.js'
import type { HttpAnswer, HttpCall } from '../../exchange/http-client.js'
import { DEFAULT_MAX_MESSAGE, type HttpEndpoint, sendTo } from '../../exchange/http-endpoint.js'
import { unexpectedAnswer } from '../../exchange/unexpected-answer.js'
import { PARSE_ERROR, RpcError, TOO_LARGE } from '../../protocol/errors.js'
import { EventStreamDecoder, type ServerSentEvent } from '../../protocol/event-stream.js'
import { glimpse } from '../../protocol/glimpse.js'
import { isNotification, type JSONRPCMessage } from '../../protocol/message.js'
import { METHOD_INITIALIZED } from '../../protocol/methods.js'
import { DEFAULT_MAX_DEPTH, parseBody, parseResponseLine } from '../../protocol/parse.js'
import type { Channel, ChannelListener } from '../channel/channel.js'

export interface ConnectSseOptions {
  /** How long the stream may take to say where messages go, in milliseconds. Default 60,000. */
  readonly startTimeout?: number
}

/** POSTs under way from which on senders should wait. */
const MAX_POSTS = 64
/** How long a message waits for those before it to be taken, and closing for the last, in milliseconds. */
const MAX_WAIT = 1_000

const INTERNAL = { binding: 'internal' } as const

/**
 * Opens the stream. Rejects with a `TransportError`: ERR_STATUS or ERR_HANDSHAKE where there is no such stream, ERR_PROTOCOL where
 * it leads to another origin, ERR_TIMEOUT.
 */
export async function connectSse(
  endpoint: HttpEndpoint,
  context: Context,
  options: ConnectSseOptions = {},
): Promise<Channel> {
  const channel = new SseChannel(endpoint)
  const off = context.onCancel(() => void channel.close())
  const { startTimeout = 60_000 } = options
  try {
    await within(
      channel.open(),
      startTimeout,
      () =>
        new TransportError(
          'ERR_TIMEOUT',
          `${endpoint.name} did not begin its stream within ${startTimeout} ms`,
          {
            hop: endpoint.name,
            knob: '--start-timeout',
          },
        ),
    )
    return channel
  } catch (error) {
    void channel.close()
    throw error
  } finally {
    off()
  }
}

class SseChannel implements Channel {
  readonly name: string
  readonly #endpoint: HttpEndpoint
  readonly #decoder: EventStreamDecoder
  /** Ends the stream and whatever is being sent. */
  readonly #life = new Context(INTERNAL)
  readonly #posts = new Set<Promise<void>>()
  #listener: ChannelListener | undefined
  /** What came before anybody listened. */
  #early: JSONRPCMessage[] = []
  #answer: HttpAnswer | undefined
  /** Where messages go. */
  #address: string | undefined
  #addressed: (() => void) | undefined
  #failed: ((error: unknown) => void) | undefined
  /** Nothing may overtake it. */
  #barrier: Promise<void> | undefined
  #ended: { readonly error: Error | undefined } | undefined
  #closing = false
  #drained: (() => void)[] = []

  constructor(endpoint: HttpEndpoint) {
    this.#endpoint = endpoint
    this.name = endpoint.name
    this.#decoder = new EventStreamDecoder({
      maxEvent: endpoint.maxMessage ?? DEFAULT_MAX_MESSAGE,
      event: event => this.#event(event),
      tooLarge: byteLength => this.#listener?.noise?.({ kind: 'too-large', text: '', byteLength }),
      ...(endpoint.isUtf8 === undefined ? {} : { isUtf8: endpoint.isUtf8 }),
    })
  }

  /** Resolves once it is known where messages go. */
  async open(): Promise<void> {
    const { url } = this.#endpoint
    const call: HttpCall = { method: 'GET', url, headers: { accept: 'text/event-stream' }, stream: true }
    const answer = await sendTo(this.#endpoint, call, this.#life)
    const type = answer.header('content-type') ?? ''
    if (answer.status !== 200 || !/^\s*text\/event-stream\s*(?:;|$)/i.test(type))
      throw await unexpectedAnswer(answer, call)
    this.#answer = answer
    await new Promise<void>((resolve, reject) => {
      this.#addressed = resolve
      this.#failed = reject
      answer.listen({
        data: chunk => this.#decoder.push(chunk),
        closed: error => this.#end(error ?? this.#cut()),
      })
    })
  }

  listen(listener: ChannelListener): void {
    this.#listener = listener
    for (const message of this.#early.splice(0)) listener.message(message)
    if (this.#ended !== undefined) listener.closed(this.#ended.error)
  }

  send(message: JSONRPCMessage): boolean {
    if (this.#ended !== undefined || this.#closing) return true
    const post = this.#inOrder(message).finally(() => this.#sent(post))
    this.#posts.add(post)
    if ('method' in message && message.method === METHOD_INITIALIZED) this.#barrier = post
    return this.#posts.size < MAX_POSTS
  }

  drained(): Promise<void> {
    if (this.#posts.size < MAX_POSTS || this.#ended !== undefined) return Promise.resolve()
    return new Promise(resolve => this.#drained.push(resolve))
  }

  pause(): void {
    this.#answer?.pause()
  }

  resume(): void {
    this.#answer?.resume()
  }

  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    if (this.#ended === undefined) await Promise.race([Promise.all(this.#posts), delay(MAX_WAIT, this.#life)])
    this.#end(undefined)
  }

  /** POSTs may overtake each other, which matters for what is said about a message before. */
  async #inOrder(message: JSONRPCMessage): Promise<void> {
    if (isNotification(message)) {
      if (this.#posts.size > 0) await Promise.race([Promise.all(this.#posts), delay(MAX_WAIT, this.#life)])
    } else if (this.#barrier !== undefined) await this.#barrier
    await this.#post(message)
  }

  /** Never rejects: a request that was not taken is told so. */
  async #post(message: JSONRPCMessage): Promise<void> {
    if (this.#ended !== undefined) return
    const headers = { 'content-type': 'application/json' }
    const call: HttpCall = {
      method: 'POST',
      url: this.#address as string,
      headers,
      body: JSON.stringify(message),
    }
    try {
      const answer = await sendTo({ ...this.#endpoint, url: call.url }, call, this.#life)
      if (answer.status >= 200 && answer.status < 300) {
        // Some servers answer only when the call is over; what counts is the stream.
        answer.listen({ data: () => {}, closed: () => {} })
        return
      }
      const error = await unexpectedAnswer(answer, call)
      // It does not know the stream that we hear: a new one is another session ("HTTP with SSE").
      if (answer.status === 404 || answer.status === 410) {
        this.#refused(message, this.#lost())
        this.#end(this.#lost())
      } else this.#refused(message, error)
    } catch (error) {
      this.#refused(message, error as Error)
    }
  }

  #refused(message: JSONRPCMessage, error: Error): void {
    if (this.#ended === undefined) this.#listener?.undelivered?.(message, error)
  }

  #sent(post: Promise<void>): void {
    this.#posts.delete(post)
    if (this.#barrier === post) this.#barrier = undefined
    if (this.#posts.size < MAX_POSTS) for (const resolve of this.#drained.splice(0)) resolve()
  }

  #event(event: ServerSentEvent): void {
    if (event.event === 'endpoint') this.#addressIs(event.data)
    else if (event.event === 'message') this.#message(event)
  }

  /** "Clients MUST use this endpoint", but a server must not send us, with our credentials, to another one. */
  #addressIs(data: string): void {
    if (this.#address !== undefined) return
    let address: URL | undefined
    try {
      address = new URL(data, this.#endpoint.url)
    } catch {
      // Said below.
    }
    const origin = new URL(this.#endpoint.url)
    if (address === undefined || address.protocol !== origin.protocol || address.host !== origin.host) {
      const where =
        address === undefined ? 'no address' : `another origin (${address.protocol}//${address.host})`
      this.#end(
        new TransportError('ERR_PROTOCOL', `${this.name} wants messages sent to ${where}, which is refused`, {
          hop: this.name,
        }),
      )
      return
    }
    this.#address = address.href
    this.#addressed?.()
  }

  #message(event: ServerSentEvent): void {
    const limits = { maxDepth: this.#endpoint.maxDepth ?? DEFAULT_MAX_DEPTH }
    let parsed: JSONRPCMessage | readonly JSONRPCMessage[]
    try {
      // A large array is a batch, which is parsed whole.
      parsed =
        event.bytes === undefined || event.bytes[0] === 0x5b
          ? parseBody(event.data, limits)
          : parseResponseLine(event.bytes, limits)
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      this.#noise(event, error)
      return
    }
    if (Array.isArray(parsed)) for (const message of parsed) this.#deliver(message)
    else this.#deliver(parsed as JSONRPCMessage)
  }

  #deliver(message: JSONRPCMessage): void {
    if (this.#ended !== undefined) return
    if (this.#listener === undefined) this.#early.push(message)
    else this.#listener.message(message)
  }

  #noise(event: ServerSentEvent, error: RpcError): void {
    const bytes = event.bytes ?? new TextEncoder().encode(event.data)
    const kind =
      error.code === TOO_LARGE ? 'too-deep' : error.code === PARSE_ERROR ? 'not-json' : 'not-a-message'
    const text = event.data.slice(0, 200)
    this.#listener?.noise?.({ kind, text, byteLength: bytes.length, ...glimpse(bytes) })
  }

  #end(error: Error | undefined): void {
    if (this.#ended !== undefined) return
    this.#ended = { error: this.#closing ? undefined : error }
    this.#life.cancel('shutdown')
    this.#answer?.cancel()
    for (const resolve of this.#drained.splice(0)) resolve()
    this.#failed?.(error ?? this.#cut())
    this.#listener?.closed(this.#ended.error)
  }

  #cut(): TransportError {
    return new TransportError('ERR_CLOSED', `${this.name} ended its stream`, { hop: this.name })
  }

  #lost(): TransportError {
    return new TransportError('ERR_CLOSED', `${this.name} has ended the session`, {
      hop: this.name,
      retryable: true,
    })
  }
}
