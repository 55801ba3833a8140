/** Watches calls, for people and for metrics: counts, latencies, the last messages and who calls. To be the outermost guard. */

import type { Context } from '../../exchange/context.js'
import { toErrorObject } from '../../exchange/errors.js'
import type { Exchange, Handler, Middleware } from '../../exchange/exchange.js'
import { matchesGlob } from '../../exchange/glob.js'
import type { HttpReply, HttpRequest } from '../../exchange/http.js'
import type { RefusedConnection } from '../../exchange/refused-connection.js'
import { Watched } from '../../exchange/watched.js'
import type { JSONRPCRequest, JSONRPCResponse } from '../../protocol/message.js'
import { METHOD_LISTEN } from '../../protocol/methods.js'
import { RawJson } from '../../protocol/raw-json.js'
import type { AuditRecord } from './audit.js'
import { callOutcome } from './call-outcome.js'
import { CALL_NOTES, type CallNotes } from './call-record.js'
import { MessageRing, type ObservedMessage, type RecentMessages } from './recent-messages.js'
import { redacted, SECRET_NAMES } from './redacted.js'
import { connectionRecord, refusalRecord } from './refusal-record.js'
import { type ClientReport, type SeenClient, SeenClients } from './seen-clients.js'
import { shortened } from './shortened.js'
import { shownError } from './shown-error.js'
import { targetOf } from './target-of.js'
import { Traffic, type TrafficReport } from './traffic.js'

export interface ObserverOptions {
  /** Messages that are kept. Default 500. */
  readonly recent?: number | undefined
  /** Keeps the arguments of calls with their messages, redacted. Default false. */
  readonly withArguments?: boolean | undefined
  /** Names of arguments that are never kept, in lower case with `*` and `?`, besides those that the audit log never records. */
  readonly redact?: readonly string[] | undefined
}

/** A call that has not ended. */
export interface OpenCall {
  readonly server?: string | undefined
  readonly method: string
  readonly target?: string | undefined
  readonly client?: string | undefined
  readonly principal?: string | undefined
  /** Milliseconds since it began. */
  readonly age: number
  readonly notifications: number
}

/** Requests that were refused before there was a call, and connections that were closed without one. */
export interface HttpRefusals {
  readonly count: number
  /** How many for each reason. */
  readonly reasons: Readonly<Record<string, number>>
}

export interface Observer {
  /** Goes around all that is served, and each server of a gateway that is served alone. */
  readonly guard: Middleware
  /** For `onRefused` of `serve`. */
  refused(request: HttpRequest, reply: HttpReply, duration?: number): void
  /** For `onRefusedConnection` of `serve`. */
  refusedConnection(refused: RefusedConnection): void
  /** A session has ended, or a pipe was closed. */
  sessionEnded(session: string): void
  /** Values that the server was given and nobody else should see; default: none are known. */
  secretsOf: (server: string | undefined) => readonly string[]
  /** Of one server of a gateway, or of all calls. */
  traffic(server?: string): TrafficReport
  clients(): readonly ClientReport[]
  /** The oldest first, 50 at most; subscriptions are none. */
  open(): readonly OpenCall[]
  /** How many of all that are open each server of a gateway has. */
  openByServer(): ReadonlyMap<string, number>
  readonly openCount: number
  readonly subscriptions: number
  readonly httpRefusals: HttpRefusals
  messages(after: number, limit: number): RecentMessages
  /** The number of the last message. */
  readonly last: number
}

/** Throws `TypeError` for options that cannot work. */
export function observer(options: ObserverOptions = {}): Observer {
  const { recent = 500 } = options
  if (!(Number.isInteger(recent) && recent >= 1 && recent <= 100_000))
    throw new TypeError(`recent: expected a whole number from 1 to 100000, got ${recent}`)
  return new RunningObserver(options, recent)
}

/** Servers that are counted apart, open calls and clients that are shown. */
const MAX_SERVERS = 1_000
const MAX_OPEN = 50
const MAX_CLIENTS = 100
/** Refused requests that are shown in one second; beyond them they are counted. A flood must not drive out what happened. */
const MAX_REFUSALS = 10

