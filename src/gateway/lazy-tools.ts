/**
 * Three tools instead of hundreds: search, describe, call. What is not listed can be found, and called through `call_tool` or
 * under its own name.
 */

import type { Exchange } from '../exchange/exchange.js'
import { matchesGlob } from '../exchange/glob.js'
import { INVALID_PARAMS, RpcError } from '../protocol/errors.js'
import { type JSONObject, type JSONRPCRequest, type Result, resultResponse } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import type { Catalog, Listed } from './catalog.js'
import { member } from './member.js'
import { type ToolIndex, toolIndex } from './tool-search.js'

const SEARCH_TOOLS = 'search_tools'
const DESCRIBE_TOOL = 'describe_tool'
export const CALL_TOOL = 'call_tool'
export const LAZY_NAMES: ReadonlySet<string> = new Set([SEARCH_TOOLS, DESCRIBE_TOOL, CALL_TOOL])

export interface ToolBudget {
  /** Lists only the three tools, and those that match `always`. */
  readonly lazy?: boolean | undefined
  /** Lists at most so many tools; where there are more, the three among them. At least 4. */
  readonly maxTools?: number | undefined
  /** Exposed names of tools that are listed before all others, and in lazy mode too: patterns with `*` and `?`. */
  readonly always?: readonly string[] | undefined
}

/** Throws `TypeError` for a budget that cannot be kept. */
export function checkBudget({ maxTools, always = [] }: ToolBudget): void {
  if (maxTools !== undefined && (!Number.isInteger(maxTools) || maxTools < 4))
    throw new TypeError(`maxTools: expected a whole number from 4, got ${maxTools}`)
  for (const pattern of always)
    if (typeof pattern !== 'string' || pattern === '')
      throw new TypeError(`always: expected patterns such as "github__*", got ${JSON.stringify(pattern)}`)
}

export interface Shown {
  readonly tools: readonly Listed[]
  /** How many are not listed; where it is none, the three are not listed either, unless in lazy mode. */
  readonly hidden: number
}

/** Which tools are listed. Each server gets its share of a budget, in its own order. */
export function toolsWithin(tools: readonly Listed[], { lazy, maxTools, always = [] }: ToolBudget): Shown {
  const room = maxTools ?? Number.POSITIVE_INFINITY
  if (!lazy && tools.length <= room) return { tools, hidden: 0 }
  const isPinned = ({ exposed }: Listed) => always.some(pattern => matchesGlob(pattern, exposed))
  const pinned = tools.filter(isPinned)
  const candidates = lazy ? pinned : [...pinned, ...inTurn(tools.filter(tool => !isPinned(tool)))]
  const chosen = new Set(candidates.slice(0, room - LAZY_NAMES.size))
  return { tools: tools.filter(tool => chosen.has(tool)), hidden: tools.length - chosen.size }
}

/** The first of each server, then the second of each, and so on. */
function inTurn(tools: readonly Listed[]): readonly Listed[] {
  const counts = new Map<string, number>()
  return tools
    .map(tool => {
      const turn = counts.get(tool.member.name) ?? 0
      counts.set(tool.member.name, turn + 1)
      return { tool, turn }
    })
    .sort((one, other) => one.turn - other.turn)
    .map(({ tool }) => tool)
}

