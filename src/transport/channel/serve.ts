import { type Caller, Context } from '../../exchange/context.js'
import { TransportError, toErrorObject } from '../../exchange/errors.js'
import type { Handler } from '../../exchange/exchange.js'
import { type ServedSession, type ToSessionOptions, toSession } from '../../legacy/to-session.js'
import { INVALID_PARAMS, SHUTTING_DOWN, TOO_LARGE, UNSUPPORTED_VERSION } from '../../protocol/errors.js'
import type { Noise } from '../../protocol/line-codec.js'
import {
  errorResponse,
  type JSONRPCErrorObject,
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  type RequestId,
  resultResponse,
} from '../../protocol/message.js'
import {
  isObject,
  META_CLIENT_CAPABILITIES,
  META_SUBSCRIPTION_ID,
  protocolVersionOf,
} from '../../protocol/meta.js'
import { METHOD_CANCELLED, METHOD_INITIALIZE, METHOD_LISTEN, METHOD_PING } from '../../protocol/methods.js'
import { isModernVersion, MODERN_VERSIONS } from '../../protocol/versions.js'
import type { Channel } from './channel.js'

export interface ServeChannelOptions extends ToSessionOptions {
  /** How many calls the client may have open at once. Default 10,000. */
  readonly maxCalls?: number
  readonly onNoise?: (noise: Noise) => void
  /** Hears that the client has left. */
  readonly onSessionEnd?: ((session: string) => void) | undefined
}

export interface ServedChannel {
  /** Resolves once the channel is closed and its calls have ended. */
  readonly closed: Promise<void>
  /** Refuses new calls, lets open ones finish for up to `timeout` milliseconds, ends subscriptions gracefully. */
  drain(timeout: number): Promise<void>
}

/** A handler behind a channel, for clients of both eras at the same time: each request tells its own. */
export function serveChannel(
  channel: Channel,
  handler: Handler,
  caller: Caller,
  options: ServeChannelOptions = {},
): ServedChannel {
  return new ChannelServer(channel, handler, caller, options)
}

type Step = IteratorResult<JSONRPCNotification | JSONRPCRequest, JSONRPCResponse>

interface Steps {
  next(): Promise<Step>
  return(value: never): Promise<unknown>
}

class ChannelServer implements ServedChannel {
  readonly closed: Promise<void>
  #channel: Channel
  #handler: Handler
  #caller: Caller
  #options: ServeChannelOptions
  #session: ServedSession | undefined
  #events: Context
  #calls = new Map<
    RequestId,
    { readonly context: Context; readonly method: string; readonly done: Promise<void> }
  >()
  #draining = false
  #resolveClosed: () => void = () => {}

  constructor(channel: Channel, handler: Handler, caller: Caller, options: ServeChannelOptions) {
    this.#channel = channel
    this.#handler = handler
    this.#caller = caller.session === undefined ? { ...caller, session: crypto.randomUUID() } : caller
    this.#options = options
    this.#events = new Context(this.#caller)
    this.closed = new Promise(resolve => {
      this.#resolveClosed = resolve
    })
    channel.listen({
      message: message => this.#message(message),
      noise: noise => this.#noise(noise),
      closed: () => this.#end(),
    })
  }

