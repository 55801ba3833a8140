import { Context } from '../exchange/context.js'
import { delay, orCancelled } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import { type Exchange, finish, type Handler } from '../exchange/exchange.js'
import { type ReadyExchange, Relay } from '../exchange/relay.js'
import type { JSONRPCNotification, JSONRPCRequest, JSONRPCResponse } from '../protocol/message.js'
import { isObject, META_LOG_LEVEL } from '../protocol/meta.js'
import {
  isList,
  METHOD_CALL_TOOL,
  METHOD_DISCOVER,
  METHOD_LIST_TOOLS,
  METHOD_PROGRESS,
} from '../protocol/methods.js'
import { readResult } from '../protocol/raw-json.js'

type Step = IteratorResult<JSONRPCNotification, JSONRPCResponse>

export interface RepeatHost {
  /** Makes the call, each time anew. */
  readonly handler: Handler
  /** The server has been reached before: where it cannot be now, it may be restarting. */
  readonly wasReached: () => boolean
  /** How long a call waits for that, in milliseconds. */
  readonly reconnectTimeout: number
}

/** Between two attempts of a call that does not reach the server: doubled each time, in milliseconds. */
const FIRST_WAIT = 100
const LONGEST_WAIT = 2_000
/** How long the list of tools may take that says whether one may run twice, in milliseconds. */
const LIST_LIMIT = 10_000
const MAX_PAGES = 100
/** Said by what stands before a server that is down. */
const GATEWAY = [502, 503, 504]

/**
 * A call to a remote server, which survives what happens to networks and sessions. What was not delivered is sent again. What was
 * is sent again only where it may run twice: reads and lists, and tools that are declared idempotent or read-only. Else its caller
 * is told that the outcome is unknown.
 */
export class RepeatedCall extends Relay<JSONRPCNotification> {
  readonly #host: RepeatHost
  readonly #request: JSONRPCRequest
  readonly #context: Context
  #exchange: Exchange | undefined
  #attempts = 0
  /** Since when it does not reach the server. */
  #since: number | undefined
  /** It was delivered, and is being repeated. */
  #repeated = false
  #redetected = false
  #progress: number | undefined
  #over = false

  constructor(host: RepeatHost, request: JSONRPCRequest, context: Context) {
    super()
    this.#host = host
    this.#request = request
    this.#context = context
  }

  next(): Promise<Step> {
    if (this.#over) return Promise.reject(new Error('The call is over'))
    this.#exchange ??= this.#host.handler(this.#request, this.#context)
    return this.#exchange.next().then(
      step => this.#onStep(step),
      error => this.#onError(error),
    )
  }

