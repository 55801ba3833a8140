import { type Caller, Context } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { Queue } from '../exchange/queue.js'
import { RpcError } from '../protocol/errors.js'
import {
  type JSONObject,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  notification,
  type RequestId,
  resultResponse,
} from '../protocol/message.js'
import {
  type ClientCapabilities,
  type Implementation,
  isObject,
  META_SUBSCRIPTION_ID,
} from '../protocol/meta.js'
import {
  METHOD_ACKNOWLEDGED,
  METHOD_CALL_TOOL,
  METHOD_INITIALIZE,
  METHOD_INITIALIZED,
  METHOD_LIST_TOOLS,
  METHOD_MESSAGE,
  METHOD_PROMPTS_CHANGED,
  METHOD_RESOURCE_UPDATED,
  METHOD_RESOURCES_CHANGED,
  METHOD_TOOLS_CHANGED,
} from '../protocol/methods.js'
import { readResult } from '../protocol/raw-json.js'
import { isLegacyVersion, LATEST_LEGACY, type LegacyVersion } from '../protocol/versions.js'
import { translatedCapabilities } from './capabilities.js'
import type { LossKind, LossListener } from './losses.js'
import { callPerhapsAsTask, InsistingTools, offersToolTasks } from './required-task.js'
import type { Session, SessionExchange } from './session.js'

export interface InitializeResult extends JSONObject {
  readonly protocolVersion: LegacyVersion
  readonly capabilities: JSONObject
  readonly serverInfo: Implementation
  readonly instructions?: string
}

export interface ConnectionOptions {
  readonly capabilities: ClientCapabilities
  readonly clientInfo?: Implementation | undefined
  readonly version?: LegacyVersion
  /** Hears of what the server says and no modern client can be told. */
  readonly onLoss?: LossListener | undefined
}

/** Changes that wait for one listener; a listener that does not read is ended, and listens again. */
const MAX_CHANGES = 1000

const INTERNAL_CALLER: Caller = { binding: 'internal' }

interface Listener {
  readonly id: RequestId
  readonly methods: ReadonlySet<string>
  readonly uris: ReadonlySet<string>
  readonly queue: Queue<JSONRPCNotification, JSONRPCResponse>
}

/**
 * A session with a legacy server after its handshake, and what the bridge keeps for it: the log level, the
 * resources subscribed to, and who listens for changes.
 */
export class LegacyConnection {
  readonly session: Session
  readonly server: InitializeResult
  readonly clientCapabilities: ClientCapabilities
  readonly onLoss: LossListener | undefined
  #listeners = new Set<Listener>()
  #subscribed = new Map<string, { count: number; ready: Promise<boolean> }>()
  #level: string | undefined
  #stop = new Context(INTERNAL_CALLER)
  #nextId = 1
  /** Absent where no tool can insist on a task. */
  #taskTools: InsistingTools | undefined

  /** Sends `initialize` and `notifications/initialized`. Throws where the server refuses. */
  static async open(
    session: Session,
    options: ConnectionOptions,
    context: Context,
  ): Promise<LegacyConnection> {
    const response = await lastStep(session, initializeRequest(options), context)
    if ('error' in response) {
      throw new TransportError('ERR_HANDSHAKE', `The server refused initialize: ${response.error.message}`, {
        cause: new RpcError(response.error.code, response.error.message, response.error.data),
      })
    }
    const result = readResult(response.result)
    if (!isLegacyVersion(result.protocolVersion)) {
      throw new TransportError(
        'ERR_HANDSHAKE',
        `The server answered initialize with protocol version ${JSON.stringify(result.protocolVersion)}, which is none that anyport knows`,
      )
    }
    session.deliver(notification(METHOD_INITIALIZED))
    return new LegacyConnection(session, result as unknown as InitializeResult, options)
  }

