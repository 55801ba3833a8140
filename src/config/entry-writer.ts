/** An entry that is being written for a client: what it holds by now, and what did not cross. */

import type { Launcher } from './bridge.js'
import { type Client, type FieldPath, type TextField, toPath } from './client.js'
import type { UnresolvedEntry } from './server-entry.js'
import type { PlainObject, PlainValue } from './source.js'
import { literalText, type Template } from './template.js'

/** What happens to a field on its way. */
export interface Note {
  readonly server: string
  /** As the canonical form names it: `timeouts.call`, `headers.Authorization`. */
  readonly field: string
  /**
   * `lost`: the client has no place for it. `changed`: it means a little less, or more, there. `bridged`: the client gets a
   * program that leads to the server. `refused`: without it the server cannot work, so that nothing is written.
   */
  readonly kind: 'lost' | 'changed' | 'bridged' | 'refused'
  /** One sentence, without values that may be secret. */
  readonly message: string
}

export interface WriteOptions {
  /** How anyport is started where an entry leads through it. Default `npx -y anyport`. */
  readonly launcher?: Launcher
}

export class EntryWriter {
  readonly notes: Note[] = []
  readonly #value = new Map<string, PlainValue>()

  constructor(
    readonly entry: UnresolvedEntry,
    readonly client: Client,
    readonly options: WriteOptions,
  ) {}

  get value(): PlainObject {
    return Object.fromEntries(this.#value)
  }

  set(key: string, value: PlainValue): void {
    this.#value.set(key, value)
  }

  get(key: string): PlainValue | undefined {
    return this.#value.get(key)
  }

  put(field: FieldPath, value: PlainValue): void {
    const [key, inner] = toPath(field)
    const before = this.#value.get(key as string)
    this.#value.set(
      key as string,
      inner === undefined ? value : { ...(isMap(before) ? before : {}), [inner]: value },
    )
  }

  /** As the client writes it; undefined where it has no word for a reference. */
  text(field: TextField, template: Template): string | undefined {
    const { variables, variableFields } = this.client
    return variableFields !== undefined && !variableFields.includes(field)
      ? literalText(template)
      : variables.write(template)
  }

  /** The text of a field without which the server cannot work. */
  must(field: TextField, name: string, template: Template): string {
    const text = this.text(field, template)
    if (text !== undefined) return text
    const { title, variables, variableFields } = this.client
    const refers = literalText(template) === undefined
    const reason = !refers
      ? `${title} would take a part of its text for a variable`
      : variables.example === undefined
        ? `${title} replaces no variables`
        : variableFields !== undefined && !variableFields.includes(field)
          ? `${title} replaces no variables in this field`
          : `${title} has no word for one of its references`
    this.note(name, 'refused', refers ? `${reason}; --resolve writes the value that it has now` : reason)
    return ''
  }

  lost(field: string, why: string): void {
    this.note(field, 'lost', `${this.client.title} has ${why}`)
  }

  note(field: string, kind: Note['kind'], message: string): void {
    this.notes.push({ server: this.entry.name, field, kind, message })
  }
}

export function isMap(value: unknown): value is PlainObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