  async drain(timeout: number): Promise<void> {
    this.#draining = true
    const waits: Promise<void>[] = []
    for (const [id, call] of this.#calls) {
      if (call.method === METHOD_LISTEN) {
        this.#channel.send(
          resultResponse(id, { resultType: 'complete', _meta: { [META_SUBSCRIPTION_ID]: id } }),
        )
        call.context.cancel('shutdown')
      } else waits.push(call.done)
    }
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, timeout)
    })
    await Promise.race([Promise.all(waits), late])
    clearTimeout(timer)
    for (const [id, call] of this.#calls) {
      this.#channel.send(errorResponse(id, shuttingDown()))
      call.context.cancel('shutdown')
    }
    await this.#channel.close()
  }

  #message(message: JSONRPCMessage): void {
    if (!('method' in message)) {
      this.#session?.deliver(message)
      return
    }
    if (!('id' in message)) {
      this.#notification(message)
      return
    }
    const refusal = this.#refusal(message)
    if (refusal !== undefined) {
      this.#channel.send(errorResponse(message.id, refusal))
      return
    }
    const context = new Context(this.#caller)
    const steps: Steps =
      protocolVersionOf(message) === undefined
        ? this.#legacySession(message).request(message, context)
        : this.#handler(message, context)
    const done = this.#run(message, steps, context)
    this.#calls.set(message.id, { context, method: message.method, done })
  }

  #notification(message: JSONRPCNotification): void {
    const id = message.method === METHOD_CANCELLED ? message.params?.requestId : undefined
    if (typeof id === 'string' || typeof id === 'number') this.#calls.get(id)?.context.cancel('cancelled')
    this.#session?.deliver(message)
  }

  /** Why a request is not even begun. */
  #refusal(request: JSONRPCRequest): JSONRPCErrorObject | undefined {
    if (this.#draining) return shuttingDown()
    if (this.#calls.has(request.id)) {
      return { code: -32600, message: `The id ${JSON.stringify(request.id)} is in use by an open request` }
    }
    const limit = this.#options.maxCalls ?? 10_000
    if (this.#calls.size >= limit) return { code: TOO_LARGE, message: `${limit} calls are open already` }
    const version = protocolVersionOf(request)
    if (version === undefined) {
      const legacy =
        this.#session !== undefined || request.method === METHOD_INITIALIZE || request.method === METHOD_PING
      if (legacy) return undefined
      return {
        code: INVALID_PARAMS,
        message:
          'params._meta["io.modelcontextprotocol/protocolVersion"] is missing (modern clients), or initialize was not sent (legacy clients)',
      }
    }
    if (!isModernVersion(version)) {
      return {
        code: UNSUPPORTED_VERSION,
        message: `Unsupported protocol version: ${version}`,
        data: { supported: MODERN_VERSIONS, requested: version },
      }
    }
    if (!isObject(request.params?._meta?.[META_CLIENT_CAPABILITIES])) {
      return {
        code: INVALID_PARAMS,
        message: 'params._meta["io.modelcontextprotocol/clientCapabilities"] is missing',
      }
    }
    return undefined
  }

  #legacySession(request: JSONRPCRequest): ServedSession {
    if (this.#session === undefined) {
      this.#session = toSession(this.#handler, this.#options)
      if (request.method === METHOD_INITIALIZE) void this.#pumpEvents(this.#session)
    }
    return this.#session
  }

  async #run(request: JSONRPCRequest, steps: Steps, context: Context): Promise<void> {
    let finished = false
    try {
      for (;;) {
        const step = await steps.next()
        if (step.done) {
          finished = true
          // Free before the answer leaves: the client may use the id again as soon as it has it.
          this.#calls.delete(request.id)
          if (context.cancelled === undefined) this.#channel.send(step.value)
          return
        }
        if (context.cancelled === undefined && !this.#channel.send(step.value)) await this.#channel.drained()
      }
    } catch (error) {
      finished = true
      this.#calls.delete(request.id)
      if (context.cancelled === undefined && !isCancellation(error)) {
        this.#channel.send(errorResponse(request.id, toErrorObject(error)))
      }
    } finally {
      if (!finished) steps.return(undefined as never).catch(() => {})
    }
  }

  async #pumpEvents(session: ServedSession): Promise<void> {
    const events = session.events(this.#events)
    for (;;) {
      const step = await events.next()
      if (step.done) return
      if (!this.#channel.send(step.value)) await this.#channel.drained()
    }
  }

  /** A message that could not be read is answered where it shows whose it was. */
  #noise(noise: Noise): void {
    if (noise.kind === 'too-large' || noise.kind === 'too-deep' || noise.kind === 'not-a-message') {
      const limit = noise.kind === 'too-large' ? ' (--max-message)' : ''
      const code = noise.kind === 'not-a-message' ? -32600 : TOO_LARGE
      this.#channel.send(
        errorResponse(noise.id, { code, message: `The message cannot be taken: ${noise.kind}${limit}` }),
      )
    } else if (noise.kind === 'not-json' || noise.kind === 'invalid-utf8') {
      this.#channel.send(
        errorResponse(noise.id, { code: -32700, message: `Not a JSON message: ${noise.kind}` }),
      )
    }
    this.#options.onNoise?.(noise)
  }

  #end(): void {
    this.#events.cancel('hangup')
    for (const call of [...this.#calls.values()]) call.context.cancel('hangup')
    const ended = this.#session?.[Symbol.asyncDispose]() ?? Promise.resolve()
    void ended.then(() => {
      this.#options.onSessionEnd?.(this.#caller.session as string)
      this.#resolveClosed()
    })
  }
}

function shuttingDown(): JSONRPCErrorObject {
  return { code: SHUTTING_DOWN, message: 'The server is shutting down; try again later' }
}

function isCancellation(error: unknown): boolean {
  return error instanceof TransportError && error.code === 'ERR_CANCELLED'
}