class RunningObserver implements Observer {
  secretsOf: Observer['secretsOf'] = () => []
  openCount = 0
  subscriptions = 0
  readonly #isSecret: ((name: string) => boolean) | undefined
  readonly #all = new Traffic()
  readonly #servers = new Map<string, Traffic>()
  readonly #clients = new SeenClients()
  readonly #ring: MessageRing
  /** The end of a ring of open calls: a set would cost more than all else that is done with a call. */
  readonly #open: Links = { before: undefined, after: undefined }
  #refusals = 0
  readonly #reasons = new Map<string, number>()
  /** How far the clock of the day is from the one that never goes back, as it was a second ago at most: asking it costs each call. */
  #offset = 0
  #offsetUntil = 0
  #refusalsFrom = 0
  #refusalsShown = 0

  constructor({ withArguments = false, redact = [] }: ObserverOptions, recent: number) {
    const patterns = [...SECRET_NAMES, ...redact.map(pattern => pattern.toLowerCase())]
    this.#isSecret = withArguments ? name => patterns.some(pattern => matchesGlob(pattern, name)) : undefined
    this.#ring = new MessageRing(recent)
  }

  readonly guard: Middleware = next => (request, context) => new ObservedCall(this, next, request, context)

  get last(): number {
    return this.#ring.last
  }

  get httpRefusals(): HttpRefusals {
    return { count: this.#refusals, reasons: Object.fromEntries(this.#reasons) }
  }

  traffic(server?: string): TrafficReport {
    const traffic = server === undefined ? this.#all : (this.#servers.get(server) ?? new Traffic())
    return traffic.report(performance.now())
  }

  clients(): readonly ClientReport[] {
    return this.#clients.report(MAX_CLIENTS)
  }

  messages(after: number, limit: number): RecentMessages {
    return this.#ring.since(after, limit)
  }

  sessionEnded(session: string): void {
    this.#clients.left(session)
  }

  open(): readonly OpenCall[] {
    const now = performance.now()
    const calls: OpenCall[] = []
    for (let call = this.#open.after; call !== undefined && calls.length < MAX_OPEN; call = call.after)
      if (!call.isSubscription) calls.push(call.describe(now))
    return calls
  }

  openByServer(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (let call = this.#open.after; call !== undefined; call = call.after) {
      const { server } = call.notes
      if (server !== undefined && !call.isSubscription) counts.set(server, (counts.get(server) ?? 0) + 1)
    }
    return counts
  }

  refused(request: HttpRequest, reply: HttpReply, duration = 0): void {
    this.#refused(refusalRecord(request, reply, duration), duration)
  }

  refusedConnection(refused: RefusedConnection): void {
    this.#refused(connectionRecord(refused), 0)
  }

  #refused(record: AuditRecord, duration: number): void {
    const { reason = 'refused', method, target, era, principal, code, outcome, status } = record
    this.#refusals++
    // Reasons are words of ours: there are not many.
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1)
    const now = Date.now()
    if (now - this.#refusalsFrom >= 1_000) {
      this.#refusalsFrom = now
      this.#refusalsShown = 0
    }
    if (++this.#refusalsShown > MAX_REFUSALS) return
    const who = { principal, binding: 'http', refusedBy: 'http', reason, code, status } as const
    this.#ring.add({ time: now, method, target, era, ...who, outcome, duration })
  }

  begun(call: ObservedCall): SeenClient {
    const { before } = this.#open
    call.before = before
    if (before === undefined) this.#open.after = call
    else before.after = call
    this.#open.before = call
    if (call.isSubscription) this.subscriptions++
    else this.openCount++
    return this.#clients.of(call.request, call.context)
  }

  ended(call: ObservedCall, response: JSONRPCResponse | undefined, error: unknown): void {
    this.#unlink(call)
    const { request, context, notes, client } = call
    const now = performance.now()
    const duration = now - call.began
    const failure =
      error !== undefined
        ? toErrorObject(error)
        : response !== undefined && 'error' in response
          ? response.error
          : undefined
    const outcome = callOutcome(request, context, notes, response, error, failure?.code)
    const time = this.#timeOf(now)
    const message = this.#messageOf(call, outcome, duration, time)
    client.calls++
    client.lastCall = time
    if (failure !== undefined && outcome !== 'cancelled') {
      const { caller } = context
      const secrets = this.secretsOf(notes.server)
      message.code = failure.code
      message.error = shownError(String(failure.message), { caller, params: request.params, secrets })
    }
    if (outcome === 'error' || outcome === 'tool-error') {
      client.errors++
      this.#failed(message)
    }
    if (response !== undefined && 'result' in response && (response.result as unknown) instanceof RawJson)
      message.size = (response.result as unknown as RawJson).byteLength
    this.#ring.add(message)
    if (call.isSubscription) {
      this.subscriptions--
      return
    }
    this.openCount--
    this.#all.add(outcome, duration, now)
    if (notes.server !== undefined) this.#trafficOf(notes.server)?.add(outcome, duration, now)
  }

  #messageOf(call: ObservedCall, outcome: ObservedMessage['outcome'], duration: number, time: number) {
    const { request, context, notes, client, notifications } = call
    const isSecret = this.#isSecret
    const { arguments: args } = request.params ?? {}
    const message: { -readonly [K in keyof Omit<ObservedMessage, 'sequence'>]: ObservedMessage[K] } = {
      time,
      server: notes.server,
      method: shortened(request.method),
      target: shortened(targetOf(request)),
      binding: context.caller.binding,
      era: client.era,
      client: client.client,
      principal: context.caller.principal,
      outcome,
      refusedBy: notes.refusedBy,
      reason: notes.reason,
      code: undefined,
      error: undefined,
      duration: Math.round(duration * 1_000) / 1_000,
      notifications: notifications === 0 ? undefined : notifications,
      size: undefined,
      arguments: isSecret === undefined || args === undefined ? undefined : redacted(args, isSecret, 256),
    }
    return message
  }

