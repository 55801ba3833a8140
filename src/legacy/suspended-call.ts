import type { Context } from '../exchange/context.js'
import { INVALID_PARAMS, MISSING_CAPABILITY, RpcError } from '../protocol/errors.js'
import {
  errorResponse,
  type JSONObject,
  type JSONRPCErrorObject,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  resultResponse,
} from '../protocol/message.js'
import { METHOD_CANCELLED, METHOD_ELICIT, METHOD_LIST_ROOTS, METHOD_SAMPLE } from '../protocol/methods.js'
import { missingCapabilities } from './capabilities.js'
import type { LegacyConnection } from './connection.js'
import type { Lease } from './connection-source.js'
import { toLegacySample } from './sampling.js'
import type { SessionExchange } from './session.js'

export type CallStep =
  | { readonly kind: 'notification'; readonly notification: JSONRPCNotification }
  | { readonly kind: 'response'; readonly response: JSONRPCResponse }
  /** The server waits for answers: the call can be suspended. */
  | { readonly kind: 'questions' }

type RawStep = IteratorResult<JSONRPCNotification | JSONRPCRequest, JSONRPCResponse>

/** Notifications kept while nobody pulls; later ones are dropped and counted. */
const MAX_BUFFERED = 100
/** Questions that one call may have open at once. */
const MAX_QUESTIONS = 64

const SETTLED = Symbol('settled')

/**
 * A call at a legacy server that may ask questions. It is pulled by one exchange, suspended when questions come,
 * and pulled on by the exchange of the retry: the server sees one call, and runs its tool once.
 */
export class SuspendedCall {
  /** This call's own context, which outlives the exchanges that pull it. */
  readonly context: Context
  readonly questions = new Map<string, JSONRPCRequest>()
  round = 0
  #exchange: SessionExchange
  #lease: Lease
  #presets: Map<string, JSONObject>
  #rejections = new Map<string, JSONRPCErrorObject>()
  #buffered: JSONRPCNotification[] = []
  #pending: Promise<RawStep> | undefined
  #suspended = false
  #over = false

  constructor(options: {
    /** Given back at the call's end. */
    readonly lease: Lease
    readonly exchange: SessionExchange
    readonly context: Context
    /** Answers that came before their questions, by key. */
    readonly presets: Map<string, JSONObject>
  }) {
    this.context = options.context
    this.#exchange = options.exchange
    this.#presets = options.presets
    this.#lease = options.lease
  }

  get connection(): LegacyConnection {
    return this.#lease.connection
  }

  /** The next thing that happens; questions are collected until none came for `settle` milliseconds. */
  async next(settle: number): Promise<CallStep> {
    const buffered = this.#buffered.shift()
    if (buffered !== undefined) return { kind: 'notification', notification: buffered }
    for (;;) {
      this.#pending ??= this.#exchange.next()
      const step =
        this.questions.size > 0 ? await settled(this.#pending, settle) : await this.#orLost(this.#pending)
      if (step === SETTLED) return { kind: 'questions' }
      this.#pending = undefined
      if (step.done) return { kind: 'response', response: step.value }
      const message = step.value
      if ('id' in message) this.#ask(message)
      else if (message.method === METHOD_CANCELLED) this.#withdraw(message.params?.requestId)
      else return { kind: 'notification', notification: message }
    }
  }

  #orLost(step: Promise<RawStep>): Promise<RawStep> {
    const { lost } = this.#lease
    if (lost === undefined || this.round === 0) return step
    return Promise.race([step, new Promise<never>((_, reject) => lost(reject))])
  }

  /**
   * Nobody pulls from here on: what comes is kept, within bounds. `reclaim` is called where others need the connection.
   */
  suspend(reclaim: () => void): void {
    this.#suspended = true
    this.#lease.suspended?.(reclaim)
    void this.#keep()
  }

  /** Throws INVALID_PARAMS for an answer that its question cannot have: the server would fail on it, and the call with it. */
  check(answers: ReadonlyMap<string, JSONObject>): void {
    for (const [key, { method }] of this.questions) {
      const answer = answers.get(key)
      if (answer === undefined || isAnswerTo(method, answer)) continue
      throw new RpcError(INVALID_PARAMS, `inputResponses.${key} is no answer to ${method}`)
    }
  }

  /** Delivers the answers to the questions they belong to; the others stay open. */
  resume(answers: ReadonlyMap<string, JSONObject>): void {
    this.#suspended = false
    this.#lease.resumed?.()
    for (const [key, question] of [...this.questions]) {
      const rejection = this.#rejections.get(key)
      const answer = answers.get(key)
      if (rejection !== undefined) this.#deliver(key, errorResponse(question.id, rejection))
      else if (answer !== undefined) this.#answer(key, question, answer)
    }
    this.#rejections.clear()
  }

  reject(key: string, error: JSONRPCErrorObject): void {
    this.#rejections.set(key, error)
  }

