/** A server as a program calls it: what it is, what it has, and its answers, its questions answered on the way. */

import { Context } from '../exchange/context.js'
import { orCancelled } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import { finish, type Handler } from '../exchange/exchange.js'
import { identityOf, toModernRequest } from '../legacy/requests.js'
import { SUSPENSION } from '../legacy/suspension.js'
import { LISTS, type ListedKind } from '../middleware/exchange/definitions/kinds.js'
import { wholeList } from '../middleware/exchange/definitions/whole-list.js'
import { MISSING_CAPABILITY, RpcError } from '../protocol/errors.js'
import type {
  JSONObject,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  Result,
} from '../protocol/message.js'
import { type ClientCapabilities, type Implementation, isObject, META_SERVER_INFO } from '../protocol/meta.js'
import {
  METHOD_CALL_TOOL,
  METHOD_DISCOVER,
  METHOD_ELICIT,
  METHOD_LIST_ROOTS,
  METHOD_SAMPLE,
  mayAsk,
} from '../protocol/methods.js'
import { readResult } from '../protocol/raw-json.js'
import type { Era } from '../protocol/versions.js'
import type { UpstreamEvent } from './events.js'
import type { Target } from './open.js'
import { isRemote, type RemoteTarget } from './remote.js'
import { type Upstream, upstream } from './upstream.js'
import type { UpstreamOptions } from './upstream-options.js'

/**
 * Answers what the server asks within a call. It is told that it may ask exactly what there is a function for. Each gets the
 * parameters of the question, and a signal that ends with the call.
 */
export interface Questions {
  /** A form or an address for the person (`params.mode`): resolves to `{ action, content }`. */
  readonly elicitation?: ((params: JSONObject, signal: AbortSignal) => Promise<JSONObject>) | undefined
  /** A completion by a model: resolves to `{ role, content, model }`. */
  readonly sampling?: ((params: JSONObject, signal: AbortSignal) => Promise<JSONObject>) | undefined
  /** The folders that the server may work in: resolves to `{ uri, name }` for each. */
  readonly roots?: (() => Promise<readonly JSONObject[]>) | undefined
}

export interface ClientOptions
  extends Omit<UpstreamOptions, 'front' | 'isolation' | 'spares' | 'idleTimeout'> {
  /** Default: the server may ask nothing, and many then offer less. */
  readonly questions?: Questions | undefined
  /** How often one call may come back with questions. Default 10. */
  readonly maxRounds?: number | undefined
  /** From which level on calls hear what the server logs (`debug` to `emergency`). Default: not at all. */
  readonly logLevel?: string | undefined
}

export interface RequestOptions {
  /** Cancels the call, at the server too. */
  readonly signal?: AbortSignal | undefined
  /** Hears progress and logs of the call while it runs. Default: no progress is asked for. */
  readonly onNotification?: ((notification: JSONRPCNotification) => void) | undefined
}

export interface ServerDescription {
  readonly serverInfo: Implementation | undefined
  /** Undefined for a handler, which has none. */
  readonly era: Era | undefined
  /** `stdio` is its framing, on whatever pipe or socket; undefined for a handler. */
  readonly transport: 'stdio' | 'streamable-http' | 'sse' | undefined
  /** Of a legacy server the revision that was agreed on; of a modern one those that it serves and anyport knows. */
  readonly protocolVersions: readonly string[]
  readonly capabilities: JSONObject
  readonly instructions: string | undefined
}

/**
 * All of it rejects with `RpcError` for an error that the server answers with, and with `TransportError` for what happens on the
 * way there.
 */
export interface ServerClient extends AsyncDisposable {
  /** What the server says of itself. */
  describe(options?: RequestOptions): Promise<ServerDescription>
  /** All pages of a list, up to 10,000 entries. Empty where the server has no such list. */
  list(kind: ListedKind, options?: RequestOptions): Promise<readonly JSONObject[]>
  /** Calls a tool. What the tool reports as failed is a result too, with `isError`. */
  callTool(name: string, args?: JSONObject, options?: RequestOptions): Promise<Result>
  getPrompt(name: string, args?: Readonly<Record<string, string>>, options?: RequestOptions): Promise<Result>
  readResource(uri: string, options?: RequestOptions): Promise<Result>
  /** Any other request of revision 2026-07-28. */
  request(method: string, params?: JSONObject, options?: RequestOptions): Promise<Result>
  /** Ends what was started for it. */
  close(): Promise<void>
}

