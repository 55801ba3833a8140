/**
 * Many servers behind one address. A gateway is a handler made of handlers: it knows no wire and no era. What belongs to one
 * server is sent to it, what belongs to all is asked of all and merged.
 */

import type { Caller, Context } from '../exchange/context.js'
import { orCancelled } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import type { Exchange, Handler } from '../exchange/exchange.js'
import { INVALID_PARAMS, METHOD_NOT_FOUND, RpcError } from '../protocol/errors.js'
import { type JSONRPCRequest, resultResponse } from '../protocol/message.js'
import { type Implementation, isObject, META_SERVER_INFO } from '../protocol/meta.js'
import { METHOD_CALL_TOOL, METHOD_DISCOVER, METHOD_LISTEN } from '../protocol/methods.js'
import type { AudienceHost } from './audience.js'
import { Audiences } from './audiences.js'
import type { Listed, Route } from './catalog.js'
import type { GatewayEvent, ListKind } from './events.js'
import { exposedNames, type NameOptions, type Names } from './exposed-names.js'
import { forward } from './forwarded-call.js'
import {
  answerLazily,
  CALL_TOOL,
  calledLazily,
  checkBudget,
  LAZY_NAMES,
  LAZY_TOOLS,
  type ToolBudget,
  toolsWithin,
} from './lazy-tools.js'
import { listen } from './listen.js'
import type { GatewayServer } from './member.js'
import { Members, type MembersOptions, type ServersChange } from './members.js'
import { mergeDescriptions } from './merged-description.js'
import { PublicSlices } from './public-slices.js'
import { Routes } from './routes.js'
import { ServerStates, type ServerStatus } from './server-states.js'
import { SharedLists } from './shared-lists.js'

export interface GatewayOptions extends NameOptions, MembersOptions, ToolBudget {
  /** How long a list waits for one server, in milliseconds; its entries follow when it answers. Default 5,000. */
  readonly listTimeout?: number | undefined
  /** The same for the description of the whole, which a client waits for before all else. Default 2,000. */
  readonly discoverTimeout?: number | undefined
  /** How long a server may take to list what it has, in milliseconds, its start included. Default 60,000. */
  readonly fetchTimeout?: number | undefined
  /**
   * How long what a server listed before stands in for what it does not answer, in milliseconds, so that a restart changes no list.
   * Default one minute.
   */
  readonly keepLists?: number | undefined
  /** Entries of one page of a list. Default 1,000. */
  readonly pageSize?: number | undefined
  /** Lists are known for each session of a principal, for servers that isolate sessions. Default false. */
  readonly perSession?: boolean | undefined
  /** Callers of one principal are told apart by this as well, where servers show them different things. Default: nothing. */
  readonly audienceOf?: ((caller: Caller) => string) | undefined
  /** Callers whose lists are remembered. Default 1,000. */
  readonly maxAudiences?: number | undefined
  /** Milliseconds after which the lists of a silent caller are forgotten. Default 10 minutes. */
  readonly audienceTimeout?: number | undefined
  /** How we call ourselves. Default: the name of a single server without prefix, else `anyport`. */
  readonly serverInfo?: Implementation | undefined
  /** Said to the model before what the servers say. */
  readonly instructions?: string | undefined
  /** First and longest wait before listening to a server again after a loss, in milliseconds. Default 500 and 30,000. */
  readonly backoff?: readonly [first: number, longest: number] | undefined
  readonly onEvent?: ((event: GatewayEvent) => void) | undefined
}

export interface Gateway {
  /** All servers as one. */
  readonly handler: Handler
  /** One of them, with its names untouched; undefined where there is none of that name. It follows replacements. */
  readonly server: (name: string) => Handler | undefined
  /** In the order of their names. */
  readonly servers: () => readonly ServerStatus[]
  /**
   * Adds, replaces and removes servers, all at once: clients hear of each list that changed once. Calls that are open go on with the
   * handlers they have. Throws `TypeError`, and changes nothing, for servers that cannot work.
   */
  readonly change: (change: ServersChange) => void
  /** Ends the subscriptions at the servers. Their handlers belong to who made them. */
  readonly close: () => void
}