  private constructor(session: Session, server: InitializeResult, options: ConnectionOptions) {
    this.session = session
    this.server = server
    this.clientCapabilities = options.capabilities
    this.onLoss = options.onLoss
    if (offersToolTasks(server.capabilities)) {
      this.#taskTools = new InsistingTools(params => this.#ask(METHOD_LIST_TOOLS, params))
    }
    void this.#pump()
  }

  /** True while somebody listens, so that an idle connection is not closed under them. */
  get listening(): boolean {
    return this.#listeners.size > 0
  }

  /**
   * Makes the server log from `level` on, before a call that wants to see it. What a call does not want is
   * filtered from it, so the level only ever has to be low enough.
   */
  ensureLevel(level: string): Promise<void> | undefined {
    if (this.server.capabilities.logging === undefined) return undefined
    if (this.#level !== undefined && severity(this.#level) <= severity(level)) return undefined
    this.#level = level
    return this.#ask('logging/setLevel', { level }).then(() => {})
  }

  /** Makes a call at the server, as a task where its tool insists on one. */
  call(request: JSONRPCRequest, context: Context): SessionExchange {
    if (this.#taskTools !== undefined && request.method === METHOD_CALL_TOOL)
      return callPerhapsAsTask(this.session, request, context, this.#taskTools)
    return this.session.request(request, context)
  }

  /** `subscriptions/listen`, fed by what the server says outside of calls. */
  async *listen(request: JSONRPCRequest, context: Context): Exchange {
    const filter = isObject(request.params?.notifications) ? request.params.notifications : {}
    const capabilities = this.server.capabilities
    const honoured: Record<string, unknown> = {}
    const methods = new Set<string>()
    for (const [key, capability, method] of LIST_CHANGES) {
      if (filter[key] === true && listChanged(capabilities[capability])) {
        honoured[key] = true
        methods.add(method)
      }
    }
    const wanted = Array.isArray(filter.resourceSubscriptions) ? filter.resourceSubscriptions : []
    const listener: Listener = { id: request.id, methods, uris: new Set(), queue: new Queue() }
    const uris = listener.uris as Set<string>
    const off = context.onCancel(() =>
      listener.queue.fail(new TransportError('ERR_CANCELLED', 'The subscription was cancelled')),
    )
    this.#listeners.add(listener)
    try {
      if (isObject(capabilities.resources) && capabilities.resources.subscribe === true) {
        const accepted = await Promise.all(wanted.map(uri => this.#subscribe(String(uri))))
        wanted.forEach((uri, index) => {
          if (accepted[index]) uris.add(String(uri))
        })
        if (uris.size > 0) honoured.resourceSubscriptions = [...uris]
      }
      yield notification(METHOD_ACKNOWLEDGED, {
        _meta: { [META_SUBSCRIPTION_ID]: request.id },
        notifications: honoured,
      })
      if (methods.size === 0 && uris.size === 0) return ended(request.id)
      for (;;) {
        const step = await listener.queue.next()
        if (step.done) return step.value
        yield step.value
      }
    } finally {
      off()
      this.#listeners.delete(listener)
      for (const uri of uris) this.#unsubscribe(uri)
    }
  }

  /** Ends the listeners gracefully and closes the session. */
  async close(): Promise<void> {
    this.#stop.cancel('shutdown')
    this.#end()
    await this.session[Symbol.asyncDispose]()
  }

  async #pump(): Promise<void> {
    try {
      const events = this.session.events(this.#stop)
      for (;;) {
        const step = await events.next()
        if (step.done) break
        this.#fanOut(step.value)
      }
    } catch {
      // The session broke: its calls say so, and its listeners listen again.
    }
    for (const listener of this.#listeners) {
      listener.queue.fail(new TransportError('ERR_CLOSED', 'The server is gone; listen again'))
    }
  }

  #fanOut(change: JSONRPCNotification): void {
    if (change.method === METHOD_TOOLS_CHANGED) this.#taskTools?.forget()
    const updated = change.method === METHOD_RESOURCE_UPDATED
    const uri = updated ? change.params?.uri : undefined
    if (!updated && !LIST_CHANGES.some(([, , method]) => method === change.method)) {
      this.onLoss?.(LOSSES[change.method] ?? 'notification-outside-call', change.method)
      return
    }
    for (const listener of this.#listeners) {
      if (updated ? !listener.uris.has(uri as string) : !listener.methods.has(change.method)) continue
      if (listener.queue.size >= MAX_CHANGES) {
        listener.queue.fail(
          new TransportError('ERR_BUSY', `${MAX_CHANGES} changes wait unread; listen again`),
        )
        continue
      }
      const _meta = { ...change.params?._meta, [META_SUBSCRIPTION_ID]: listener.id }
      listener.queue.push({ ...change, params: { ...change.params, _meta } })
    }
  }

  #end(): void {
    for (const listener of this.#listeners) listener.queue.close(ended(listener.id))
  }

  #subscribe(uri: string): Promise<boolean> {
    const known = this.#subscribed.get(uri)
    if (known !== undefined) {
      known.count += 1
      return known.ready
    }
    const ready = this.#ask('resources/subscribe', { uri }).then(
      response => {
        if ('result' in response) return true
        this.#subscribed.delete(uri)
        return false
      },
      () => {
        this.#subscribed.delete(uri)
        return false
      },
    )
    this.#subscribed.set(uri, { count: 1, ready })
    return ready
  }

  #unsubscribe(uri: string): void {
    const known = this.#subscribed.get(uri)
    if (known === undefined) return
    known.count -= 1
    if (known.count > 0) return
    this.#subscribed.delete(uri)
    this.#ask('resources/unsubscribe', { uri }).catch(() => {})
  }

  #ask(method: string, params: JSONObject): Promise<JSONRPCResponse> {
    const request: JSONRPCRequest = { jsonrpc: '2.0', id: `bridge-${this.#nextId++}`, method, params }
    return lastStep(this.session, request, new Context(INTERNAL_CALLER))
  }
}

