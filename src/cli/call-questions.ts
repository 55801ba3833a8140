/** What a server asks during a call: answered by the command line, by the person at the terminal, or declined. */

import { basename } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Questions } from '../client/server-client.js'
import type { ConfigInput } from '../config/inputs.js'
import { printable } from '../exchange/printable.js'
import type { JSONObject } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import { alternativesOf, itemOf, membersOf, type SchemaObject, typesOf, valuesOf } from './schema-shape.js'
import { typedArguments } from './typed-arguments.js'
import { fits, typedValue } from './typed-value.js'

export interface CallQuestionsOptions {
  /** The server, as a person names it: whoever answers has to know who asks. */
  readonly server: () => string
  /** Of the command line: `KEY=VALUE`, and the bare names of actions. */
  readonly answers: readonly string[]
  /** Absolute paths of folders. */
  readonly roots: readonly string[]
  /** Undefined where nobody is there to ask. */
  readonly ask: ((input: ConfigInput, signal: AbortSignal) => Promise<string | undefined>) | undefined
  /** Opens an address for the person; resolves false where it could not. */
  readonly open: (address: URL) => Promise<boolean>
  /** Tells the person, a line each. */
  readonly say: (line: string) => void
}

type Action = 'accept' | 'decline' | 'cancel'
const ACTIONS: readonly Action[] = ['accept', 'decline', 'cancel']

/** An answer that does not fit is asked for again, so often in all. */
const MAX_TRIES = 3

export function callQuestions(options: CallQuestionsOptions): Questions {
  const { roots } = options
  return {
    elicitation: (params, signal) => elicited(params, signal, options),
    ...(roots.length === 0
      ? {}
      : { roots: async () => roots.map(path => ({ uri: pathToFileURL(path).href, name: basename(path) })) }),
  }
}

async function elicited(
  params: JSONObject,
  signal: AbortSignal,
  options: CallQuestionsOptions,
): Promise<JSONObject> {
  const { server, say } = options
  say(`${printable(server())} asks: ${shown(params.message)}`)
  return params.mode === 'url'
    ? await visited(params, signal, options)
    : await filled(params, signal, options)
}

/** Nothing is opened without a yes, and not before the address was shown (2026-07-28 client/elicitation, "User Interaction Model"). */
async function visited(
  { url }: JSONObject,
  signal: AbortSignal,
  options: CallQuestionsOptions,
): Promise<JSONObject> {
  const { ask, open, say } = options
  const address = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined
  if (address === undefined || (address.protocol !== 'https:' && address.protocol !== 'http:')) {
    say('Declined: what it wants opened is no web address')
    return { action: 'decline' }
  }
  say(`It wants a page visited at ${printable(address.host)}: ${printable(address.href)}`)
  const given = actionOf(options.answers)
  if (given === undefined && ask === undefined) {
    say('Declined: nobody is there to agree; --answer accept agrees, and opens nothing')
    return { action: 'decline' }
  }
  if (given !== undefined || ask === undefined) return { action: given ?? 'decline' }
  const action = await actionAsked('Open it?', ask, signal)
  if (action === 'accept' && !(await open(address))) say('No browser took it: open the address yourself')
  return { action }
}

async function filled(
  { requestedSchema }: JSONObject,
  signal: AbortSignal,
  options: CallQuestionsOptions,
): Promise<JSONObject> {
  const { ask, say } = options
  const schema = isObject(requestedSchema) ? requestedSchema : {}
  const { known, required } = membersOf(schema, schema)
  const { content, wrong } = answersTo(schema, known, options.answers)
  for (const why of wrong) say(why)
  const unanswered = [...known].filter(([name]) => !Object.hasOwn(content, name))
  const missing = unanswered.filter(([name]) => required.has(name))
  const isWhole = missing.length === 0 && wrong.length === 0
  const action = actionOf(options.answers)
  if (action === 'decline' || action === 'cancel') return { action }
  if (isWhole && (action === 'accept' || Object.keys(content).length > 0))
    return { action: 'accept', content }
  if (ask === undefined) {
    const hint = wrong.length > 0 ? '' : `; ${hintFor(missing.length > 0 ? missing : unanswered)}`
    say(`Declined: nobody is there to answer${hint}`)
    return { action: 'decline' }
  }
  const chosen = await actionAsked(known.size === 0 ? 'Agree?' : 'Answer it?', ask, signal)
  if (chosen !== 'accept') return { action: chosen }
  for (const [name, inner] of unanswered) {
    const value = await fieldAsked(name, inner, required.has(name), schema, ask, signal, say)
    if (value === CANCELLED) return { action: 'cancel' }
    if (value !== undefined) content[name] = value
  }
  return { action: 'accept', content }
}