/**
 * Calls a server of either era as one of 2026-07-28. Nothing is started or dialled before the first call. Whoever makes it closes
 * it (`await using` does).
 */
export function client(target: Target | RemoteTarget | Handler, options: ClientOptions = {}): ServerClient {
  return new Caller(target, options)
}

const ANYPORT: Implementation = { name: 'anyport', version: '0' }
const DEFAULT_ROUNDS = 10
const DEFAULT_LIMIT = 10 * 60_000

class Caller implements ServerClient {
  readonly #handler: Handler
  readonly #upstream: Upstream | undefined
  readonly #options: ClientOptions
  readonly #identity
  readonly #pipe: 'stdio' | 'streamable-http' | undefined
  #spoken: Extract<UpstreamEvent, { type: 'ready' }> | undefined
  #next = 1

  constructor(target: Target | RemoteTarget | Handler, options: ClientOptions) {
    const { questions = {}, clientInfo = ANYPORT, logLevel, onEvent } = options
    this.#options = options
    this.#identity = identityOf(clientInfo, capabilitiesOf(questions), logLevel)
    if (typeof target === 'function') {
      this.#handler = target
      return
    }
    this.#pipe = isRemote(target) ? 'streamable-http' : 'stdio'
    this.#upstream = upstream(target, {
      ...options,
      clientInfo,
      onEvent: event => {
        if (event.type === 'ready') this.#spoken = event
        onEvent?.(event)
      },
    })
    this.#handler = this.#upstream.handler
  }

  async describe(options: RequestOptions = {}): Promise<ServerDescription> {
    const { supportedVersions, capabilities, instructions, _meta } = await this.#limited(
      METHOD_DISCOVER,
      options,
    )
    const info = _meta?.[META_SERVER_INFO]
    const spoken = this.#spoken
    return {
      serverInfo: isObject(info) ? (info as Implementation) : undefined,
      era: this.#upstream?.era(),
      transport: spoken?.dialect === 'sse' ? 'sse' : this.#pipe,
      protocolVersions:
        spoken?.revision !== undefined
          ? [spoken.revision]
          : Array.isArray(supportedVersions)
            ? supportedVersions.map(String)
            : [],
      capabilities: isObject(capabilities) ? capabilities : {},
      instructions: typeof instructions === 'string' && instructions !== '' ? instructions : undefined,
    }
  }

  async list(kind: ListedKind, { signal }: RequestOptions = {}): Promise<readonly JSONObject[]> {
    const { context, release } = this.#context(signal)
    const meta = toModernRequest({ jsonrpc: '2.0', id: 0, method: LISTS[kind].method }, this.#identity).params
      ?._meta as JSONObject
    const limited = this.#options.timeout ?? DEFAULT_LIMIT
    try {
      return await orCancelled(wholeList(this.#handler, kind, { caller: CALLER, meta }, limited), context)
    } finally {
      release()
    }
  }

  callTool(name: string, args: JSONObject = {}, options: RequestOptions = {}): Promise<Result> {
    return this.request(METHOD_CALL_TOOL, { name, arguments: args }, options)
  }

  getPrompt(
    name: string,
    args: Readonly<Record<string, string>> = {},
    options: RequestOptions = {},
  ): Promise<Result> {
    return this.request('prompts/get', { name, arguments: args }, options)
  }

  readResource(uri: string, options: RequestOptions = {}): Promise<Result> {
    return this.request('resources/read', { uri }, options)
  }

  /** What is asked goes to `questions`, and the call is made again with the answers (2026-07-28 basic/patterns/mrtr). */
  async request(method: string, params: JSONObject = {}, options: RequestOptions = {}): Promise<Result> {
    const { maxRounds = DEFAULT_ROUNDS } = this.#options
    const { context, release } = this.#context(options.signal)
    try {
      let given = params
      for (let round = 0; ; round++) {
        const result = resultOf(await this.#send(method, given, options, context))
        if (result.resultType !== 'input_required' || !mayAsk(method)) return result
        if (round >= maxRounds)
          throw new TransportError('ERR_PROTOCOL', `The server asked more than ${maxRounds} times`)
        given = {
          ...params,
          ...(await this.#answers(result.inputRequests, context)),
          ...(result.requestState === undefined ? {} : { requestState: result.requestState }),
        }
      }
    } catch (error) {
      // Nobody makes the call again, so that one that waits for answers need not.
      context.get(SUSPENSION)?.abandon()
      throw error
    } finally {
      release()
    }
  }

  async close(): Promise<void> {
    await this.#upstream?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #limited(method: string, { signal }: RequestOptions): Promise<Result> {
    const { context, release } = this.#context(signal)
    const timer = setTimeout(() => context.cancel('timeout'), this.#options.timeout ?? DEFAULT_LIMIT)
    try {
      return resultOf(await this.#send(method, {}, {}, context))
    } finally {
      clearTimeout(timer)
      release()
    }
  }

  #send(
    method: string,
    params: JSONObject,
    { onNotification }: RequestOptions,
    context: Context,
  ): Promise<JSONRPCResponse> {
    const id = this.#next++
    const given = isObject(params._meta) ? params._meta : {}
    const own = onNotification === undefined ? undefined : { _meta: { ...given, progressToken: id } }
    const request: JSONRPCRequest = { jsonrpc: '2.0', id, method, params: { ...params, ...own } }
    return finish(this.#handler(toModernRequest(request, this.#identity), context), onNotification)
  }

  /** One after the other: they are for one person. */
  async #answers(inputRequests: unknown, context: Context): Promise<JSONObject> {
    if (!isObject(inputRequests)) return {}
    const inputResponses: Record<string, unknown> = {}
    for (const [key, input] of Object.entries(inputRequests)) {
      if (!isObject(input)) continue
      const params = isObject(input.params) ? input.params : {}
      inputResponses[key] = await orCancelled(this.#answer(input.method, params, context.signal), context)
    }
    return { inputResponses }
  }

  async #answer(method: unknown, params: JSONObject, signal: AbortSignal): Promise<JSONObject> {
    const { elicitation, sampling, roots } = this.#options.questions ?? {}
    if (method === METHOD_ELICIT && elicitation !== undefined) return await elicitation(params, signal)
    if (method === METHOD_SAMPLE && sampling !== undefined) return await sampling(params, signal)
    if (method === METHOD_LIST_ROOTS && roots !== undefined) return { roots: await roots() }
    throw new RpcError(
      MISSING_CAPABILITY,
      `The server asked for ${String(method)}, which it was not told that it may ask for`,
      { requiredCapabilities: method === METHOD_SAMPLE ? { sampling: {} } : {} },
    )
  }

  #context(signal: AbortSignal | undefined): { readonly context: Context; readonly release: () => void } {
    const context = new Context(CALLER)
    const cancel = () => context.cancel('cancelled')
    if (signal?.aborted) cancel()
    signal?.addEventListener('abort', cancel)
    return { context, release: () => signal?.removeEventListener('abort', cancel) }
  }
}

const CALLER = { binding: 'internal' } as const

function capabilitiesOf({ elicitation, sampling, roots }: Questions): ClientCapabilities {
  return {
    ...(elicitation === undefined ? {} : { elicitation: { form: {}, url: {} } }),
    ...(sampling === undefined ? {} : { sampling: {} }),
    ...(roots === undefined ? {} : { roots: {} }),
  }
}

function resultOf(response: JSONRPCResponse): Result {
  if ('error' in response)
    throw new RpcError(response.error.code, response.error.message, response.error.data)
  return readResult(response.result)
}