const LIST_CHANGES = [
  ['toolsListChanged', 'tools', METHOD_TOOLS_CHANGED],
  ['promptsListChanged', 'prompts', METHOD_PROMPTS_CHANGED],
  ['resourcesListChanged', 'resources', METHOD_RESOURCES_CHANGED],
] as const

/** What else a server says outside of calls, and what its loss is called. */
const LOSSES: Readonly<Record<string, LossKind>> = {
  [METHOD_MESSAGE]: 'log-without-owner',
  'notifications/elicitation/complete': 'elicitation-complete',
}

const SEVERITIES = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

/** How grave a log level is: the greater, the graver. Unknown levels count as the gravest. */
export function severity(level: unknown): number {
  const index = SEVERITIES.indexOf(level as string)
  return index < 0 ? SEVERITIES.length : index
}

function initializeRequest(options: ConnectionOptions): JSONRPCRequest {
  return {
    jsonrpc: '2.0',
    id: 'initialize',
    method: METHOD_INITIALIZE,
    params: {
      protocolVersion: options.version ?? LATEST_LEGACY,
      capabilities: translatedCapabilities(options.capabilities),
      clientInfo: options.clientInfo ?? { name: 'anyport', version: '0' },
    },
  }
}

function listChanged(capability: unknown): boolean {
  return isObject(capability) && capability.listChanged === true
}

function ended(id: RequestId): JSONRPCResponse {
  return resultResponse(id, { resultType: 'complete', _meta: { [META_SUBSCRIPTION_ID]: id } })
}

async function lastStep(
  session: Session,
  request: JSONRPCRequest,
  context: Context,
): Promise<JSONRPCResponse> {
  const exchange = session.request(request, context)
  for (;;) {
    const step = await exchange.next()
    if (step.done) return step.value
  }
}