  /** Ends the call: open questions are answered, the server is told to stop, the connection is free again. */
  end(): void {
    if (this.#over) return
    this.#over = true
    this.#suspended = false
    for (const [key, question] of [...this.questions]) {
      const answer =
        question.method === METHOD_ELICIT
          ? resultResponse(question.id, { action: 'cancel' })
          : errorResponse(question.id, { code: -1, message: 'Nobody answered' })
      this.#deliver(key, answer)
    }
    this.#pending?.catch(() => {})
    this.context.cancel('abandoned')
    this.#lease.release()
  }

  async #keep(): Promise<void> {
    while (this.#suspended) {
      this.#pending ??= this.#exchange.next()
      let step: RawStep
      try {
        step = await this.#pending
      } catch {
        return // the retry meets the same rejection
      }
      if (!this.#suspended || step.done) return // the retry meets the same step
      this.#pending = undefined
      const message = step.value
      if ('id' in message) {
        if (!this.#tryAsk(message)) return
      } else if (message.method === METHOD_CANCELLED) this.#withdraw(message.params?.requestId)
      else if (this.#buffered.length < MAX_BUFFERED) this.#buffered.push(message)
      else this.connection.onLoss?.('notification-while-suspended', message.method)
    }
  }

  #tryAsk(question: JSONRPCRequest): boolean {
    try {
      this.#ask(question)
      return true
    } catch (error) {
      this.#pending = Promise.reject(error)
      this.#pending.catch(() => {})
      return false
    }
  }

  #ask(question: JSONRPCRequest): void {
    const key = this.#keyOf(question)
    const missing = missingCapabilities(question.method, question.params, this.connection.clientCapabilities)
    if (missing !== undefined || this.questions.size >= MAX_QUESTIONS) {
      this.connection.session.deliver(
        errorResponse(question.id, {
          code: -32601,
          message: `The client does not support ${question.method}`,
        }),
      )
      throw missingCapabilityError(question.method, missing ?? {})
    }
    const preset = takePreset(this.#presets, key, question.method)
    this.questions.set(key, question)
    if (preset !== undefined) this.#answer(key, question, preset)
  }

  #answer(key: string, question: JSONRPCRequest, answer: JSONObject): void {
    const { protocolVersion } = this.connection.server
    const legacy = question.method === METHOD_SAMPLE ? toLegacySample(answer, protocolVersion) : answer
    this.#deliver(key, resultResponse(question.id, legacy))
  }

  /** The server's own id, told apart where `7` and `"7"` are open at once. */
  #keyOf({ id }: JSONRPCRequest): string {
    let key = String(id)
    while (this.questions.has(key)) key += "'"
    return key
  }

  #withdraw(id: unknown): void {
    for (const [key, question] of this.questions) if (question.id === id) this.questions.delete(key)
  }

  #deliver(key: string, response: JSONRPCResponse): void {
    this.questions.delete(key)
    this.connection.session.deliver(response)
  }
}

export function missingCapabilityError(method: string, requiredCapabilities: JSONObject): RpcError {
  return new RpcError(
    MISSING_CAPABILITY,
    `The server asked for ${method}, which needs a capability that this request does not declare`,
    { requiredCapabilities },
  )
}

/** A question as the modern era asks it: without task augmentation and without what only a message needs. */
export function toInputRequest(question: JSONRPCRequest): JSONObject {
  if (question.params === undefined) return { method: question.method }
  const { task: _task, elicitationId: _id, _meta, ...params } = question.params
  const { progressToken: _token, ...meta } = _meta ?? {}
  for (const _key in meta) return { method: question.method, params: { ...params, _meta: meta } }
  return { method: question.method, params }
}

function takePreset(presets: Map<string, JSONObject>, key: string, method: string): JSONObject | undefined {
  const preset = presets.get(key)
  if (preset !== undefined) presets.delete(key)
  return preset !== undefined && isAnswerTo(method, preset) ? preset : undefined
}

/** Whether it has what every answer to such a question must have. */
function isAnswerTo(method: string, answer: JSONObject): boolean {
  switch (method) {
    case METHOD_ELICIT:
      return answer.action === 'accept' || answer.action === 'decline' || answer.action === 'cancel'
    case METHOD_SAMPLE:
      return typeof answer.role === 'string' && typeof answer.content === 'object' && answer.content !== null
    case METHOD_LIST_ROOTS:
      return Array.isArray(answer.roots)
    default:
      return true
  }
}

/** The step, or SETTLED when it does not come within `milliseconds`. */
async function settled(step: Promise<RawStep>, milliseconds: number): Promise<RawStep | typeof SETTLED> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const quiet = new Promise<typeof SETTLED>(resolve => {
    timer = setTimeout(() => resolve(SETTLED), milliseconds)
  })
  try {
    return await Promise.race([step, quiet])
  } finally {
    clearTimeout(timer)
  }
}
