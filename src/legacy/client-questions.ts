import type { Context } from '../exchange/context.js'
import { orCancelled, within } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import { INTERNAL_ERROR, RpcError } from '../protocol/errors.js'
import type { JSONObject, JSONRPCRequest, JSONRPCResponse, RequestId } from '../protocol/message.js'
import { type ClientCapabilities, isObject } from '../protocol/meta.js'
import { METHOD_ELICIT, METHOD_SAMPLE } from '../protocol/methods.js'
import { readResult } from '../protocol/raw-json.js'
import type { LegacyVersion } from '../protocol/versions.js'
import { missingCapabilities } from './capabilities.js'
import { fromLegacyForm, toLegacyForm } from './elicitation.js'
import type { LossListener } from './losses.js'
import { toLegacySampling } from './sampling.js'
import { missingCapabilityError } from './suspended-call.js'
import { SUSPENSION } from './suspension.js'

export interface ClientQuestionsOptions {
  /** How long the client may take to answer, in milliseconds. Default 10 minutes. */
  readonly answerTimeout?: number
  readonly onLoss?: LossListener
}

/** The questions that one legacy client has open: what a modern server asks in a result goes out as requests. */
export class ClientQuestions {
  readonly #options: ClientQuestionsOptions
  readonly #open = new Map<RequestId, (response: JSONRPCResponse) => void>()
  #next = 1

  constructor(options: ClientQuestionsOptions) {
    this.#options = options
  }

  /** Takes the client's answer; one to a question that is not open is dropped. */
  answer(response: JSONRPCResponse): void {
    if (response.id == null) return
    const answered = this.#open.get(response.id)
    this.#open.delete(response.id)
    answered?.(response)
  }

  /** Puts the questions to the client, all at once, and waits for the answers. */
  async *ask(
    inputRequests: unknown,
    context: Context,
    version: LegacyVersion,
    capabilities: ClientCapabilities,
  ): AsyncGenerator<JSONRPCRequest, Record<string, unknown> | undefined, void> {
    if (!isObject(inputRequests)) return undefined
    const asked: RequestId[] = []
    const waits: Promise<JSONRPCResponse>[] = []
    const keys: string[] = []
    try {
      checkMayBeAsked(inputRequests, capabilities)
      for (const [key, input] of Object.entries(inputRequests)) {
        if (!isObject(input) || typeof input.method !== 'string') continue
        const id = this.#idFor(key)
        keys.push(key)
        asked.push(id)
        waits.push(new Promise(answer => this.#open.set(id, answer)))
        yield questionOf(id, input, version)
      }
      const responses = await withinLimits(
        Promise.all(waits),
        context,
        this.#options.answerTimeout ?? 10 * 60_000,
      )
      const answers: Record<string, unknown> = {}
      responses.forEach((response, index) => {
        const key = keys[index] as string
        const answer = this.#answerOf(response, key, inputRequests[key], context, version)
        if (answer !== undefined) answers[key] = answer
      })
      return answers
    } catch (error) {
      context.get(SUSPENSION)?.abandon()
      throw error
    } finally {
      for (const id of asked) this.#open.delete(id)
    }
  }

  #answerOf(
    response: JSONRPCResponse,
    key: string,
    input: unknown,
    context: Context,
    version: LegacyVersion,
  ): unknown {
    if ('result' in response) {
      const answer = readResult(response.result)
      if (!isObject(input) || input.method !== METHOD_ELICIT) return answer
      return fromLegacyForm(answer, input.params, version)
    }
    const suspension = context.get(SUSPENSION)
    if (suspension !== undefined) {
      suspension.reject(key, response.error)
      return undefined
    }
    // The modern era has no word for a refused question but for an elicitation's (ERAS rows 31, 32).
    if (isObject(input) && input.method === METHOD_ELICIT)
      return { action: response.error.code === -1 ? 'decline' : 'cancel' }
    this.#options.onLoss?.('sampling-rejected', response.error.message)
    throw new RpcError(
      INTERNAL_ERROR,
      `The client refused ${isObject(input) ? String(input.method) : key}: ${response.error.message}`,
    )
  }

  /** The key itself where it is free, so that a name that the server chose survives the hop. */
  #idFor(key: string): RequestId {
    if (!this.#open.has(key)) return key
    let id = `${key}-${this.#next++}`
    while (this.#open.has(id)) id = `${key}-${this.#next++}`
    return id
  }
}

/** Nobody is asked what they did not declare they can answer (2025-11-25 basic/lifecycle, "Operation"). */
function checkMayBeAsked(inputRequests: JSONObject, capabilities: ClientCapabilities): void {
  for (const input of Object.values(inputRequests)) {
    if (!isObject(input) || typeof input.method !== 'string') continue
    const params = isObject(input.params) ? input.params : undefined
    const missing = missingCapabilities(input.method, params, capabilities)
    if (missing !== undefined) throw missingCapabilityError(input.method, missing)
  }
}

function questionOf(id: RequestId, input: JSONObject, version: LegacyVersion): JSONRPCRequest {
  const params = isObject(input.params) ? input.params : undefined
  const method = input.method as string
  if (params === undefined) return { jsonrpc: '2.0', id, method }
  // Legacy clients insist on an id for the address that they are asked to visit (2025-11-25 client/elicitation).
  if (method === METHOD_ELICIT && params.mode === 'url' && params.elicitationId === undefined) {
    return { jsonrpc: '2.0', id, method, params: { ...params, elicitationId: crypto.randomUUID() } }
  }
  return {
    jsonrpc: '2.0',
    id,
    method,
    params: legacyParams(method, params, version),
  }
}

function legacyParams(method: string, params: JSONObject, version: LegacyVersion): JSONObject {
  if (method === METHOD_ELICIT) return toLegacyForm(params, version)
  return method === METHOD_SAMPLE ? toLegacySampling(params, version) : params
}

/** The answers, unless the call is cancelled or the time is up first. */
function withinLimits<T>(answers: Promise<T>, context: Context, milliseconds: number): Promise<T> {
  const late = () =>
    new TransportError('ERR_TIMEOUT', `The client did not answer a question within ${milliseconds} ms`, {
      hop: 'client',
    })
  return within(orCancelled(answers, context), milliseconds, late)
}
