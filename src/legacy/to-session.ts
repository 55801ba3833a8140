import type { Caller, Context } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import type { Handler } from '../exchange/exchange.js'
import { finish } from '../exchange/exchange.js'
import { INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, RpcError } from '../protocol/errors.js'
import {
  errorResponse,
  type JSONObject,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  type RequestId,
  type Result,
  resultResponse,
} from '../protocol/message.js'
import { type ClientCapabilities, type Implementation, isObject, META_SERVER_INFO } from '../protocol/meta.js'
import {
  METHOD_CANCELLED,
  METHOD_DISCOVER,
  METHOD_INITIALIZE,
  METHOD_INITIALIZED,
  METHOD_LISTEN,
} from '../protocol/methods.js'
import { readResult } from '../protocol/raw-json.js'
import { isLegacyVersion, LATEST_LEGACY, type LegacyVersion } from '../protocol/versions.js'
import { translatedCapabilities } from './capabilities.js'
import { Changes, type ChangesHost } from './changes.js'
import { ClientQuestions } from './client-questions.js'
import { toLegacyError } from './error-codes.js'
import { ForwardedCall, type ForwardHost } from './forwarded-call.js'
import type { LossListener } from './losses.js'
import { type Identity, identityOf, toModernRequest } from './requests.js'
import type { ShownTools } from './results.js'
import type { Session, SessionExchange } from './session.js'
import { type EventsHost, SessionEvents } from './session-events.js'

export interface ToSessionOptions {
  /** How often one call may come back with questions. Default 10. */
  readonly maxRounds?: number
  /** How long the client may take to answer a question, in milliseconds. Default 10 minutes. */
  readonly answerTimeout?: number
  /** Shown as the server where it does not name itself, which only legacy clients insist on. */
  readonly serverInfo?: Implementation
  /**
   * The log level that a client gets which never sets one. Legacy servers decide that themselves; modern ones
   * send no logs unless asked. Default `info`.
   */
  readonly logLevel?: string
  /** For a client that never sends `initialize` (sessionless HTTP): the revision it speaks. */
  readonly version?: LegacyVersion
  /** Hears of what could not cross to the server or to the client. */
  readonly onLoss?: LossListener
}

export interface ServedSession extends Session {
  /** Set once `initialize` was answered. */
  readonly protocolVersion: LegacyVersion | undefined
  events(context: Context): SessionEvents
}

/** Events that wait for a reader; the oldest are dropped first. */
const MAX_EVENTS = 1000

const DEFAULT_LOG_LEVEL = 'info'

/** A legacy client, served by a modern handler. */
export function toSession(handler: Handler, options: ToSessionOptions = {}): ServedSession {
  return new HandlerSession(handler, options)
}

/** Emptied at its end, since a map under churn keeps what it held from being collected young (see Roster). */
interface OpenCall {
  context: Context | undefined
}

class HandlerSession implements ServedSession, ForwardHost, ChangesHost, EventsHost {
  protocolVersion: LegacyVersion | undefined
  readonly handler: Handler
  readonly shown: ShownTools = { wrapped: undefined }
  #options: ToSessionOptions
  #identity: Identity = identityOf(undefined, {}, undefined)
  // Made when they are needed: thousands of sessions are idle at a time.
  #calls: Map<RequestId, OpenCall> | undefined
  #questions: ClientQuestions | undefined
  #events: SessionEvents | undefined
  #changes: Changes | undefined
  #caller: Caller = { binding: 'internal' }
  #closed = false

  constructor(handler: Handler, options: ToSessionOptions) {
    this.handler = handler
    this.#options = options
    this.protocolVersion = options.version
    // Nobody has set a level there, and nobody has asked whether the server logs at all.
    if (options.version !== undefined)
      this.#identity = identityOf(undefined, {}, options.logLevel ?? DEFAULT_LOG_LEVEL)
  }

  get version(): LegacyVersion {
    return this.protocolVersion ?? LATEST_LEGACY
  }

  get maxRounds(): number {
    return this.#options.maxRounds ?? 10
  }