  override ready(): JSONRPCNotification | undefined {
    for (;;) {
      const message = (this.#exchange as ReadyExchange<JSONRPCNotification> | undefined)?.ready?.()
      if (message === undefined || this.#isNew(message)) return message
    }
  }

  protected release(): void {
    this.#over = true
    this.#exchange?.return(undefined as never).catch(() => {})
    this.#exchange = undefined
  }

  #onStep(step: Step): Step | Promise<Step> {
    if (step.done) {
      this.#exchange = undefined
      this.#over = true
      return step
    }
    return this.#isNew(step.value) ? step : this.next()
  }

  /** "The progress value MUST increase with each notification", also where the call began again. */
  #isNew({ method, params }: JSONRPCNotification): boolean {
    if (method !== METHOD_PROGRESS) return true
    const progress = params?.progress
    if (typeof progress !== 'number') return true
    if (this.#repeated && this.#progress !== undefined && progress <= this.#progress) return false
    this.#progress = progress
    return true
  }

  async #onError(error: unknown): Promise<Step> {
    this.#exchange = undefined
    if (!(await this.#mayRepeat(error)) || this.#over) {
      this.#over = true
      throw isUnknown(error) ? withUnknownOutcome(error, this.#request) : error
    }
    return this.next()
  }

  async #mayRepeat(error: unknown): Promise<boolean> {
    const context = this.#context
    if (this.#over || context.cancelled !== undefined || !(error instanceof TransportError)) return false
    if (isUndelivered(error)) {
      const now = performance.now()
      this.#since ??= now
      if (!this.#host.wasReached() || now - this.#since >= this.#host.reconnectTimeout) return false
      const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#attempts++)
      await delay(wait * (0.5 + Math.random() / 2), context)
    } else if (!this.#redetected && this.#host.wasReached() && isMisfit(error)) this.#redetected = true
    else if (isUnknown(error) && !this.#repeated && (await this.#mayRunTwice())) {
      this.#repeated = true
      await delay(FIRST_WAIT, context)
    } else return false
    return context.cancelled === undefined
  }

  async #mayRunTwice(): Promise<boolean> {
    const { method, params } = this.#request
    // The answers were given to the call that is lost.
    if (params?.requestState !== undefined || params?.inputResponses !== undefined) return false
    if (method !== METHOD_CALL_TOOL) return isRead(method)
    const listing = new Context(this.#context.caller)
    const timer = setTimeout(() => listing.cancel('timeout'), LIST_LIMIT)
    try {
      return await orCancelled(isRepeatable(this.#host, this.#request, listing), this.#context)
    } catch {
      return false
    } finally {
      clearTimeout(timer)
      listing.cancel('abandoned')
    }
  }
}

/** Where nothing changes, whatever the server. */
function isRead(method: string): boolean {
  return (
    isList(method) ||
    method === METHOD_DISCOVER ||
    method === 'resources/read' ||
    method === 'prompts/get' ||
    method === 'completion/complete'
  )
}

/** What the server says of the tool at this time. */
async function isRepeatable(host: RepeatHost, call: JSONRPCRequest, context: Context): Promise<boolean> {
  const { progressToken: _token, [META_LOG_LEVEL]: _level, ..._meta } = call.params?._meta ?? {}
  let cursor: unknown
  for (let page = 0; page < MAX_PAGES; page++) {
    const params = cursor === undefined ? { _meta } : { _meta, cursor }
    const request: JSONRPCRequest = { jsonrpc: '2.0', id: 'tools', method: METHOD_LIST_TOOLS, params }
    // The server may be on its way back.
    const response = await finish(new RepeatedCall(host, request, context))
    if ('error' in response) return false
    const { tools, nextCursor } = readResult(response.result)
    const tool = Array.isArray(tools)
      ? tools.find(candidate => isObject(candidate) && candidate.name === call.params?.name)
      : undefined
    if (tool !== undefined) {
      const { annotations } = tool
      return (
        isObject(annotations) && (annotations.idempotentHint === true || annotations.readOnlyHint === true)
      )
    }
    if (nextCursor === undefined || nextCursor === cursor) return false
    cursor = nextCursor
  }
  return false
}

/** It certainly never reached the server, which may come back. */
function isUndelivered({ code, retryable, facts }: TransportError): boolean {
  if (!retryable) return false
  return isLoss(code) || (code === 'ERR_STATUS' && GATEWAY.includes(facts.status as number))
}

/** It was not even sent, since the server does not speak any more what it was found to: that is found out anew. */
function isMisfit({ code, retryable }: TransportError): boolean {
  return retryable && (code === 'ERR_HANDSHAKE' || code === 'ERR_STATUS')
}

/** It was delivered, or may have been, and its answer is lost: in a cut connection, or by a gateway that gave up. */
function isUnknown(error: unknown): error is TransportError {
  if (!(error instanceof TransportError) || error.retryable) return false
  const { code, facts } = error
  return isLoss(code) || (code === 'ERR_STATUS' && (facts.status === 502 || facts.status === 504))
}

function isLoss(code: TransportError['code']): boolean {
  return code === 'ERR_CONNECT' || code === 'ERR_CLOSED' || code === 'ERR_EXITED'
}

function withUnknownOutcome(error: TransportError, { method, params }: JSONRPCRequest): TransportError {
  if (isRead(method)) return error
  const what = method === METHOD_CALL_TOOL ? `the call of ${JSON.stringify(params?.name)}` : method
  const why = method === METHOD_CALL_TOOL ? ', since its tool is not declared idempotent or read-only' : ''
  return new TransportError(
    error.code,
    `${error.message}. The outcome of ${what} is unknown: it was delivered, and is not repeated${why}`,
    { ...error.facts, outcome: 'unknown' },
  )
}
