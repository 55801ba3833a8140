import type { Context } from '../exchange/context.js'
import { TransportError, toErrorObject } from '../exchange/errors.js'
import type { Exchange, Handler } from '../exchange/exchange.js'
import { type ReadyExchange, Relay } from '../exchange/relay.js'
import { INTERNAL_ERROR, RpcError } from '../protocol/errors.js'
import {
  errorResponse,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
} from '../protocol/message.js'
import { mayAsk } from '../protocol/methods.js'
import { readResult, resultKey } from '../protocol/raw-json.js'
import type { LegacyVersion } from '../protocol/versions.js'
import { toLegacyError } from './error-codes.js'
import { type ShownTools, toLegacyResult } from './results.js'
import type { SessionExchange } from './session.js'
import { SUSPENSION } from './suspension.js'

type Step = IteratorResult<JSONRPCNotification | JSONRPCRequest, JSONRPCResponse>

/** What a forwarded call needs of its session. */
export interface ForwardHost {
  readonly handler: Handler
  readonly version: LegacyVersion
  readonly shown: ShownTools
  readonly maxRounds: number
  /** Describes a request in `_meta`, as the modern era wants it. */
  describe(request: JSONRPCRequest): JSONRPCRequest
  /** Puts questions to the client and returns its answers. */
  ask(
    inputRequests: unknown,
    context: Context,
  ): AsyncGenerator<JSONRPCRequest, Record<string, unknown> | undefined, void>
}

/**
 * A legacy client's call at a modern server: passed on as it is, until the server asks. Then the questions go to
 * the client, and the call is made again with the answers.
 */
export class ForwardedCall extends Relay<JSONRPCNotification | JSONRPCRequest> {
  readonly #host: ForwardHost
  readonly #request: JSONRPCRequest
  readonly #context: Context
  readonly #onOver: () => void
  #exchange: Exchange | undefined
  /** In charge once the server has asked. */
  #rounds: SessionExchange | undefined
  #over = false

  constructor(host: ForwardHost, request: JSONRPCRequest, context: Context, onOver: () => void) {
    super()
    this.#host = host
    this.#request = request
    this.#context = context
    this.#onOver = onOver
  }

  next(): Promise<Step> {
    if (this.#rounds !== undefined)
      return this.#rounds.next().then(
        step => this.#onRoundStep(step),
        error => this.#onError(error),
      )
    if (this.#over) return Promise.reject(new Error('The call is over'))
    try {
      this.#exchange ??= this.#host.handler(this.#host.describe(this.#request), this.#context)
    } catch (error) {
      return Promise.resolve(this.#onError(error))
    }
    // Made anew for each step, since most calls have only one.
    return this.#exchange.next().then(
      step => this.#onStep(step),
      error => this.#onError(error),
    )
  }

  override ready(): JSONRPCNotification | JSONRPCRequest | undefined {
    return this.#rounds === undefined
      ? (this.#exchange as ReadyExchange<JSONRPCNotification> | undefined)?.ready?.()
      : undefined
  }

  protected release(): void {
    const exchange = this.#rounds ?? this.#exchange
    this.#exchange = this.#rounds = undefined
    exchange?.return(undefined as never).catch(() => {})
    this.#finish()
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#onOver()
  }

  #onStep(step: IteratorResult<JSONRPCNotification, JSONRPCResponse>): Step | Promise<Step> {
    if (!step.done) return step
    this.#exchange = undefined
    const response = step.value
    if ('result' in response) {
      const type = resultKey(response.result, 'resultType')
      if (type !== undefined && type !== 'complete') {
        this.#rounds = this.#answerRounds(response, type)
        return this.next()
      }
    }
    this.#finish()
    return this.#legacyStep(step, response)
  }

  #onRoundStep(step: Step): Step {
    if (!step.done) return step
    this.#finish()
    return step
  }

  /** What failed becomes an answer, but for a cancelled call, which gets none. */
  #onError(error: unknown): Step {
    this.release()
    if (error instanceof TransportError && error.code === 'ERR_CANCELLED') throw error
    if (!(error instanceof RpcError) && !(error instanceof TransportError)) throw error
    return { done: true, value: errorResponse(this.#request.id, toLegacyError(toErrorObject(error))) }
  }

  #legacyStep(step: Step, response: JSONRPCResponse): Step {
    if ('error' in response) {
      return { done: true, value: errorResponse(this.#request.id, toLegacyError(response.error)) }
    }
    ;(response as { result: unknown }).result = toLegacyResult(
      this.#request.method,
      this.#request.params,
      response.result,
      this.#host.version,
      this.#host.shown,
    )
    return step
  }

  async *#answerRounds(first: JSONRPCResponse & { result: unknown }, firstType: unknown): SessionExchange {
    const { handler, maxRounds } = this.#host
    const request = this.#request
    const context = this.#context
    let response: JSONRPCResponse = first
    let type = firstType
    for (let round = 1; 'result' in response; round++) {
      if (type === undefined || type === 'complete') break
      if (type !== 'input_required' || !mayAsk(request.method)) {
        throw new RpcError(
          INTERNAL_ERROR,
          `The server answered ${request.method} with an unknown result type: ${String(type)}`,
        )
      }
      if (round > maxRounds) {
        context.get(SUSPENSION)?.abandon()
        throw new RpcError(INTERNAL_ERROR, `The server asked more than ${maxRounds} times`)
      }
      const asked = readResult(response.result)
      const answers = yield* this.#host.ask(asked.inputRequests, context)
      const retry = this.#host.describe(retryOf(request, answers, asked.requestState))
      try {
        response = yield* handler(retry, context)
      } catch (error) {
        // Where the retry was refused, nobody makes another.
        context.get(SUSPENSION)?.abandon()
        throw error
      }
      type = 'result' in response ? resultKey(response.result, 'resultType') : undefined
    }
    const step = this.#legacyStep({ done: true, value: response }, response)
    return step.value as JSONRPCResponse
  }
}

function retryOf(
  request: JSONRPCRequest,
  inputResponses: Record<string, unknown> | undefined,
  requestState: unknown,
): JSONRPCRequest {
  return {
    ...request,
    params: {
      ...request.params,
      ...(inputResponses === undefined ? {} : { inputResponses }),
      ...(requestState === undefined ? {} : { requestState }),
    },
  }
}