/** Of the command line, as far as the form asks for it; what does not fit is not sent. */
function answersTo(
  schema: SchemaObject,
  fields: ReadonlyMap<string, unknown>,
  answers: readonly string[],
): { readonly content: Record<string, unknown>; readonly wrong: readonly string[] } {
  const content: Record<string, unknown> = {}
  const wrong: string[] = []
  for (const [name, field] of fields) {
    const words = answers.filter(answer => isFor(answer, name))
    if (words.length === 0) continue
    try {
      const value = typedArguments(words, schema)[name]
      if (fits(value, field, schema)) content[name] = value
      else wrong.push(`--answer ${printable(name)}: that does not fit`)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      wrong.push(`--answer ${printable(error.message)}`)
    }
  }
  return { content, wrong }
}

function isFor(answer: string, name: string): boolean {
  const key = name.replace(/[\\.=:]/g, '\\$&')
  return [`${name}=`, `${name}:=`, `${key}=`, `${key}:=`].some(start => answer.startsWith(start))
}

function actionOf(answers: readonly string[]): Action | undefined {
  return ACTIONS.find(action => answers.includes(action))
}

function hintFor(fields: readonly (readonly [name: string, schema: unknown])[]): string {
  if (fields.length === 0) return '--answer accept agrees'
  return `${fields.map(([name]) => `--answer ${printable(name)}=...`).join(' ')} answers`
}

const CANCELLED = Symbol('cancelled')

async function fieldAsked(
  name: string,
  field: unknown,
  isRequired: boolean,
  root: SchemaObject,
  ask: NonNullable<CallQuestionsOptions['ask']>,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<unknown> {
  const input = inputOf(name, field, isRequired, root)
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const answer = (await ask(input, signal))?.trim()
    if (answer === undefined || answer === '') {
      if (!isRequired) return undefined
      if (signal.aborted) return CANCELLED
      say(`${printable(name)} has to be answered`)
      continue
    }
    try {
      const value = typedAnswer(answer, field, root)
      if (fits(value, field, root)) return value
      say(`${printable(name)}: that does not fit`)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      say(`${printable(name)}: ${printable(error.message)}`)
    }
  }
  return CANCELLED
}

/** Lists are typed with commas; choices by what they are called. */
function typedAnswer(answer: string, field: unknown, root: SchemaObject): unknown {
  const titled = new Map(choicesOf(field, root).map(({ title, value }) => [title, value]))
  const one = (word: string, schema: unknown) => titled.get(word) ?? typedValue(word, schema, root)
  if (!isList(field, root)) return one(answer, field)
  return answer
    .split(',')
    .map(word => word.trim())
    .filter(word => word !== '')
    .map((word, index) => one(word, itemOf(field, index, root)))
}

function inputOf(name: string, field: unknown, isRequired: boolean, root: SchemaObject): ConfigInput {
  const { title, description, default: standard } = isObject(field) ? field : {}
  const words = [title ?? name, description].filter(word => typeof word === 'string' && word !== '')
  const choices = choicesOf(field, root).map(choice => printable(choice.title))
  const types = alternativesOf(field, root).flatMap(typesOf)
  const hint = isList(field, root)
    ? ['separated by commas']
    : types.includes('boolean')
      ? ['true', 'false']
      : []
  const optional = isRequired || standard !== undefined ? [] : ['may be left empty']
  const fallback = Array.isArray(standard) ? standard.join(', ') : standard
  return {
    id: name,
    description: `  ${words.map(shown).join(': ')}`,
    secret: false,
    choices: [...choices, ...hint, ...optional],
    ...(fallback === undefined || fallback === null ? {} : { fallback: printable(String(fallback)) }),
  }
}

function isList(field: unknown, root: SchemaObject): boolean {
  return alternativesOf(field, root).some(each => typesOf(each).includes('array'))
}

interface Choice {
  readonly title: string
  readonly value: unknown
}

/** As forms name them: `enum` with `enumNames`, or `oneOf` with titles; of a list, those of its items. */
function choicesOf(field: unknown, root: SchemaObject): readonly Choice[] {
  const schema = isList(field, root) ? itemOf(field, 0, root) : field
  const names = isObject(schema) && Array.isArray(schema.enumNames) ? schema.enumNames : []
  return alternativesOf(schema, root).flatMap(each =>
    (valuesOf(each) ?? []).map((value, index) => {
      const title = Object.hasOwn(each, 'const') ? each.title : names[index]
      return { title: typeof title === 'string' ? title : String(value), value }
    }),
  )
}

async function actionAsked(
  description: string,
  ask: NonNullable<CallQuestionsOptions['ask']>,
  signal: AbortSignal,
): Promise<Action> {
  const input = { id: '', description, secret: false, choices: ACTIONS, fallback: 'accept' }
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const answer = (await ask(input, signal))?.trim().toLowerCase()
    if (answer === undefined || signal.aborted) return 'cancel'
    const action = ACTIONS.find(each => answer !== '' && each.startsWith(answer))
    if (action !== undefined) return action
    if (answer === 'y' || answer === 'yes') return 'accept'
    if (answer === 'n' || answer === 'no') return 'decline'
  }
  return 'cancel'
}

function shown(text: unknown): string {
  return printable(String(text ?? ''))
}
