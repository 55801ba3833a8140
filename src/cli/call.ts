/** The command `anyport call`. */

import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import type { ServerClient } from '../client/server-client.js'
import { nearest } from '../config/nearest.js'
import { printable } from '../exchange/printable.js'
import { compileSchema } from '../middleware/exchange/schema/schema-check.js'
import { UnusableSchema } from '../middleware/exchange/schema/schema-index.js'
import { createLog, type Log } from '../node/log.js'
import type { JSONObject, Result } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import { type OptionValues, parseArguments, UsageError } from './arguments.js'
import { askInput } from './ask-input.js'
import { noticeOf } from './call-notices.js'
import { CALL_OPTIONS } from './call-options.js'
import { printOut, textOfParts } from './call-output.js'
import { callQuestions } from './call-questions.js'
import { promptParts, type ResultPart, resourceParts, toolParts } from './call-result.js'
import { calledArguments, calledServer, namesServer } from './called-server.js'
import { codeOfFailure, type Interruption, interruption } from './ending.js'
import { promptSignature, toolSignature } from './signature.js'
import { isAssignment, typedArguments } from './typed-arguments.js'

type Options = OptionValues<typeof CALL_OPTIONS>

/** 0: done; 1: the tool or the server reports an error; 2: wrong use, or it cannot be reached; 130: interrupted. */
export async function callCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseArguments(CALL_OPTIONS, argv)
  const { options } = parsed
  const { called, words } = calledArguments(parsed)
  const wish = wishOf(options, words)
  if (!namesServer(called))
    throw new UsageError(
      'Which server? Write: anyport call URL TOOL, or anyport call TOOL -- COMMAND [ARGS...]',
    )
  const base = await baseOf(options)
  const log = createLog({ level: options['log-level'], format: options['log-format'] })
  const interrupted = interruption()
  const say = (line: string) => process.stderr.write(`${line}\n`)
  const questions = callQuestions({
    server: () => server.name,
    answers: options.answer,
    roots: options.root.map(folder => resolve(folder)),
    // stdin may be the arguments.
    ask:
      options.args === '-' || !process.stdin.isTTY || !process.stderr.isTTY
        ? undefined
        : (input, signal) => askInput(input, { signal, onInterrupt: interrupted.interrupt }),
    open: async address => {
      if (options['no-browser']) return false
      return await (await import('../node/oauth/open-browser.js')).openBrowser(address)
    },
    say,
  })
  const server = await calledServer(called, log, {
    questions,
    ...(options.logs === 'off' || options.quiet ? {} : { logLevel: options.logs }),
  })
  try {
    const { result, parts } = await perform(server.client, wish, base, options, log, interrupted)
    const isTerminal = process.stdout.isTTY === true
    await printOut(
      options.json
        ? `${JSON.stringify(result, undefined, 2)}\n`
        : textOfParts(parts, { folder: options.output, isTerminal }),
    )
    return result.isError === true ? 1 : 0
  } catch (error) {
    return interrupted.code() ?? codeOfFailure(error)
  } finally {
    await server.close()
    interrupted.release()
    await log.flush()
  }
}

/** What is called, and the words that follow. */
type Wish =
  | { readonly kind: 'tool' | 'prompt'; readonly name: string; readonly words: readonly string[] }
  | { readonly kind: 'resource'; readonly name: string }

function wishOf({ prompt, resource, args }: Options, words: readonly string[]): Wish {
  if (prompt !== undefined && resource !== undefined)
    throw new UsageError('Either --prompt or --resource: one thing is called at a time')
  if (resource !== undefined) {
    if (words.length > 0 || args !== undefined)
      throw new UsageError(`--resource takes no arguments, such as ${JSON.stringify(words[0] ?? '--args')}`)
    return { kind: 'resource', name: resource }
  }
  const [name, ...others] = prompt === undefined ? words : [prompt, ...words]
  if (name === undefined || (prompt === undefined && isAssignment(name)))
    throw new UsageError(
      'Which tool? Write: anyport call URL TOOL [KEY=VALUE...]; anyport inspect lists them',
    )
  return { kind: prompt === undefined ? 'tool' : 'prompt', name, words: others }
}

interface Outcome {
  readonly result: Result
  readonly parts: readonly ResultPart[]
}

