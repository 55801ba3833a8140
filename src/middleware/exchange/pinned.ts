/** What a server lists is compared with what somebody has accepted of it, and looked at for what is odd. */

import type { Context } from '../../exchange/context.js'
import { orCancelled } from '../../exchange/deadline.js'
import type { Exchange, Handler, Middleware } from '../../exchange/exchange.js'
import { printable } from '../../exchange/printable.js'
import { refusing } from '../../exchange/refusing.js'
import { whileWaiting } from '../../exchange/while-waiting.js'
import { INVALID_PARAMS, RpcError } from '../../protocol/errors.js'
import type { JSONObject, JSONRPCRequest, JSONRPCResponse } from '../../protocol/message.js'
import { isObject } from '../../protocol/meta.js'
import { METHOD_DISCOVER, METHOD_LISTEN } from '../../protocol/methods.js'
import { withResultKey } from '../../protocol/raw-json.js'
import { noteRefusal } from './call-record.js'
import { type FlaggedEvent, flagging } from './definitions/flagging.js'
import { flagsWithin, type LookingLimit, limitOfList } from './definitions/flags.js'
import { type DefinitionKind, kindOfList, LISTS, type ListedKind, SINGULAR } from './definitions/kinds.js'
import {
  Answered,
  type Listed,
  type ListedDefinitions,
  listedDefinitions,
  sharesDefinitions,
} from './definitions/listed-definitions.js'
import { ListensToPins } from './definitions/listens-to-pins.js'
import { type CompiledPins, compilePins, nameOfDefinition, type ServerPins } from './definitions/pins.js'
import { targetKindOf, targetOf } from './target-of.js'

/** `off`: only what is odd is told; `warn`: what differs as well; `strict`: what differs is not there. */
export type PinMode = 'off' | 'warn' | 'strict'

export interface PinnedOptions {
  /** What was accepted of the server; nothing of it where this is missing. */
  readonly pins?: ServerPins | PinSource | undefined
  /** Default `warn`. */
  readonly mode?: PinMode | undefined
  /** What differs and what is odd, once for each definition. */
  readonly onEvent?: ((event: DefinitionEvent) => void) | undefined
}

/** Accepted definitions that may become others while a server is served. */
export interface PinSource {
  current(): ServerPins | undefined
  /** Calls back when they are others: those who listen are told that the lists have changed. Returns how to stop. */
  onChange(listener: () => void): () => void
}

export type DefinitionEvent =
  /** A definition is not as it was accepted. `blocked`: it is neither listed nor called. */
  | {
      readonly type: 'definition-differs'
      readonly how: 'changed' | 'added' | 'duplicate'
      readonly kind: DefinitionKind
      readonly name: string
      /** Paths of the members that are others, for one that has changed. */
      readonly members: readonly string[]
      readonly blocked: boolean
    }
  /** Nothing was accepted of the server. */
  | { readonly type: 'server-not-pinned'; readonly blocked: boolean }
  | FlaggedEvent

/**
 * Goes around one server, where names are its own. With `strict`, a tool or prompt is called only if the server lists it as it was
 * accepted: where the list that is known is older than 30 seconds, or the server said that it has changed, it is
 * asked for first. Resources that no list names are not compared. Lists that stand in for a server which is not up yet say nothing
 * about it: `serve` with `strictStart`.
 */
export function pinned(options: PinnedOptions = {}): Middleware {
  const { mode = 'warn' } = options
  if (!['off', 'warn', 'strict'].includes(mode))
    throw new TypeError(`mode: expected "off", "warn" or "strict", got ${JSON.stringify(mode)}`)
  if (mode === 'off') return next => flagging(next, options.onEvent ?? (() => {}))
  return next => {
    const { handler: inner, definitions } = listedDefinitions(next)
    const guard = new PinGuard(inner, definitions, mode, options)
    return sharesDefinitions(guard.handler, definitions)
  }
}

/** What is wrong with a definition; undefined for nothing. */
type Wrong = 'changed' | 'added' | 'duplicate'

class PinGuard {
  readonly #inner: Handler
  readonly #definitions: ListedDefinitions
  readonly #mode: 'warn' | 'strict'
  readonly #options: PinnedOptions
  readonly #changes: PinSource['onChange'] | undefined
  #source: ServerPins | undefined
  #compiled: CompiledPins | undefined
  #verdicts = new WeakMap<JSONObject, Wrong | 'accepted'>()
  readonly #looked = new WeakSet<JSONObject>()
  readonly #told = new Set<string>()

  constructor(
    inner: Handler,
    definitions: ListedDefinitions,
    mode: 'warn' | 'strict',
    options: PinnedOptions,
  ) {
    this.#inner = inner
    this.#definitions = definitions
    this.#mode = mode
    this.#options = options
    const { pins } = options
    this.#changes = isSource(pins) ? listener => pins.onChange(listener) : undefined
  }

