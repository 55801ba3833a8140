/** The fields of one entry, by the client's own names for them or by those of any other. */

import { type Client, type FieldPath, type TextField, toPath } from './client.js'
import { Fields, nameOf, type Reading, type TextAt } from './fields.js'
import type { SourceEntry, SourceMap } from './source.js'
import { literal, type Template } from './template.js'

/** What other clients call a field; each is understood everywhere. */
const SYNONYMS: Readonly<Record<FieldName, readonly FieldPath[]>> = {
  command: ['command', 'cmd'],
  args: ['args'],
  env: ['env', 'environment', 'envs'],
  cwd: ['cwd'],
  envFile: ['envFile'],
  inherit: ['inheritEnv', 'env_vars', 'env_keys'],
  url: ['url', 'httpUrl', 'serverUrl', 'uri'],
  headers: ['headers', 'http_headers', ['requestOptions', 'headers'], ['requestInit', 'headers']],
  bearerVariable: ['bearer_token_env_var'],
  headerVariables: ['env_http_headers'],
  disabled: ['disabled'],
  enabled: ['enabled'],
  allow: ['includeTools', 'enabled_tools', 'available_tools'],
  deny: ['excludeTools', 'disabledTools', 'disabled_tools'],
  approve: ['autoApprove', 'alwaysAllow'],
  description: ['description'],
}

export type FieldName =
  | 'command'
  | 'args'
  | 'env'
  | 'cwd'
  | 'envFile'
  | 'inherit'
  | 'url'
  | 'headers'
  | 'bearerVariable'
  | 'headerVariables'
  | 'disabled'
  | 'enabled'
  | 'allow'
  | 'deny'
  | 'approve'
  | 'description'

export class ServerFields extends Fields {
  constructor(
    reading: Reading,
    readonly client: Client,
    /** Of the server. */
    readonly name: string,
    /** Where the entry begins. */
    readonly keyStart: number,
    map: SourceMap,
  ) {
    super(reading, `server ${JSON.stringify(name)}`, map)
  }

  /** The field by the client's own name for it, else by that of any other, with a warning. */
  named<T>(field: FieldName, read: (path: FieldPath) => T | undefined): T | undefined {
    const own = this.client.fields[field]
    if (own !== undefined && this.has(own)) return read(own)
    for (const synonym of SYNONYMS[field]) {
      if (!this.has(synonym)) continue
      if (own !== undefined && nameOf(own) === nameOf(synonym)) continue
      if (this.#meansSomethingElse(synonym)) continue
      if (!this.client.universal) this.warnOfSynonym(synonym, own)
      return read(synonym)
    }
    return undefined
  }

  textNamed(field: FieldName): TextAt | undefined {
    return this.named(field, path => this.text(path))
  }

  /** Where a field stands, whatever it is called. */
  findNamed(field: FieldName): { readonly path: FieldPath; readonly entry: SourceEntry } | undefined {
    for (const path of [this.client.fields[field], ...SYNONYMS[field]]) {
      const entry = path === undefined ? undefined : this.find(path)
      if (path !== undefined && entry !== undefined) return { path, entry }
    }
    return undefined
  }

  template(field: TextField, { text, start }: TextAt): Template {
    const { variables, variableFields } = this.client
    if (variableFields !== undefined && !variableFields.includes(field)) return literal(text)
    return variables.read(text, this.reading.place(start))
  }

  templates(field: TextField, values: ReadonlyMap<string, TextAt> | undefined): Record<string, Template> {
    return Object.fromEntries([...(values ?? [])].map(([key, value]) => [key, this.template(field, value)]))
  }

  /** The entry as a whole cannot work. */
  fail(message: string): undefined {
    this.errorAt(this.keyStart, message)
  }

  warnOfSynonym(synonym: FieldPath, own: FieldPath | undefined): void {
    const entry = this.find(synonym)
    if (entry === undefined) return
    const { title } = this.client
    const word = JSON.stringify(nameOf(synonym))
    this.warnAt(
      entry.keyStart,
      own === undefined
        ? `${title} has no field ${word}; anyport takes it as other clients mean it`
        : `${title} does not read ${word}; it calls it ${JSON.stringify(nameOf(own))}`,
    )
  }

  /** The same word, but this client keeps something of its own under it. */
  #meansSomethingElse(synonym: FieldPath): boolean {
    const [key, ...more] = toPath(synonym)
    return more.length === 0 && (this.client.kept ?? []).includes(key as string)
  }
}

/** For messages: `"a" or "b"`. */
export function listOf(words: readonly (string | undefined)[]): string {
  return words
    .filter(word => word !== undefined && word !== '')
    .map(word => JSON.stringify(word))
    .join(' or ')
}