async function perform(
  client: ServerClient,
  wish: Wish,
  base: JSONObject,
  options: Options,
  log: Log,
  { signal }: Interruption,
): Promise<Outcome> {
  const calling = {
    signal,
    onNotification: options.quiet
      ? undefined
      : (notification: Parameters<typeof noticeOf>[0]) => {
          const notice = noticeOf(notification)
          if (notice !== undefined) process.stderr.write(`${notice}\n`)
        },
  }
  const { name } = wish
  if (wish.kind === 'resource') {
    const result = await client.readResource(name, calling)
    return { result, parts: resourceParts(result) }
  }
  const lenient = options['no-validate']
  const kind = wish.kind === 'tool' ? 'tools' : 'prompts'
  const definition = await definitionOf(client, kind, name, lenient, signal)
  if (wish.kind === 'tool') {
    const schema = definition?.inputSchema
    const args = argumentsFor(wish.words, schema, base, lenient, () => toolSignature(name, schema))
    if (!lenient) mustFit(name, schema, args, log)
    const result = await client.callTool(name, args, calling)
    return { result, parts: toolParts(result, name) }
  }
  const schema = definition === undefined ? {} : promptSchema(definition)
  const signature = () => promptSignature(name, definition?.arguments)
  const args = argumentsFor(wish.words, schema, base, lenient, signature)
  if (!lenient) mustFit(name, schema, args, log, signature())
  const result = await client.getPrompt(name, args as Record<string, string>, calling)
  return { result, parts: promptParts(result, name) }
}

/** Undefined where it is not listed, and that does not matter. */
async function definitionOf(
  client: ServerClient,
  kind: 'tools' | 'prompts',
  name: string,
  lenient: boolean,
  signal: AbortSignal,
): Promise<JSONObject | undefined> {
  const listed = await client.list(kind, { signal })
  const found = listed.find(each => each.name === name)
  if (found !== undefined || lenient) return found
  const names = listed.map(each => String(each.name))
  const near = nearest(name, names)
  const one = kind === 'tools' ? 'tool' : 'prompt'
  const hint =
    near !== undefined
      ? `; did you mean ${printable(near)}?`
      : names.length === 0
        ? `: it has no ${kind}`
        : `; there are ${names.slice(0, 30).map(printable).join(', ')}${names.length > 30 ? ', …' : ''}`
  throw new UsageError(`The server has no ${one} ${JSON.stringify(name)}${hint}`)
}

function argumentsFor(
  words: readonly string[],
  schema: unknown,
  base: JSONObject,
  lenient: boolean,
  signature: () => string,
): Record<string, unknown> {
  try {
    return typedArguments(words, schema, { base, lenient })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new UsageError(`${sentence(printable(error.message))} It takes: ${signature()}`)
  }
}

function sentence(text: string): string {
  return text.endsWith('?') ? text : `${text}.`
}

/** Throws `UsageError` for arguments that the server would refuse, before it is asked. */
function mustFit(
  name: string,
  schema: unknown,
  args: JSONObject,
  log: Log,
  signature = toolSignature(name, schema),
): void {
  if (schema === undefined) return
  let mismatches: ReturnType<ReturnType<typeof compileSchema>['check']>
  try {
    mismatches = compileSchema(schema).check(args)
  } catch (error) {
    const why = error instanceof UnusableSchema ? error.message : 'it is nested too deep, or broken'
    log.warn('schema_unusable', `The arguments are not checked: its schema cannot be used, since ${why}`)
    return
  }
  if (mismatches === undefined || mismatches.length === 0) return
  const lines = mismatches.map(({ path, expected }) => {
    const [, missing] = /^the member "(.*)" is missing$/.exec(expected) ?? []
    const place = [...path.split('/').slice(1), ...(missing === undefined ? [] : [missing])]
    const where = place.map(part => part.replaceAll('~1', '/').replaceAll('~0', '~')).join('.')
    return `${where === '' ? 'the arguments' : where}: ${missing === undefined ? expected : 'is missing'}`
  })
  throw new UsageError(
    `The arguments do not fit ${printable(name)}. ${printable(lines.join('; '))}. It takes: ${signature}`,
  )
}

/** Arguments of prompts are text (2026-07-28 server/prompts). */
function promptSchema({ arguments: given }: JSONObject): JSONObject {
  const known = Array.isArray(given) ? given.filter(isObject) : []
  return {
    type: 'object',
    properties: Object.fromEntries(known.map(({ name }) => [String(name), { type: 'string' }])),
    required: known.filter(({ required }) => required === true).map(({ name }) => String(name)),
    additionalProperties: false,
  }
}

const MAX_ARGUMENTS = 64 * 1024 * 1024

/** Of `--args`. Throws `UsageError`. */
async function baseOf({ args }: Options): Promise<JSONObject> {
  if (args === undefined) return {}
  const text = args === '-' || args.startsWith('@') ? await contentOf(args) : args
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UsageError(`--args: no JSON: ${printable((error as Error).message)}`)
  }
  if (!isObject(value)) throw new UsageError('--args: expected a JSON object')
  return value
}

async function contentOf(args: string): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of args === '-' ? process.stdin : createReadStream(args.slice(1))) {
      size += (chunk as Buffer).length
      if (size > MAX_ARGUMENTS) throw new UsageError(`--args: more than ${MAX_ARGUMENTS} bytes`)
      chunks.push(chunk as Buffer)
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new UsageError(`--args: ${args === '-' ? 'stdin' : args.slice(1)} cannot be read (${code})`)
  }
  return Buffer.concat(chunks).toString('utf8')
}
