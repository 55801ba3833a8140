/** The arguments of tool calls against the schema that the server lists with the tool. */

import type { Context } from '../../exchange/context.js'
import { orCancelled } from '../../exchange/deadline.js'
import type { Exchange, Handler, Middleware } from '../../exchange/exchange.js'
import { printable } from '../../exchange/printable.js'
import { whileWaiting } from '../../exchange/while-waiting.js'
import { type JSONObject, type JSONRPCRequest, resultResponse } from '../../protocol/message.js'
import { METHOD_CALL_TOOL } from '../../protocol/methods.js'
import { noteRefusal } from './call-record.js'
import {
  type Listed,
  type ListedDefinitions,
  listedDefinitions,
  sharesDefinitions,
} from './definitions/listed-definitions.js'
import { type CompiledSchema, compileSchema, type Mismatch } from './schema/schema-check.js'
import { UnusableSchema } from './schema/schema-index.js'
import { targetOf } from './target-of.js'

export interface ValidateArgumentsOptions {
  /** What is not checked, once for each schema. */
  readonly onEvent?: ((event: SchemaEvent) => void) | undefined
}

export type SchemaEvent =
  /** The schema of a tool cannot be used, so that its arguments are not checked. */
  | { readonly type: 'schema-unusable'; readonly tool: string; readonly why: string }
  /** Patterns in it that are not checked, since they look around or back, are too long, or are none. */
  | { readonly type: 'patterns-unchecked'; readonly tool: string; readonly patterns: readonly string[] }
  /** The list of tools cannot be had, so that arguments are not checked. */
  | { readonly type: 'schemas-unknown'; readonly error: Error }

/**
 * Goes around one server. Where a tool is not listed, or its schema cannot be used, the server gets the call as it is: it checks
 * for itself, or ought to. Formats are not checked.
 */
export function validateArguments({ onEvent }: ValidateArgumentsOptions = {}): Middleware {
  return next => {
    const { handler: inner, definitions } = listedDefinitions(next)
    const { handler } = new ArgumentGuard(inner, definitions, onEvent ?? (() => {}))
    return sharesDefinitions(handler, definitions)
  }
}

class ArgumentGuard {
  readonly #inner: Handler
  readonly #definitions: ListedDefinitions
  readonly #tell: (event: SchemaEvent) => void
  /** By definition, which is the same object for all who were shown it. */
  readonly #schemas = new WeakMap<JSONObject, CompiledSchema | false>()
  #isUnknown = false

  constructor(inner: Handler, definitions: ListedDefinitions, tell: (event: SchemaEvent) => void) {
    this.#inner = inner
    this.#definitions = definitions
    this.#tell = tell
  }

  readonly handler: Handler = (request, context) => {
    const name = request.method === METHOD_CALL_TOOL ? targetOf(request) : undefined
    if (name === undefined) return this.#inner(request, context)
    const known = this.#definitions.known('tools', name, request, context)
    if (known === undefined) return this.#later(name, request, context)
    return this.#check(known.listed, name, request, context) ?? this.#inner(request, context)
  }

  async *#later(name: string, request: JSONRPCRequest, context: Context): Exchange {
    const known = this.#definitions.find('tools', name, request, context).then(
      found => {
        this.#isUnknown = false
        return found
      },
      (error: unknown) => {
        if (!this.#isUnknown)
          this.#tell({
            type: 'schemas-unknown',
            error: error instanceof Error ? error : new Error(String(error)),
          })
        this.#isUnknown = true
        return undefined
      },
    )
    const found = yield* whileWaiting(orCancelled(known, context), request)
    return yield* this.#check(found, name, request, context) ?? this.#inner(request, context)
  }

  /** The refusal, where it is one. */
  #check(
    found: Listed | undefined,
    name: string,
    request: JSONRPCRequest,
    context: Context,
  ): Exchange | undefined {
    const schema = found === undefined ? undefined : this.#schemaOf(found.definition, name)
    if (schema === undefined) return undefined
    const mismatches = schema.check(request.params?.arguments ?? {})
    if (mismatches?.length === 0) return undefined
    noteRefusal(context, 'arguments')
    return wrongArguments(request, name, mismatches)
  }

  #schemaOf(definition: JSONObject, name: string): CompiledSchema | undefined {
    const known = this.#schemas.get(definition)
    if (known !== undefined) return known === false ? undefined : known
    const { inputSchema } = definition
    if (inputSchema === undefined) return undefined
    const tool = printable(name.slice(0, 256))
    try {
      const compiled = compileSchema(inputSchema)
      this.#schemas.set(definition, compiled)
      const { unchecked: patterns } = compiled
      if (patterns.length > 0) this.#tell({ type: 'patterns-unchecked', tool, patterns })
      return compiled
    } catch (error) {
      this.#schemas.set(definition, false)
      const why = error instanceof UnusableSchema ? error.message : 'it is nested too deep, or broken'
      this.#tell({ type: 'schema-unusable', tool, why })
      return undefined
    }
  }
}

/**
 * A result rather than an error, so that models see it and try again (2026-07-28 server/tools, "Error Handling"). It
 * says what the schema asks for, and never what was given.
 */
async function* wrongArguments(
  request: JSONRPCRequest,
  name: string,
  mismatches: readonly Mismatch[] | undefined,
): Exchange {
  const tool = printable(name.slice(0, 256))
  const lines =
    mismatches === undefined
      ? ['they are too many or too deep to be checked']
      : mismatches.map(({ path, expected }) => `${path === '' ? 'arguments' : path}: ${expected}`)
  const text = printable(`The arguments do not fit the tool ${tool}. ${lines.join('; ')}`)
  return resultResponse(request.id, {
    resultType: 'complete',
    content: [{ type: 'text', text }],
    isError: true,
  })
}
