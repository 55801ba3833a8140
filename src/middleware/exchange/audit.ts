/** One record per call, whatever became of it. To be the outermost guard, so that it sees what the others refuse. */

import type { Caller, Context } from '../../exchange/context.js'
import { TransportError, toErrorObject } from '../../exchange/errors.js'
import type { Exchange, Handler, Middleware } from '../../exchange/exchange.js'
import { matchesGlob } from '../../exchange/glob.js'
import { refusing } from '../../exchange/refusing.js'
import { Watched } from '../../exchange/watched.js'
import { jsonSize } from '../../protocol/json-size.js'
import type { JSONRPCRequest, JSONRPCResponse } from '../../protocol/message.js'
import { RawJson } from '../../protocol/raw-json.js'
import { type CallOutcome, callOutcome } from './call-outcome.js'
import { CALL_NOTES, type CallNotes, noteRefusal } from './call-record.js'
import { isoOf } from './iso-time.js'
import { redacted, SECRET_NAMES } from './redacted.js'
import { shortened } from './shortened.js'
import { targetOf } from './target-of.js'

export type AuditOutcome = CallOutcome

export interface AuditRecord {
  /** When the call began, ISO 8601. */
  readonly time: string
  /** How the caller reached us; `http` where a request was refused before that could be told. */
  readonly binding: Caller['binding'] | 'http'
  readonly principal?: string | undefined
  readonly address?: string | undefined
  /** Its id is a secret: who writes the record stores a digest. */
  readonly session?: string | undefined
  readonly server?: string | undefined
  /** Undefined where nobody has read what was asked for. */
  readonly method?: string | undefined
  /** The tool, prompt or resource. */
  readonly target?: string | undefined
  /** What the server calls it, where that is something else. */
  readonly serverTarget?: string | undefined
  /** `modern`, or the legacy revision of the caller. */
  readonly era?: string | undefined
  readonly outcome: AuditOutcome
  /** The guard that refused it; `http` where it was refused before there was a call. */
  readonly refusedBy?: string | undefined
  /** Why, in one word. */
  readonly reason?: string | undefined
  /** Of a JSON-RPC error; its text may hold anything and is left out. */
  readonly code?: number | undefined
  /** Of a request that was refused before there was a call. */
  readonly status?: number | undefined
  readonly verb?: string | undefined
  readonly path?: string | undefined
  /** Milliseconds. */
  readonly duration: number
  /**
   * Of the request (on HTTP its body, else `params`), and of the result or error, as JSON: bytes where those are at hand, else characters
   * without escapes, which is nearly the same.
   */
  readonly requestSize?: number | undefined
  readonly responseSize?: number | undefined
  readonly notifications?: number | undefined
  readonly arguments?: unknown
}

/** What stands for refusals that have no record of their own. */
export interface RefusalSummary {
  readonly event: 'refused'
  /** ISO 8601: they came between this time and that of the line. */
  readonly since: string
  readonly count: number
  /** How many for each reason. */
  readonly reasons: Readonly<Record<string, number>>
  /** How many from each network address; some of them only, where there were very many. */
  readonly addresses: Readonly<Record<string, number>>
}

/** Where records go. */
export interface AuditSink {
  /** Takes a record. A promise, where answers are to wait for it to be safe; it does not reject. */
  write(record: AuditRecord): Promise<void> | undefined
  /** Takes what stands for many. */
  summarise?(summary: RefusalSummary): void
  /** Why nothing may happen now, since it could not be recorded; undefined where it may. */
  readonly blocked: string | undefined
}

export interface AuditOptions {
  readonly sink: AuditSink
  /** The server that all calls go to, where there is only one. A gateway's servers are named by {@link namedServer}. */
  readonly server?: string | undefined
  /** Records the arguments of calls, redacted. Default false. */
  readonly withArguments?: boolean | undefined
  /** Names of arguments that are never recorded, in lower case with `*` and `?`, besides {@link SECRET_NAMES}. */
  readonly redact?: readonly string[] | undefined
}