  describe(request: JSONRPCRequest): JSONRPCRequest {
    return toModernRequest(request, this.#identity)
  }

  request(request: JSONRPCRequest, context: Context): SessionExchange {
    if (this.#closed) return failing(new TransportError('ERR_CLOSED', 'The session has ended'))
    switch (request.method) {
      case METHOD_INITIALIZE:
        return this.#initialize(request, context)
      case 'ping':
        return answering(resultResponse(request.id, {}))
      case 'logging/setLevel':
        return this.#setLevel(request)
      case 'resources/subscribe':
      case 'resources/unsubscribe':
        return this.#subscribe(request)
      // Bridges pass on what their own client asks: an answer would tell it that it may go on as a modern one.
      case METHOD_DISCOVER:
      case METHOD_LISTEN:
        return failing(unknownHere(request.method))
      default:
        return this.#forward(request, context)
    }
  }

  deliver(message: JSONRPCResponse | JSONRPCNotification): void {
    if (!('method' in message)) {
      this.#questions?.answer(message)
      return
    }
    if (message.method === METHOD_CANCELLED) {
      const id = message.params?.requestId
      if (typeof id === 'string' || typeof id === 'number') this.#calls?.get(id)?.context?.cancel('cancelled')
    } else if (message.method === METHOD_INITIALIZED) {
      if (this.#events !== undefined) this.#changes?.start()
    } else if (message.method === 'notifications/roots/list_changed') {
      this.#options.onLoss?.('roots-list-changed', message.method)
    }
  }

  events(context: Context): SessionEvents {
    return new SessionEvents(this, context)
  }

  started(events: SessionEvents): void {
    this.#events?.close()
    this.#events = events
    this.#changes?.start()
  }

  stopped(events: SessionEvents): void {
    if (this.#events === events) this.#events = undefined
  }

  get caller(): Caller {
    return this.#caller
  }

  changed(change: JSONRPCNotification): void {
    const events = this.#events
    if (events === undefined) return
    if (events.size < MAX_EVENTS) events.push(change)
    else this.#options.onLoss?.('notification-outside-call', change.method)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    for (const call of [...(this.#calls?.values() ?? [])]) call.context?.cancel('hangup')
    this.#changes?.close()
    this.#events?.close()
  }

  async *#initialize(request: JSONRPCRequest, context: Context): SessionExchange {
    const { protocolVersion, capabilities, clientInfo } = request.params ?? {}
    if (typeof protocolVersion !== 'string') {
      throw new RpcError(INVALID_PARAMS, 'initialize: params.protocolVersion must be a string')
    }
    const version = isLegacyVersion(protocolVersion) ? protocolVersion : LATEST_LEGACY
    context.revision = version
    const identity = identityOf(
      isObject(clientInfo) ? (clientInfo as Implementation) : undefined,
      translatedCapabilities(isObject(capabilities) ? capabilities : {}) as ClientCapabilities,
      undefined,
    )
    const ask = toModernRequest({ jsonrpc: '2.0', id: request.id, method: METHOD_DISCOVER }, identity)
    const response = await finish(this.handler(ask, context))
    if ('error' in response) return errorResponse(request.id, toLegacyError(response.error))
    const discovered = readResult(response.result)
    const serverCapabilities = isObject(discovered.capabilities) ? discovered.capabilities : {}
    const logLevel =
      serverCapabilities.logging === undefined ? undefined : (this.#options.logLevel ?? DEFAULT_LOG_LEVEL)
    this.#identity = identityOf(identity.clientInfo, identity.capabilities, logLevel)
    this.#caller = withoutHeaders(context.caller)
    this.protocolVersion = version
    this.#changes?.close()
    this.#changes = new Changes(announcedLists(serverCapabilities), this)
    return resultResponse(request.id, this.#initializeResult(discovered, serverCapabilities, version))
  }

  #initializeResult(discovered: Result, capabilities: JSONObject, version: LegacyVersion): Result {
    const {
      supportedVersions: _versions,
      resultType: _type,
      ttlMs: _ttl,
      cacheScope: _scope,
      _meta,
      ...rest
    } = discovered as Record<string, unknown>
    const { [META_SERVER_INFO]: info, ...meta } = isObject(_meta) ? _meta : {}
    return {
      ...rest,
      protocolVersion: version,
      capabilities: translatedCapabilities(capabilities),
      serverInfo: isObject(info) ? info : (this.#options.serverInfo ?? { name: 'unknown', version: '0' }),
      ...(Object.keys(meta).length > 0 ? { _meta: meta } : {}),
    }
  }

  async *#setLevel(request: JSONRPCRequest): SessionExchange {
    const level = request.params?.level
    if (typeof level !== 'string')
      throw new RpcError(INVALID_PARAMS, 'logging/setLevel: params.level must be a string')
    this.#identity = identityOf(this.#identity.clientInfo, this.#identity.capabilities, level)
    return resultResponse(request.id, {})
  }

  async *#subscribe(request: JSONRPCRequest): SessionExchange {
    const uri = request.params?.uri
    if (typeof uri !== 'string')
      throw new RpcError(INVALID_PARAMS, `${request.method}: params.uri must be a string`)
    if (this.#changes === undefined)
      throw new RpcError(INVALID_REQUEST, `${request.method} before initialize`)
    if (request.method === 'resources/subscribe') await this.#changes.subscribe(uri)
    else await this.#changes.unsubscribe(uri)
    return resultResponse(request.id, {})
  }

  /** Everything else: asked at the modern server, and asked again with the answers to its questions. */
  #forward(request: JSONRPCRequest, context: Context): SessionExchange {
    context.revision = this.version
    const call: OpenCall = { context }
    this.#calls ??= new Map()
    const calls = this.#calls
    calls.set(request.id, call)
    return new ForwardedCall(this, request, context, () => {
      call.context = undefined
      if (calls.get(request.id) === call) calls.delete(request.id)
    })
  }

  ask(inputRequests: unknown, context: Context): ReturnType<ClientQuestions['ask']> {
    this.#questions ??= new ClientQuestions(this.#options)
    return this.#questions.ask(inputRequests, context, this.version, this.#identity.capabilities)
  }
}

/** A session outlives the requests whose headers its calls came with. */
function withoutHeaders(caller: Caller): Caller {
  const { header: _header, ...rest } = caller
  return rest
}

function unknownHere(method: string): RpcError {
  return new RpcError(METHOD_NOT_FOUND, `Method not found: ${method} is none of this session's revision`)
}

async function* answering(response: JSONRPCResponse): SessionExchange {
  return response
}

async function* failing(error: Error): SessionExchange {
  throw error
}

function announcedLists(capabilities: JSONObject): JSONObject {
  const lists: Record<string, boolean> = {}
  for (const name of ['tools', 'prompts', 'resources']) {
    const capability = capabilities[name]
    if (isObject(capability) && capability.listChanged === true) lists[`${name}ListChanged`] = true
  }
  return lists
}
