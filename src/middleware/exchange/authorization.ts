/** What is not allowed is not listed, and answers as if it were unknown. */

import type { Context } from '../../exchange/context.js'
import type { Exchange, Handler, Middleware } from '../../exchange/exchange.js'
import { refusing } from '../../exchange/refusing.js'
import { Relay } from '../../exchange/relay.js'
import { INSUFFICIENT_SCOPE, INVALID_PARAMS, METHOD_NOT_FOUND, RpcError } from '../../protocol/errors.js'
import type {
  JSONObject,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
} from '../../protocol/message.js'
import { isObject } from '../../protocol/meta.js'
import { isList, METHOD_DISCOVER, METHOD_LISTEN } from '../../protocol/methods.js'
import { readResult, withResultKey } from '../../protocol/raw-json.js'
import type { AccessRules, Verdict } from './access-rules.js'
import { noteRefusal } from './call-record.js'
import { type TargetKind, targetKindOf, targetOf } from './target-of.js'

export interface AuthorizationOptions {
  readonly rules: AccessRules
  /** The server that this goes around, where it has a name. */
  readonly server?: string | undefined
}

export function authorization({ rules, server }: AuthorizationOptions): Middleware {
  return next => (request, context) => {
    const { method } = request
    if (method === METHOD_DISCOVER) return next(request, context)
    if (isList(method)) return listed(rules, server, next, request, context)
    if (method === METHOD_LISTEN) return next(withAllowedResources(rules, server, request, context), context)
    const asked = { server, method, kind: targetKindOf(request), name: targetOf(request) }
    const verdict = rules.verdict(asked, context.caller)
    if (verdict === 'allowed') return next(request, context)
    noteRefusal(context, 'authorization', verdict === 'denied' ? 'rule' : 'scope')
    return refusing(errorOf(verdict, asked.kind, asked.name, method))
  }
}

function errorOf(
  verdict: Exclude<Verdict, 'allowed'>,
  kind: TargetKind | undefined,
  name: string | undefined,
  method: string,
): RpcError {
  if (verdict !== 'denied') {
    const scope = verdict.missing.join(' ')
    return new RpcError(INSUFFICIENT_SCOPE, `This takes the scope ${scope}`, { scope })
  }
  if (kind === 'tools') return new RpcError(INVALID_PARAMS, `Unknown tool: ${name}`)
  if (kind === 'prompts') return new RpcError(INVALID_PARAMS, `Unknown prompt: ${name}`)
  // 2026-07-28 server/resources, "Error Handling".
  if (kind === 'resources') return new RpcError(INVALID_PARAMS, 'Resource not found', { uri: name })
  return new RpcError(METHOD_NOT_FOUND, `Method not found: ${method}`)
}

const LISTS: Readonly<
  Record<string, readonly [field: string, kind: TargetKind, name: string, method: string]>
> = {
  'tools/list': ['tools', 'tools', 'name', 'tools/call'],
  'prompts/list': ['prompts', 'prompts', 'name', 'prompts/get'],
  'resources/list': ['resources', 'resources', 'uri', 'resources/read'],
  'resources/templates/list': ['resourceTemplates', 'resources', 'uriTemplate', 'resources/read'],
}

function listed(
  rules: AccessRules,
  server: string | undefined,
  next: Handler,
  request: JSONRPCRequest,
  context: Context,
): Exchange {
  const entry = LISTS[request.method]
  if (entry === undefined) return next(request, context)
  const [field, kind, key, method] = entry
  const isAllowed = (item: unknown) => {
    const name = isObject(item) ? item[key] : undefined
    return (
      typeof name === 'string' && rules.verdict({ server, method, kind, name }, context.caller) === 'allowed'
    )
  }
  return new FilteredList(next(request, context), field, isAllowed)
}

/** A list without some of its entries. */
class FilteredList extends Relay<JSONRPCNotification> {
  readonly #exchange: Exchange
  readonly #field: string
  readonly #keeps: (item: unknown) => boolean

  constructor(exchange: Exchange, field: string, keeps: (item: unknown) => boolean) {
    super()
    this.#exchange = exchange
    this.#field = field
    this.#keeps = keeps
  }

  async next(): Promise<IteratorResult<JSONRPCNotification, JSONRPCResponse>> {
    const step = await this.#exchange.next()
    if (!step.done || 'error' in step.value) return step
    const { result } = step.value
    const items = readResult(result)[this.#field]
    // What cannot be read cannot be shown to be allowed.
    const kept = Array.isArray(items) ? items.filter(this.#keeps) : []
    // Nobody may keep it for others: what it holds depends on who asks.
    const filtered = withResultKey(withResultKey(result, this.#field, kept), 'cacheScope', 'private')
    return { done: true, value: { ...step.value, result: filtered } }
  }

  protected release(): void {
    this.#exchange.return(undefined as never).catch(() => {})
  }
}

/** The subscription without the resources that may not be read: to the caller it looks as if the server did not honour them. */
function withAllowedResources(
  rules: AccessRules,
  server: string | undefined,
  request: JSONRPCRequest,
  context: Context,
): JSONRPCRequest {
  const filter = request.params?.notifications
  if (!isObject(filter) || !Array.isArray(filter.resourceSubscriptions)) return request
  const allowed = filter.resourceSubscriptions.filter(
    uri =>
      typeof uri === 'string' &&
      rules.verdict({ server, method: 'resources/read', kind: 'resources', name: uri }, context.caller) ===
        'allowed',
  )
  if (allowed.length === filter.resourceSubscriptions.length) return request
  const notifications: JSONObject = { ...filter, resourceSubscriptions: allowed }
  return { ...request, params: { ...request.params, notifications } }
}