/** Records each call at its end. Calls that could not be recorded are refused with `TransportError` ERR_UNRECORDED. */
export function audit({ sink, server, withArguments = false, redact = [] }: AuditOptions): Middleware {
  const patterns = [...SECRET_NAMES, ...redact.map(pattern => pattern.toLowerCase())]
  const isSecret = (name: string) => patterns.some(pattern => matchesGlob(pattern, name))
  const settings: Settings = { sink, server, args: withArguments ? isSecret : undefined }
  return next => (request, context) => {
    const { blocked } = sink
    // What is refused is on record as well, once it can be.
    return new RecordedCall(settings, blocked === undefined ? next : unrecorded(blocked), request, context)
  }
}

function unrecorded(why: string): Handler {
  return (_request, context) => {
    noteRefusal(context, 'audit', 'unrecorded')
    const text = `Calls are refused, since they cannot be recorded: ${why}`
    return refusing(new TransportError('ERR_UNRECORDED', text, { knob: '--audit-on-failure' }))
  }
}

/** Goes around one server of a gateway: notes for the record which one a call reached. */
export function namedServer(server: string): Middleware {
  return next => (request, context) => {
    const notes = context.get(CALL_NOTES)
    if (notes !== undefined) {
      notes.server = server
      const target = targetOf(request)
      if (target !== undefined) notes.target = target
    }
    return next(request, context)
  }
}

interface Settings {
  readonly sink: AuditSink
  readonly server: string | undefined
  readonly args: ((name: string) => boolean) | undefined
}

const NONE: CallNotes = {}

class RecordedCall extends Watched {
  readonly #settings: Settings
  readonly #next: Handler
  readonly #request: JSONRPCRequest
  readonly #context: Context
  #notes: CallNotes = NONE
  /** Nobody outside of us has notes already. */
  #own = false
  #time = 0
  #began = 0
  #notifications = 0

  constructor(settings: Settings, next: Handler, request: JSONRPCRequest, context: Context) {
    super()
    this.#settings = settings
    this.#next = next
    this.#request = request
    this.#context = context
  }

  protected begin(): Exchange {
    this.#time = Date.now()
    this.#began = performance.now()
    const noted = this.#context.get(CALL_NOTES)
    this.#own = noted === undefined
    this.#notes = noted ?? {}
    if (noted === undefined) this.#context.set(CALL_NOTES, this.#notes)
    return this.#next(this.#request, this.#context)
  }

  protected override notified(): void {
    this.#notifications++
  }

  protected ended(response: JSONRPCResponse | undefined, error: unknown): Promise<void> | undefined {
    const { sink, server, args } = this.#settings
    const { method, params } = this.#request
    const { caller, revision } = this.#context
    const notes = this.#notes
    if (this.#own) notes.onEnd?.()
    const target = targetOf(this.#request)
    const failure = error === undefined ? undefined : toErrorObject(error)
    const code =
      failure?.code ?? (response !== undefined && 'error' in response ? response.error.code : undefined)
    return sink.write({
      time: isoOf(this.#time),
      binding: caller.binding,
      principal: caller.principal,
      address: caller.address,
      session: caller.session,
      server: notes.server ?? server,
      method: shortened(method),
      target: shortened(target),
      serverTarget: notes.target === target ? undefined : shortened(notes.target),
      era: revision ?? 'modern',
      outcome: callOutcome(this.#request, this.#context, notes, response, error, code),
      refusedBy: notes.refusedBy,
      reason: notes.reason,
      code,
      duration: Math.round((performance.now() - this.#began) * 1_000) / 1_000,
      requestSize: requestSizeOf(caller, params),
      responseSize: response === undefined ? undefined : sizeOf(response),
      notifications: this.#notifications === 0 ? undefined : this.#notifications,
      arguments: args === undefined ? undefined : redacted(params?.arguments, args),
    })
  }
}

/** Nothing is encoded for it where HTTP says it. */
function requestSizeOf(caller: Caller, params: unknown): number {
  const length = caller.header?.('content-length')
  if (length !== undefined) return Number(length)
  return params === undefined ? 0 : jsonSize(params)
}

function sizeOf(response: JSONRPCResponse): number {
  if ('error' in response) return jsonSize(response.error)
  const { result } = response as { readonly result: unknown }
  return result instanceof RawJson ? result.byteLength : jsonSize(result)
}