/** Throws `TypeError` for servers or options that cannot work. */
export function createGateway(
  servers: Readonly<Record<string, Handler | GatewayServer>>,
  options: GatewayOptions = {},
): Gateway {
  checkBudget(options)
  for (const name of [
    'listTimeout',
    'discoverTimeout',
    'fetchTimeout',
    'pageSize',
    'maxAudiences',
    'audienceTimeout',
  ] as const)
    if (options[name] !== undefined && !(options[name] > 0))
      throw new TypeError(`${name}: expected a number above 0, got ${options[name]}`)
  return new HandlerGateway(servers, options)
}

const ANYPORT: Implementation = { name: 'anyport', version: '0' }
/** Their later requests carry the id of a task, which does not say whose it is. */
const UNROUTABLE = ['io.modelcontextprotocol/tasks']
const LISTS: ReadonlyMap<string, ListKind> = new Map([
  ['tools/list', 'tools'],
  ['prompts/list', 'prompts'],
  ['resources/list', 'resources'],
  ['resources/templates/list', 'templates'],
])

class HandlerGateway implements Gateway {
  readonly #options: GatewayOptions
  readonly #members: Members
  readonly #names: Names
  readonly #audiences: Audiences
  readonly #states: ServerStates
  readonly #routes: Routes
  readonly #shared = new SharedLists()
  readonly #told = new Set<string>()
  readonly #listeners = new Set<() => void>()