  #timeOf(now: number): number {
    if (now >= this.#offsetUntil) {
      this.#offset = Date.now() - now
      this.#offsetUntil = now + 1_000
    }
    return Math.round(now + this.#offset)
  }

  #failed({ time, method, target, code, error, server }: Omit<ObservedMessage, 'sequence'>): void {
    const message = error ?? 'The tool says that it failed'
    const last = { time: new Date(time).toISOString(), method, target, code, message }
    this.#all.lastError = last
    const own = server === undefined ? undefined : this.#trafficOf(server)
    if (own !== undefined) own.lastError = last
  }

  #trafficOf(server: string): Traffic | undefined {
    const known = this.#servers.get(server)
    if (known !== undefined || this.#servers.size >= MAX_SERVERS) return known
    const traffic = new Traffic()
    this.#servers.set(server, traffic)
    return traffic
  }

  #unlink(call: ObservedCall): void {
    const { before, after } = call
    if (before === undefined) this.#open.after = after
    else before.after = after
    if (after === undefined) this.#open.before = before
    else after.before = before
    call.before = call.after = undefined
  }
}

interface Links {
  before: ObservedCall | undefined
  after: ObservedCall | undefined
}

class ObservedCall extends Watched implements Links {
  before: ObservedCall | undefined
  after: ObservedCall | undefined
  began = 0
  notifications = 0
  notes: CallNotes = {}
  client = NOBODY
  readonly #observer: RunningObserver
  readonly #next: Handler

  constructor(
    observer: RunningObserver,
    next: Handler,
    readonly request: JSONRPCRequest,
    readonly context: Context,
  ) {
    super()
    this.#observer = observer
    this.#next = next
  }

  get isSubscription(): boolean {
    return this.request.method === METHOD_LISTEN
  }

  describe(now: number): OpenCall {
    const { request, context, notes, client, notifications } = this
    return {
      server: notes.server,
      method: shortened(request.method),
      target: shortened(targetOf(request)),
      client: client.client,
      principal: context.caller.principal,
      age: Math.round(now - this.began),
      notifications,
    }
  }

  protected begin(): Exchange {
    this.began = performance.now()
    this.context.set(CALL_NOTES, this.notes)
    this.client = this.#observer.begun(this)
    return this.#next(this.request, this.context)
  }

  protected override notified(): void {
    this.notifications++
  }

  protected ended(response: JSONRPCResponse | undefined, error: unknown): undefined {
    this.notes.onEnd?.()
    this.#observer.ended(this, response, error)
  }
}

const NOBODY: SeenClient = {
  binding: 'internal',
  era: 'modern',
  client: undefined,
  principal: undefined,
  address: undefined,
  sessions: 0,
  calls: 0,
  errors: 0,
  lastCall: 0,
}
