/** Values that a person is asked for, as VS Code declares them beside its servers: read, and declared where servers that refer to them are written. */

import type { Client } from './client.js'
import { equalValues } from './edit-config.js'
import type { Note } from './entry-writer.js'
import { inputsOf, variableOfInput } from './resolve.js'
import type { UnresolvedEntry } from './server-entry.js'
import {
  nodeAt,
  type PlainObject,
  type PlainValue,
  type ServersPlace,
  type SourceNode,
  type Syntax,
  toPlain,
} from './source.js'

/** A value that a person is asked for. */
export interface ConfigInput {
  readonly id: string
  readonly description: string
  readonly secret: boolean
  readonly fallback?: string
  /** Where it is one of these. */
  readonly choices?: readonly string[]
  /** As it stands in the file, with what is not known here. */
  readonly declared?: PlainObject
}

/** Those beside the servers, and those at the root, where older files of VS Code have servers deeper down. */
export function readInputs(root: SourceNode | undefined, place: ServersPlace | undefined): ConfigInput[] {
  const found = new Map<string, ConfigInput>()
  for (const path of [pathOfInputs(place), ['inputs']]) {
    const list = nodeAt(root, path)
    if (list?.kind !== 'list') continue
    for (const item of list.items) {
      const input = readInput(item)
      if (input !== undefined && !found.has(input.id)) found.set(input.id, input)
    }
  }
  return [...found.values()]
}

export interface Declaring {
  readonly text: string
  readonly notes: readonly Note[]
}

/**
 * The text with all inputs declared that the entries refer to, as `known` has them; those that it has already stay as they are. All around
 * them stays as it is. Throws `SyntaxProblem` for a text that has something else in their place.
 */
export function declareInputs(
  text: string,
  syntax: Syntax,
  client: Client,
  place: ServersPlace,
  entries: readonly UnresolvedEntry[],
  known: readonly ConfigInput[],
): Declaring {
  const notes: Note[] = []
  if (!client.inputs) return { text, notes }
  const declared = new Map(
    readInputs(syntax.parse(text), place).map(input => [input.id, declarationOf(input)] as const),
  )
  let after = text
  for (const entry of entries) {
    for (const id of inputsOf([entry])) {
      const input = known.find(candidate => candidate.id === id)
      const before = declared.get(id)
      const value = declarationOf(input ?? { id, description: id, secret: true })
      const note = (message: string) =>
        notes.push({ server: entry.name, field: `inputs.${id}`, kind: 'changed', message })
      if (before !== undefined) {
        if (input !== undefined && !equalValues(before, value))
          note(`the file declares ${JSON.stringify(id)} already, as something else, and that stays`)
        continue
      }
      // What nobody has declared anyport asks for all the same.
      if (input === undefined && client.universal) continue
      after = appendInput(after, syntax, pathOfInputs(place), value)
      declared.set(id, value)
      if (input === undefined)
        note(
          `${client.title} will ask for ${JSON.stringify(id)}, which was declared nowhere, as for a password`,
        )
      else if (client.universal)
        note(
          `anyport asks for ${JSON.stringify(id)} at each start on a terminal; elsewhere the variable ${variableOfInput(id)} has to have its value`,
        )
    }
  }
  return { text: after, notes }
}

function pathOfInputs(place: ServersPlace | undefined): readonly string[] {
  return [...(place?.path.slice(0, -1) ?? []), 'inputs']
}

function readInput(item: SourceNode): ConfigInput | undefined {
  const id = textAt(item, 'id')
  if (id === undefined) return undefined
  const password = nodeAt(item, ['password'])
  const fallback = textAt(item, 'default')
  const options = nodeAt(item, ['options'])
  const choices =
    options?.kind === 'list'
      ? options.items.flatMap(option =>
          option.kind === 'scalar' ? [String(option.value)] : (textAt(option, 'value') ?? []),
        )
      : undefined
  return {
    id,
    description: textAt(item, 'description') ?? id,
    secret: password?.kind === 'scalar' && password.value === true,
    ...(fallback === undefined ? {} : { fallback }),
    ...(choices === undefined ? {} : { choices }),
    declared: toPlain(item) as PlainObject,
  }
}

function declarationOf({ id, description, secret, fallback, choices, declared }: ConfigInput): PlainObject {
  return (
    declared ?? {
      type: choices === undefined ? 'promptString' : 'pickString',
      id,
      description,
      ...(choices === undefined ? {} : { options: choices }),
      ...(fallback === undefined ? {} : { default: fallback }),
      ...(secret ? { password: true } : {}),
    }
  )
}

/** Puts it behind the others. A last look before anything is written: nothing else has changed. */
function appendInput(text: string, syntax: Syntax, path: readonly string[], value: PlainObject): string {
  const after = syntax.append(text, path, value)
  const plain = (source: string) => {
    const root = syntax.parse(source)
    return root === undefined ? {} : toPlain(root)
  }
  if (!equalValues(withItem(plain(text), path, value), plain(after)))
    throw new Error('The edit would have changed more than its input; nothing was written')
  return after
}

function withItem(root: PlainValue, path: readonly string[], item: PlainObject): PlainValue {
  const [key, ...rest] = path
  if (key === undefined) return [...(Array.isArray(root) ? root : []), item]
  const entries =
    typeof root === 'object' && root !== null && !Array.isArray(root) ? Object.entries(root) : []
  const inner = entries.find(([name]) => name === key)?.[1]
  return Object.fromEntries([
    ...entries.filter(([name]) => name !== key),
    [key, withItem(inner ?? (rest.length === 0 ? [] : {}), rest, item)],
  ])
}

function textAt(node: SourceNode, key: string): string | undefined {
  const value = nodeAt(node, [key])
  return value?.kind === 'scalar' && typeof value.value === 'string' ? value.value : undefined
}