  constructor(servers: Readonly<Record<string, Handler | GatewayServer>>, options: GatewayOptions) {
    this.#options = options
    this.#names = exposedNames(options)
    this.#members = new Members(servers, options)
    this.#states = new ServerStates(event => options.onEvent?.(event))
    this.#audiences = new Audiences(this.#host(), {
      perSession: options.perSession ?? false,
      audienceOf: options.audienceOf,
      maxAudiences: options.maxAudiences ?? 1_000,
      idleTimeout: options.audienceTimeout ?? 10 * 60_000,
    })
    this.#routes = new Routes(this.#members, this.#names, this.#audiences)
  }

  readonly handler: Handler = (request, context) => {
    try {
      return this.#route(request, context)
    } catch (error) {
      return failed(error)
    }
  }

  #route(request: JSONRPCRequest, context: Context): Exchange {
    switch (request.method) {
      case METHOD_CALL_TOOL:
        return this.#callTool(request, context)
      case 'prompts/get':
        return this.#getPrompt(request, context)
      case 'resources/read':
        return this.#readResource(request, context)
      case 'completion/complete':
        return this.#complete(request, context)
      case METHOD_DISCOVER:
        return this.#discover(request, context)
      case METHOD_LISTEN:
        return this.#listen(request, context)
      default: {
        const kind = LISTS.get(request.method)
        return kind === undefined ? this.#other(request, context) : this.#list(kind, request, context)
      }
    }
  }

  readonly server = (name: string): Handler | undefined => {
    if (this.#members.get(name) === undefined) return undefined
    return (request, context) => {
      const member = this.#members.get(name)
      if (member !== undefined) return member.handler(request, context)
      return failed(new TransportError('ERR_CLOSED', `The server ${name} was removed`, { hop: name }))
    }
  }

  readonly servers = (): readonly ServerStatus[] => this.#members.all().map(member => this.#states.of(member))

  readonly change = (change: ServersChange): void => {
    const event = this.#members.change(change)
    this.#options.onEvent?.(event)
    this.#told.clear()
    this.#shared.clear()
    for (const audience of this.#audiences.all()) audience.membersChanged()
    for (const listener of [...this.#listeners]) listener()
  }

  readonly close = (): void => {
    this.#audiences.close()
    this.#listeners.clear()
  }

  #callTool(request: JSONRPCRequest, context: Context): Exchange {
    const name = request.params?.name
    if (typeof name !== 'string') throw new RpcError(INVALID_PARAMS, 'params.name: expected a string')
    if (this.#isLazy && LAZY_NAMES.has(name)) {
      if (name === CALL_TOOL) return this.#callTool(calledLazily(request), context)
      return this.#answerLazily(request, context)
    }
    return this.#sendNamed('tools', name, request, context)
  }

  #getPrompt(request: JSONRPCRequest, context: Context): Exchange {
    const name = request.params?.name
    if (typeof name !== 'string') throw new RpcError(INVALID_PARAMS, 'params.name: expected a string')
    return this.#sendNamed('prompts', name, request, context)
  }

  /** Nothing is waited for where it is clear whose the name is, as nearly always. */
  #sendNamed(kind: 'tools' | 'prompts', name: string, request: JSONRPCRequest, context: Context): Exchange {
    const route = this.#routes.byForm(kind, name) ?? this.#routes.byTable(kind, name, request, context)
    if (route === undefined) return this.#sendFound(kind, name, request, context)
    return this.#send(request, context, route, { name: route.name })
  }

  async *#sendFound(
    kind: 'tools' | 'prompts',
    name: string,
    request: JSONRPCRequest,
    context: Context,
  ): Exchange {
    const route = await this.#routes.byName(kind, name, request, context)
    return yield* this.#send(request, context, route, { name: route.name })
  }

  async *#readResource(request: JSONRPCRequest, context: Context): Exchange {
    const uri = request.params?.uri
    if (typeof uri !== 'string') throw new RpcError(INVALID_PARAMS, 'params.uri: expected a string')
    const route = await this.#routes.byUri(uri, request, context)
    const alias = route.name === uri ? undefined : { own: route.name, exposed: uri }
    return yield* this.#send(request, context, route, { uri: route.name }, alias)
  }

  async *#complete(request: JSONRPCRequest, context: Context): Exchange {
    const ref = request.params?.ref
    if (!isObject(ref)) throw new RpcError(INVALID_PARAMS, 'params.ref: expected an object')
    if (ref.type === 'ref/prompt' && typeof ref.name === 'string') {
      const route =
        this.#routes.byForm('prompts', ref.name) ??
        (await this.#routes.byName('prompts', ref.name, request, context))
      return yield* this.#send(request, context, route, { ref: { ...ref, name: route.name } })
    }
    if (ref.type === 'ref/resource' && typeof ref.uri === 'string') {
      const { catalog } = await this.#routes.known('templates', request, context)
      const route = catalog.routes.get(ref.uri) ?? (await this.#routes.byUri(ref.uri, request, context))
      return yield* this.#send(request, context, route, { ref: { ...ref, uri: route.name } })
    }
    throw new RpcError(
      INVALID_PARAMS,
      'params.ref: expected a ref/prompt with a name or a ref/resource with a uri',
    )
  }

  async *#discover(request: JSONRPCRequest, context: Context): Exchange {
    const audience = this.#audiences.of(request, context)
    const described = await orCancelled(
      audience.descriptions(this.#options.discoverTimeout ?? 2_000),
      context,
    )
    const descriptions = [...described].map(([{ name: server }, discovered]) => ({ server, discovered }))
    const [only] = descriptions
    const alone = descriptions.length === 1 && this.#isTransparent ? only?.discovered?._meta : undefined
    const own = isObject(alone) ? alone[META_SERVER_INFO] : undefined
    const serverInfo = this.#options.serverInfo ?? (isObject(own) ? (own as Implementation) : ANYPORT)
    return resultResponse(
      request.id,
      mergeDescriptions(descriptions, {
        serverInfo,
        instructions: this.#options.instructions,
        unroutable: UNROUTABLE,
      }),
    )
  }

  #listen(request: JSONRPCRequest, context: Context): Exchange {
    return listen(request, context, {
      audience: this.#audiences.of(request, context),
      routeUri: uri => this.#routes.byUri(uri, request, context),
      find: name => this.#members.get(name),
      patience: this.#options.listTimeout ?? 5_000,
      onServersChanged: listener => {
        this.#listeners.add(listener)
        return () => this.#listeners.delete(listener)
      },
      backoff: this.#options.backoff,
    })
  }

  async *#list(kind: ListKind, request: JSONRPCRequest, context: Context): Exchange {
    const audience = this.#audiences.of(request, context)
    const current = audience.list(kind)
    const merged = current instanceof Promise ? await orCancelled(current, context) : current
    const { failing, members, shown } = merged
    // Who lists nothing because nobody answers would hide why.
    if (members.length > 0 && failing.size === members.length && shown.length === 0) throw allFailed(failing)
    const page = merged.pages.page(request.params?.cursor)
    const ttlMs = audience.freshFor(kind, merged)
    return resultResponse(request.id, ttlMs === 0 ? page : page.with('ttlMs', ttlMs))
  }

  async *#answerLazily(request: JSONRPCRequest, context: Context): Exchange {
    const { catalog } = await this.#routes.known('tools', request, context)
    return answerLazily(request, catalog)
  }

  /** A method of which we do not know whose it is. */
  #other(request: JSONRPCRequest, context: Context): Exchange {
    const [only, ...others] = this.#members.all()
    if (only !== undefined && others.length === 0) return only.handler(request, context)
    throw new RpcError(
      METHOD_NOT_FOUND,
      `Method not found: ${request.method} (it does not say which of the servers it is for; each has an address of its own)`,
    )
  }

  #send(
    request: JSONRPCRequest,
    context: Context,
    { member }: Route,
    params: JSONRPCRequest['params'] & object,
    alias?: { readonly own: string; readonly exposed: string },
  ): Exchange {
    return forward(request, context, {
      server: member.name,
      handler: member.handler,
      params,
      namesLogs: !this.#isTransparent || this.#members.all().length > 1,
      alias,
    })
  }

  get #isLazy(): boolean {
    return this.#options.lazy === true || this.#options.maxTools !== undefined
  }

  /** Names are not changed, so that a single server looks as it is. */
  get #isTransparent(): boolean {
    return this.#options.style === 'none'
  }

  #host(): AudienceHost {
    const { listTimeout, fetchTimeout, keepLists, pageSize, serverInfo, backoff } = this.#options
    return {
      members: () => this.#members.all(),
      names: this.#names,
      reserved: this.#isLazy ? LAZY_NAMES : new Set(),
      publicSlices: new PublicSlices(),
      shared: this.#shared,
      patience: listTimeout ?? 5_000,
      fetchLimit: fetchTimeout ?? 60_000,
      keep: keepLists ?? 60_000,
      pageSize: pageSize ?? 1_000,
      serverInfo: serverInfo ?? (this.#isTransparent ? undefined : ANYPORT),
      show: tools => this.#show(tools),
      tell: event => this.#tell(event),
      report: (member, kind, error) => this.#states.report(member, kind, error),
      backoff,
    }
  }

  #show(tools: readonly Listed[]): readonly Listed[] {
    if (!this.#isLazy) return tools
    const shown = toolsWithin(tools, this.#options)
    if (!this.#options.lazy && shown.hidden === 0) return tools
    if (!this.#options.lazy) this.#tell({ type: 'over-budget', tools: tools.length, hidden: shown.hidden })
    return [...LAZY_TOOLS, ...shown.tools]
  }

  /** Once for each thing, until the servers change: every caller's lists are merged anew. */
  #tell(event: GatewayEvent): void {
    const key = JSON.stringify(event)
    if (this.#told.size >= MAX_TOLD || this.#told.size === this.#told.add(key).size) return
    this.#options.onEvent?.(event)
  }
}

const MAX_TOLD = 1_000

function allFailed(failing: ReadonlyMap<string, Error>): Error {
  const [only, ...others] = failing.values()
  if (only !== undefined && others.length === 0) return only
  const reasons = [...failing].map(([server, error]) => {
    // What else went wrong is a bug of ours or of a handler: its text may hold anything.
    const told = error instanceof TransportError || error instanceof RpcError
    return told ? `${server}: ${error.message}` : server
  })
  return new TransportError('ERR_CONNECT', `None of the servers answers. ${reasons.join('; ')}`)
}

async function* failed(error: unknown): Exchange {
  throw error
}
