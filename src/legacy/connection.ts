import { type Caller, Context } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { RpcError } from '../protocol/errors.js'
import {
  type JSONObject,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  notification,
} from '../protocol/message.js'
import type { ClientCapabilities, Implementation } from '../protocol/meta.js'
import {
  METHOD_CALL_TOOL,
  METHOD_INITIALIZE,
  METHOD_INITIALIZED,
  METHOD_LIST_TOOLS,
  METHOD_MESSAGE,
  METHOD_TOOLS_CHANGED,
} from '../protocol/methods.js'
import { readResult } from '../protocol/raw-json.js'
import { isLegacyVersion, LATEST_LEGACY, type LegacyVersion } from '../protocol/versions.js'
import { translatedCapabilities } from './capabilities.js'
import type { LossKind, LossListener } from './losses.js'
import { callPerhapsAsTask, InsistingTools, offersToolTasks } from './required-task.js'
import type { Session, SessionExchange } from './session.js'
import { type Held, isChange, Subscription, type SubscriptionHost } from './subscription.js'

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

const INTERNAL_CALLER: Caller = { binding: 'internal' }

/**
 * A session with a legacy server after its handshake, and what the bridge keeps for it: the log level, the
 * resources subscribed to, and who listens for changes.
 */
export class LegacyConnection implements SubscriptionHost {
  readonly session: Session
  readonly server: InitializeResult
  readonly clientCapabilities: ClientCapabilities
  readonly onLoss: LossListener | undefined
  #subscriptions = new Set<Subscription>()
  /** The resources that the server tells of, and for how many subscriptions. */
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

  get capabilities(): JSONObject {
    return this.server.capabilities
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

  /** `subscriptions/listen`, fed by what the server says outside of calls. `held` is released at its end. */
  listen(request: JSONRPCRequest, context: Context, held?: Held): Exchange {
    return new Subscription(this, request, context, held)
  }

  joined(subscription: Subscription): void {
    this.#subscriptions.add(subscription)
  }

  left(subscription: Subscription): void {
    this.#subscriptions.delete(subscription)
  }

  /** Ends the subscriptions gracefully and closes the session. */
  async close(): Promise<void> {
    this.#stop.cancel('shutdown')
    for (const subscription of [...this.#subscriptions]) subscription.end()
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
      // The session broke: its calls say so, and its subscribers listen again.
    }
    for (const subscription of [...this.#subscriptions]) {
      subscription.fail(new TransportError('ERR_CLOSED', 'The server is gone; listen again'))
    }
  }

  #fanOut(change: JSONRPCNotification): void {
    if (change.method === METHOD_TOOLS_CHANGED) this.#taskTools?.forget()
    if (isChange(change)) for (const subscription of this.#subscriptions) subscription.hear(change)
    else this.onLoss?.(LOSSES[change.method] ?? 'notification-outside-call', change.method)
  }

  subscribe(uri: string): Promise<boolean> {
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

  unsubscribe(uri: string): void {
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