  readonly handler: Handler = (request, context) => {
    const { method } = request
    const listed = kindOfList(method)
    if (listed !== undefined)
      return new Answered(this.#inner(request, context), (read, response) =>
        this.#onList(listed, request, context, read(), response),
      )
    if (method === METHOD_DISCOVER)
      return new Answered(this.#inner(request, context), (read, response) =>
        this.#onDiscovered(read(), response),
      )
    if (this.#mode !== 'strict') return this.#inner(request, context)
    if (method === METHOD_LISTEN && this.#changes !== undefined)
      return new ListensToPins(this.#inner(request, context), request.id, this.#changes)
    const kind = targetKindOf(request)
    const name = targetOf(request)
    if (kind === undefined || name === undefined || !this.#covers(kind)) return this.#inner(request, context)
    const known = this.#definitions.known(kind, name, request, context)
    if (known === undefined) return this.#later(kind, name, request, context)
    return this.#mayCall(known.listed, kind) ? this.#inner(request, context) : refuse(kind, name, context)
  }

  async *#later(kind: ListedKind, name: string, request: JSONRPCRequest, context: Context): Exchange {
    const finding = this.#definitions.find(kind, name, request, context)
    const found = yield* whileWaiting(orCancelled(finding, context), request)
    if (!this.#mayCall(found, kind)) return yield* refuse(kind, name, context)
    return yield* this.#inner(request, context)
  }

  #mayCall(found: Listed | undefined, kind: ListedKind): boolean {
    // A resource that no list names may be one of a template, or one that a result has pointed to.
    if (found === undefined) return kind === 'resources'
    return this.#wrongWith(kind, found.definition, found.duplicate) === undefined
  }

  #onList(
    kind: ListedKind,
    request: JSONRPCRequest,
    context: Context,
    result: JSONObject,
    response: JSONRPCResponse,
  ): JSONRPCResponse | undefined {
    const { field, key } = LISTS[kind]
    const entries = result[field]
    if (!Array.isArray(entries)) return undefined
    const limit = limitOfList()
    const kept = entries.filter(entry => {
      const name = isObject(entry) ? entry[key] : undefined
      // What has no name was never accepted.
      if (!isObject(entry) || typeof name !== 'string') return this.#mode !== 'strict'
      const definition = this.#definitions.shared(entry)
      const duplicate = this.#definitions.entry(kind, name, request, context)?.duplicate === true
      const wrong = this.#wrongWith(kind, definition, duplicate, limit)
      return wrong === undefined || this.#mode !== 'strict'
    })
    return kept.length === entries.length ? undefined : withField(response, field, kept)
  }

  #onDiscovered({ instructions }: JSONObject, response: JSONRPCResponse): JSONRPCResponse | undefined {
    if (typeof instructions !== 'string' || instructions === '') return undefined
    const definition = this.#definitions.shared({ instructions })
    const wrong = this.#wrongWith('instructions', definition, false)
    if (wrong === undefined || this.#mode !== 'strict') return undefined
    return withField(response, 'instructions', undefined)
  }

  /** Tells, too, of what is new. */
  #wrongWith(
    kind: DefinitionKind,
    definition: JSONObject,
    duplicate: boolean,
    limit: LookingLimit = limitOfList(),
  ): Wrong | undefined {
    const name = nameOfDefinition(kind, definition) ?? ''
    if (!this.#looked.has(definition)) {
      this.#looked.add(definition)
      const flags = flagsWithin(definition, limit)
      if (flags.length > 0) this.#options.onEvent?.({ type: 'definition-flagged', kind, name, flags })
    }
    const pins = this.#pins()
    const blocked = this.#mode === 'strict'
    if (pins === undefined) {
      if (this.#isNew('server')) this.#options.onEvent?.({ type: 'server-not-pinned', blocked })
      return 'added'
    }
    if (!pins.covers(kind)) return undefined
    if (duplicate) {
      if (this.#isNew(`${kind} ${name}`))
        this.#options.onEvent?.({
          type: 'definition-differs',
          how: 'duplicate',
          kind,
          name,
          members: [],
          blocked,
        })
      return 'duplicate'
    }
    const known = this.#verdicts.get(definition)
    if (known !== undefined) return known === 'accepted' ? undefined : known
    const verdict = pins.verdict(kind, definition)
    this.#verdicts.set(definition, verdict.is)
    if (verdict.is === 'accepted') return undefined
    const members = verdict.is === 'changed' ? verdict.differences.map(({ path }) => path) : []
    this.#options.onEvent?.({ type: 'definition-differs', how: verdict.is, kind, name, members, blocked })
    return verdict.is
  }

  #covers(kind: ListedKind): boolean {
    return this.#pins()?.covers(kind) ?? true
  }

  #pins(): CompiledPins | undefined {
    const { pins } = this.#options
    const source = isSource(pins) ? pins.current() : pins
    if (source !== this.#source) {
      this.#source = source
      this.#compiled = source === undefined ? undefined : compilePins(source)
      this.#verdicts = new WeakMap()
      this.#told.clear()
    }
    return this.#compiled
  }

  #isNew(key: string): boolean {
    return this.#told.size < MAX_TOLD && this.#told.size < this.#told.add(key).size
  }
}

/** Duplicates that are told of. */
const MAX_TOLD = 10_000

function refuse(kind: ListedKind, name: string, context: Context): Exchange {
  noteRefusal(context, 'pin')
  const shown = printable(name.slice(0, 256))
  return refusing(
    new RpcError(
      INVALID_PARAMS,
      `Unknown ${SINGULAR[kind]}: ${shown} (what the server lists under this name was not accepted: see "anyport pin --check", and accept it with "anyport pin --accept")`,
      { option: '--pin', ...(kind === 'resources' ? { uri: name } : {}) },
    ),
  )
}

function withField(response: JSONRPCResponse, field: string, value: unknown): JSONRPCResponse {
  return 'error' in response
    ? response
    : { ...response, result: withResultKey(response.result, field, value) }
}

function isSource(pins: PinnedOptions['pins']): pins is PinSource {
  return pins !== undefined && 'current' in pins
}