const DEFINITIONS: readonly (JSONObject & { readonly name: string })[] = [
  {
    name: SEARCH_TOOLS,
    title: 'Search tools',
    description:
      'Finds tools by what they do. Most tools of this server are not listed: search for what you need in a few words, then call what you found with call_tool.',
    inputSchema: {
      type: 'object',
      properties: {
        query: { type: 'string', description: 'What the tool should do, or part of its name' },
        limit: {
          type: 'integer',
          minimum: 1,
          maximum: 50,
          default: 10,
          description: 'How many to return at most',
        },
      },
      required: ['query'],
    },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  {
    name: DESCRIBE_TOOL,
    title: 'Describe a tool',
    description: 'Returns the full definition of a tool, with the schema of its arguments.',
    inputSchema: {
      type: 'object',
      properties: { name: { type: 'string', description: 'The name, as search_tools gives it' } },
      required: ['name'],
    },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  {
    name: CALL_TOOL,
    title: 'Call a tool',
    description: 'Calls any tool by its name, and returns what it returns.',
    inputSchema: {
      type: 'object',
      properties: {
        name: { type: 'string', description: 'The name, as search_tools gives it' },
        arguments: {
          type: 'object',
          description: 'Its arguments, by its own schema (describe_tool shows it)',
        },
      },
      required: ['name'],
    },
  },
]

/** What is nobody's but the gateway's. */
const OURSELVES = member('anyport', { handler: unanswerable }, () => true)

/** The three are answered before anything is routed. */
async function* unanswerable(): Exchange {
  throw new TypeError('The gateway is none of its own servers')
}

/** The three tools as entries of a list. */
export const LAZY_TOOLS: readonly Listed[] = DEFINITIONS.map(entry => {
  const { name } = entry
  return { member: OURSELVES, name, exposed: name, entry }
})

/** Answers `search_tools` and `describe_tool`. Throws `RpcError` INVALID_PARAMS for arguments that cannot be. */
export function answerLazily(request: JSONRPCRequest, catalog: Catalog) {
  const given = argumentsOf(request)
  const result = request.params?.name === SEARCH_TOOLS ? found(given, catalog) : definition(given, catalog)
  return resultResponse(request.id, result)
}

/** The call that a `call_tool` asks for. */
export function calledLazily(request: JSONRPCRequest): JSONRPCRequest {
  const given = argumentsOf(request)
  const name = text(given, 'name')
  if (LAZY_NAMES.has(name))
    throw new RpcError(INVALID_PARAMS, `${CALL_TOOL} cannot call ${name}: call it directly`)
  const own = given.arguments ?? {}
  if (!isObject(own)) throw new RpcError(INVALID_PARAMS, 'arguments.arguments: expected an object')
  return { ...request, params: { ...request.params, name, arguments: own } }
}

function found(given: JSONObject, catalog: Catalog): Result {
  const limit = given.limit ?? 10
  if (!Number.isInteger(limit) || (limit as number) < 1 || (limit as number) > 50)
    throw new RpcError(INVALID_PARAMS, 'arguments.limit: expected a whole number from 1 to 50')
  const tools = indexOf(catalog)
    .search(text(given, 'query'), limit as number)
    .map(({ exposed, server, entry }) => ({
      name: exposed,
      server,
      description: firstOf(entry.description),
      arguments: signatureOf(entry.inputSchema),
    }))
  const words = tools.map(
    tool => `${tool.name}(${tool.arguments})${tool.description === '' ? '' : `: ${tool.description}`}`,
  )
  return {
    resultType: 'complete',
    content: [
      { type: 'text', text: words.length > 0 ? words.join('\n') : 'No tool has any of these words.' },
    ],
    structuredContent: { tools, total: catalog.listed.length },
  }
}

function definition(given: JSONObject, catalog: Catalog): Result {
  const name = text(given, 'name')
  const tool = catalog.listed.find(({ exposed }) => exposed === name)
  if (tool === undefined) throw new RpcError(INVALID_PARAMS, `Unknown tool: ${name}`)
  return {
    resultType: 'complete',
    content: [{ type: 'text', text: JSON.stringify(tool.entry, null, 2) }],
    structuredContent: { tool: tool.entry },
  }
}

type Found = Listed & { readonly server: string }

function indexOf(catalog: Catalog): ToolIndex<Found> {
  let index = indexes.get(catalog)
  if (index === undefined) {
    index = toolIndex(catalog.listed.map(listed => ({ ...listed, server: listed.member.name })))
    indexes.set(catalog, index)
  }
  return index
}

const indexes = new WeakMap<Catalog, ToolIndex<Found>>()

function argumentsOf(request: JSONRPCRequest): JSONObject {
  const given = request.params?.arguments ?? {}
  if (!isObject(given)) throw new RpcError(INVALID_PARAMS, 'params.arguments: expected an object')
  return given
}

function text(given: JSONObject, key: string): string {
  const value = given[key]
  if (typeof value === 'string' && value.trim() !== '') return value
  throw new RpcError(INVALID_PARAMS, `arguments.${key}: expected some text`)
}

/** The first paragraph, in so many characters. */
function firstOf(description: unknown): string {
  if (typeof description !== 'string') return ''
  const [paragraph = ''] = description.trim().split(/\n\s*\n/)
  const line = paragraph.replace(/\s+/g, ' ')
  return line.length <= MAX_DESCRIPTION ? line : `${line.slice(0, MAX_DESCRIPTION - 3)}...`
}

const MAX_DESCRIPTION = 200

/** `path: string, depth?: integer`. */
function signatureOf(schema: unknown): string {
  if (!isObject(schema) || !isObject(schema.properties)) return ''
  const required = Array.isArray(schema.required) ? schema.required : []
  return Object.entries(schema.properties)
    .map(([name, property]) => {
      const type = isObject(property) && typeof property.type === 'string' ? `: ${property.type}` : ''
      return `${name}${required.includes(name) ? '' : '?'}${type}`
    })
    .join(', ')
}
