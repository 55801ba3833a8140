/** Reads one entry as a client writes it. What another client would have written is understood as well, with a warning. */

import { bridgedServer } from './bridge.js'
import type { Client, ClientFields, FieldPath, TextField } from './client.js'
import { toPath } from './client.js'
import { describe, Fields, nameOf, type Reading, type TextAt } from './fields.js'
import { nearest } from './nearest.js'
import type {
  RemoteServer,
  RemoteTransport,
  ServerEntry,
  ServerTimeouts,
  SignIn,
  StdioServer,
  ToolFilter,
  UnresolvedEntry,
} from './server-entry.js'
import { readServerSettings } from './settings.js'
import type { SourceEntry } from './source.js'
import { literal, type Template, toTemplate } from './template.js'
import { parseDuration } from './units.js'

/** Undefined for an entry that has an error, which the reading then knows, and for one that is no MCP server. */
export function readServer(
  reading: Reading,
  client: Client,
  name: string,
  entry: SourceEntry,
): UnresolvedEntry | undefined {
  const owner = `server ${JSON.stringify(name)}`
  const errors = reading.problems.length
  const nameProblem = problemOfName(name)
  if (nameProblem !== undefined) reading.error(entry.keyStart, `${owner}: ${nameProblem}`)
  if (entry.node.kind !== 'map') {
    reading.error(entry.node.start, `${owner} must be a map; found ${describe(entry.node)}`)
    return undefined
  }
  const fields = new Fields(reading, owner, entry.node)
  if (isForeignKind(client, fields)) return undefined
  const server = new ServerReader(client, name, fields, entry).read()
  const failed = reading.problems.slice(errors).some(({ severity }) => severity === 'error')
  if (failed || server === undefined) return undefined
  return { name, ...server, at: reading.place(entry.keyStart) }
}

/** Why a server cannot have this name; undefined where it can. */
export function problemOfName(name: string): string | undefined {
  if (name.trim() === '') return 'its name is empty'
  if (name.length > 128) return `its name has ${name.length} characters, of 128 at most`
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\u0000-\u001F\u007F\u2028\u2029\uFFFE\uFFFF]|\p{Cs}/u.test(name))
    return 'its name holds a control character'
  return name === '__proto__' ? 'no server can be named so' : undefined
}

/** What other clients call a field; each is understood everywhere. */
const SYNONYMS: Readonly<Record<Synonym, readonly FieldPath[]>> = {
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

type Synonym =
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

/** Words that mean the same as one of ours, whatever their case and their `-` and `_`. */
const TYPES: Readonly<Record<string, 'stdio' | RemoteTransport>> = {
  stdio: 'stdio',
  local: 'stdio',
  http: 'streamable-http',
  streamablehttp: 'streamable-http',
  streamable: 'streamable-http',
  sse: 'sse',
  remote: 'auto',
  auto: 'auto',
  modern: 'modern',
}

const HTTP_ADDRESS = /^(?:https?|http\+unix):$/

class ServerReader {
  readonly #reading: Reading
  readonly #known: ClientFields

  constructor(
    private readonly client: Client,
    private readonly name: string,
    private readonly fields: Fields,
    private readonly entry: SourceEntry,
  ) {
    this.#reading = fields.reading
    this.#known = client.fields
  }

  read(): Omit<ServerEntry<Template>, 'name' | 'at'> | undefined {
    const server = this.#server()
    const description = this.#field('description', field => this.fields.text(field)?.text)
    const disabled = this.#field('disabled', field => this.fields.flag(field))
    const enabled = this.#field('enabled', field => this.fields.flag(field))
    const timeouts = this.#timeouts()
    const tools = this.#tools()
    const settings = this.#settings()
    const extras = this.#extras()
    if (server === undefined) return undefined
    return {
      server,
      ...(description === undefined ? {} : { description }),
      ...(disabled === true || enabled === false ? { disabled: true } : {}),
      ...(timeouts === undefined ? {} : { timeouts }),
      ...(tools === undefined ? {} : { tools }),
      ...(settings === undefined || Object.keys(settings).length === 0 ? {} : { settings }),
      ...(extras === undefined ? {} : { extras: { client: this.client.id, fields: extras } }),
    }
  }

  #server(): StdioServer<Template> | RemoteServer<Template> | undefined {
    this.#nestedTransport()
    const type = this.#type()
    const stdio = this.#stdio()
    const remote = this.#remote(type)
    if (stdio === undefined && remote !== undefined)
      this.#warnOfIdle('address', ['args', 'env', 'cwd', 'envFile', 'inherit'])
    if (stdio !== undefined && remote === undefined) {
      this.#warnOfIdle('command', ['headers', 'bearerVariable', 'headerVariables'])
    }
    if (stdio !== undefined && remote !== undefined) {
      return this.#fail('it has a command and an address; it can have one of them only')
    }
    if (stdio === undefined && remote === undefined) {
      const { command, url } = this.#known
      return this.#fail(`it needs ${url === undefined ? command : `${command} or ${url}`}`)
    }
    if (type === 'stdio' && remote !== undefined)
      return this.#fail('its type is that of a program, but it has an address')
    if (type !== undefined && type !== 'stdio' && stdio !== undefined) {
      return this.#fail('its type is that of a server elsewhere, but it has a command')
    }
    return remote ?? (stdio && (bridgedServer(stdio) ?? stdio))
  }

  /** Fields of programs beside an address, and the reverse: nobody reads them. */
  #warnOfIdle(beside: string, names: readonly Synonym[]): void {
    for (const name of names) {
      const field = [this.#known[name], ...SYNONYMS[name]].find(
        path => path !== undefined && this.fields.has(path),
      )
      const entry = field === undefined ? undefined : this.fields.find(field)
      if (field === undefined || entry === undefined || isEmptyNode(entry)) continue
      this.#reading.warn(
        entry.keyStart,
        `${this.fields.owner}: ${JSON.stringify(nameOf(field))} means nothing beside ${beside === 'address' ? 'an address' : 'a command'}`,
      )
    }
  }

  #fail(message: string): undefined {
    this.#reading.error(this.entry.keyStart, `${this.fields.owner}: ${message}`)
  }

  /** A map under `transport`, as Cline's command writes it, is read as if its fields stood beside it. */
  #nestedTransport(): void {
    const nested = this.fields.find('transport')
    if (nested?.node.kind !== 'map') return
    this.fields.take('transport')
    const { entries } = this.fields.map
    for (const [key, inner] of nested.node.entries) {
      if (!entries.has(key)) (entries as Map<string, SourceEntry>).set(key, inner)
    }
  }

  #type(): 'stdio' | RemoteTransport | undefined {
    for (const key of ['type', 'transport', 'transportType']) {
      const entry = this.fields.take(key)
      if (entry === undefined) continue
      const word = this.fields.textOf(entry, key)?.text
      if (word === undefined) return undefined
      const type = TYPES[word.toLowerCase().replace(/[-_]/g, '')]
      if (type === undefined) {
        const choices = Object.values(this.client.types).filter(text => text !== '')
        const near = nearest(word, choices)
        this.#reading.error(
          entry.node.start,
          `${this.fields.owner}: ${key} ${JSON.stringify(word)} is none that ${this.client.title} has; expected ${listOf(choices) || 'no type'}${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`,
        )
        return undefined
      }
      this.#checkTypeWord(entry, key, word, type)
      return type
    }
    return undefined
  }

  #checkTypeWord(entry: SourceEntry, key: string, word: string, type: 'stdio' | RemoteTransport): void {
    const { types, title, universal } = this.client
    if (universal) return
    if (key !== 'type') {
      const nested = this.fields.find('transport')?.node.kind === 'map'
      if (!nested)
        this.#reading.warn(
          entry.keyStart,
          `${this.fields.owner}: ${title} does not read ${key}; it calls it type`,
        )
    }
    const expected = types[type]
    const words = Object.values(types)
    if (words.includes(word) || type === 'stdio') return
    if (words.every(text => text === '')) return
    this.#reading.warn(
      entry.node.start,
      `${this.fields.owner}: ${title} does not know the type ${JSON.stringify(word)}; ${expected ? `it calls it ${JSON.stringify(expected)}` : `it knows ${listOf(words.filter(text => text !== ''))}`}`,
    )
  }

  #stdio(): StdioServer<Template> | undefined {
    const command = this.#command()
    const args = this.#field('args', field => this.fields.texts(field))
    const env = this.#field('env', field => this.fields.textMap(field))
    const cwd = this.#text('cwd')
    const envFile = this.#text('envFile')
    const inheritEnv = this.#inherit()
    if (command === undefined) return undefined
    const { texts } = command
    const [first, ...more] = texts
    if (first === undefined || first.text.trim() === '') {
      return this.#fail(`${this.#known.command} must be the name or path of a program; found an empty one`)
    }
    for (const key of env?.keys() ?? []) {
      if (key === '' || key.includes('=') || key.includes('\0'))
        this.#fail(`${JSON.stringify(key)} is no name of a variable`)
    }
    return {
      kind: 'stdio',
      command: this.#template('command', first),
      args: [...more, ...(args ?? [])].map(text => this.#template('args', text)),
      ...(cwd === undefined ? {} : { cwd: this.#template('cwd', cwd) }),
      env: this.#templates('env', env),
      ...(envFile === undefined ? {} : { envFile: this.#template('envFile', envFile) }),
      ...(inheritEnv === undefined ? {} : { inheritEnv }),
    }
  }

  #command(): { readonly texts: readonly TextAt[] } | undefined {
    return this.#field('command', field => {
      const found = this.fields.find(field)
      if (found === undefined) return undefined
      if (found.node.kind === 'list') {
        if (this.#known.args !== undefined && !this.client.universal) {
          this.#reading.warn(
            found.node.start,
            `${this.fields.owner}: ${nameOf(field)} is a list; ${this.client.title} takes a text, and arguments in ${this.#known.args}`,
          )
        }
        const texts = this.fields.texts(field)
        return texts === undefined ? undefined : { texts }
      }
      // As Zed wrote it once: { path, args, env }.
      if (found.node.kind === 'map' && found.node.entries.has('path')) {
        const { entries } = this.fields.map
        for (const [key, inner] of found.node.entries) {
          const own = key === 'path' ? 'command' : key
          if (key === 'path' || !entries.has(own)) (entries as Map<string, SourceEntry>).set(own, inner)
        }
      }
      const text = this.fields.text(field)
      return text === undefined ? undefined : { texts: [text] }
    })
  }

  #inherit(): true | readonly string[] | undefined {
    return this.#field('inherit', field => {
      const entry = this.fields.take(field)
      if (entry === undefined) return undefined
      const { node } = entry
      if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value ? true : undefined
      if (node.kind !== 'list') return this.fields.error(entry, field, 'a list of names of variables')
      const names = node.items.flatMap(item => {
        // Codex also writes { name, source }.
        const name = item.kind === 'map' ? item.entries.get('name')?.node : item
        if (name?.kind === 'scalar' && typeof name.value === 'string') return [name.value]
        return (
          this.fields.error({ keyStart: item.start, node: item }, field, 'a list of names of variables') ?? []
        )
      })
      return names.length === 0 ? undefined : names
    })
  }

  #remote(type: 'stdio' | RemoteTransport | undefined): RemoteServer<Template> | undefined {
    // The old word of Gemini CLI wins over `url`, and says which transport it is.
    const old = this.fields.has('httpUrl')
    const url = old ? this.fields.text('httpUrl') : this.#field('url', field => this.fields.text(field))
    const headers = this.#headers()
    const auth = this.#auth()
    if (url === undefined) return undefined
    if (old) this.fields.take('url')
    if (old && !this.client.universal && this.client.id !== 'gemini')
      this.#warnOfSynonym('httpUrl', this.#known.url)
    const template = this.#template('url', url)
    this.#checkAddress(url, template)
    const transport =
      type === undefined || type === 'stdio' ? (old ? 'streamable-http' : this.#bareTransport()) : type
    return {
      kind: 'remote',
      url: template,
      transport,
      headers,
      ...(auth === undefined ? {} : { auth }),
    }
  }

  /** What an address without a type means. */
  #bareTransport(): RemoteTransport {
    const { types, title } = this.client
    if (types.auto === '') return 'auto'
    if (types['streamable-http'] === '') return 'streamable-http'
    const words = [types['streamable-http'], types.sse, types.auto].filter(word => word !== undefined)
    if (words.length > 0) {
      this.#reading.warn(
        this.entry.keyStart,
        `${this.fields.owner}: ${title} needs a type beside an address: ${listOf(words)}`,
      )
    }
    return 'auto'
  }

  #checkAddress({ text, start }: TextAt, template: Template): void {
    const [first] = template
    if (template.length !== 1 || typeof first !== 'string') {
      if (template.length === 0) this.#badAddress(start, 'an empty text')
      return
    }
    if (/^(?:unix|pipe):\/\//.test(text)) return
    let protocol: string
    try {
      protocol = new URL(text).protocol
    } catch {
      return this.#badAddress(start, 'a text that is no address')
    }
    if (!HTTP_ADDRESS.test(protocol)) this.#badAddress(start, `one that begins with ${protocol}`)
  }

  #badAddress(start: number, found: string): void {
    this.#reading.error(
      start,
      `${this.fields.owner}: ${nameOf(this.#known.url ?? 'url')} must be an address such as https://example.com/mcp; found ${found}`,
    )
  }

  #headers(): Readonly<Record<string, Template>> {
    const headers = new Map<string, Template>()
    const plain = this.#field('headers', field => this.fields.textMap(field))
    for (const [name, value] of plain ?? []) {
      if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
        this.#reading.error(
          value.start,
          `${this.fields.owner}: ${JSON.stringify(name)} is no name of a header`,
        )
      } else if (['\r', '\n', '\0'].some(character => value.text.includes(character))) {
        this.#reading.error(value.start, `${this.fields.owner}: the header ${name} holds a line break`)
      }
      headers.set(name, this.#template('headers', value))
    }
    const named = this.#field('headerVariables', field => this.fields.textMap(field))
    for (const [name, { text, start }] of named ?? []) headers.set(name, this.#variable(text, start))
    const bearer = this.#field('bearerVariable', field => this.fields.text(field))
    if (bearer !== undefined) {
      headers.set('Authorization', toTemplate(['Bearer ', ...this.#variable(bearer.text, bearer.start)]))
    }
    const inline = this.fields.find('bearer_token')
    if (inline !== undefined && this.#known.bearerVariable !== undefined) {
      this.fields.take('bearer_token')
      this.#reading.error(
        inline.keyStart,
        `${this.fields.owner}: ${this.client.title} refuses bearer_token; name a variable that holds it in ${this.#known.bearerVariable}`,
      )
    }
    return Object.fromEntries(headers)
  }

  #variable(name: string, start: number): Template {
    return [{ kind: 'env', name, at: this.#reading.place(start) }]
  }

  #auth(): false | SignIn<Template> | undefined {
    const known = this.#known.auth
    if (known === undefined) return undefined
    if (known.never !== undefined) {
      const never = this.fields.find(known.never)?.node
      if (never?.kind === 'scalar' && never.value === false) {
        this.fields.take(known.never)
        return false
      }
    }
    const auth: Record<string, unknown> = {}
    for (const [key, field] of Object.entries(known.fields) as [keyof SignIn, FieldPath][]) {
      const value = this.#authField(key, field, known.scopesAsText ?? false)
      if (value !== undefined) auth[key] = value
    }
    return Object.keys(auth).length === 0 ? undefined : (auth as SignIn<Template>)
  }

  #authField(key: keyof SignIn, field: FieldPath, scopesAsText: boolean): unknown {
    switch (key) {
      case 'clientId':
      case 'clientSecret': {
        const text = this.fields.text(field)
        return text === undefined ? undefined : this.#template('auth', text)
      }
      case 'scopes': {
        if (this.fields.find(field)?.node.kind === 'scalar' || scopesAsText) {
          return this.fields.text(field)?.text.split(/\s+/).filter(Boolean)
        }
        return this.fields.texts(field)?.map(({ text }) => text)
      }
      case 'callbackPort':
        return this.fields.number(
          field,
          'a port from 1 to 65535',
          value => Number.isInteger(value) && value >= 1 && value <= 65_535,
        )
      default:
        return this.fields.text(field)?.text
    }
  }

  #timeouts(): ServerTimeouts | undefined {
    const timeouts: Record<string, number> = {}
    for (const { key, of, unit } of this.#known.timeouts ?? []) {
      const value = this.fields.number(
        key,
        `a time in ${unit === 1 ? 'milliseconds' : 'seconds'}, a number above 0`,
        number => number > 0,
      )
      if (value !== undefined) timeouts[of] = Math.round(value * unit)
    }
    // An old word of Codex for the same.
    if (this.client.id === 'codex' && timeouts.start === undefined) {
      const value = this.fields.number(
        'startup_timeout_ms',
        'a time in milliseconds, a number above 0',
        number => number > 0,
      )
      if (value !== undefined) timeouts.start = Math.round(value)
    }
    if (this.client.universal) this.#universalTimeouts(timeouts)
    return Object.keys(timeouts).length === 0 ? undefined : timeouts
  }

  /** Times with their unit. A bare number is what some client wrote: seconds to some, milliseconds to others. */
  #universalTimeouts(timeouts: Record<string, number>): void {
    for (const [key, of] of [
      ['timeout', 'call'],
      ['startTimeout', 'start'],
    ] as const) {
      const entry = this.fields.take(key)
      if (entry === undefined) continue
      const value = entry.node.kind === 'scalar' ? entry.node.value : undefined
      if (typeof value === 'number' && value > 0) {
        const milliseconds = value >= 1_000 ? value : value * 1_000
        timeouts[of] = Math.round(milliseconds)
        this.#reading.warn(
          entry.node.start,
          `${this.fields.owner}: ${key} ${value} has no unit; it is taken for ${value >= 1_000 ? 'milliseconds' : 'seconds'}. Write "${value >= 1_000 ? `${value}ms` : `${value}s`}", or name the client whose file this is`,
        )
        continue
      }
      try {
        if (typeof value !== 'string') throw new TypeError('it must be a duration such as "30s"')
        timeouts[of] = parseDuration(value)
      } catch (error) {
        this.#reading.error(entry.node.start, `${this.fields.owner}: ${key}: ${(error as Error).message}`)
      }
    }
  }

  #tools(): ToolFilter | undefined {
    const list = (field: FieldPath) => {
      const entry = this.fields.find(field)
      // A policy of the client for each tool, rather than a list of them.
      if (entry?.node.kind === 'map') return undefined
      return this.fields.texts(field)?.map(({ text }) => text)
    }
    const allow = this.#field('allow', list)
    const deny = this.#field('deny', list)
    const approve = this.#field('approve', list)
    const tools: ToolFilter = {
      ...(allow === undefined ||
      (this.client.always !== undefined && isAll(allow)) ||
      (this.#known.allow === 'available_tools' && allow.length === 0)
        ? {}
        : { allow }),
      ...(deny === undefined || deny.length === 0 ? {} : { deny }),
      ...(approve === undefined || approve.length === 0 ? {} : { approve }),
    }
    return Object.keys(tools).length === 0 ? undefined : tools
  }

  #settings() {
    const entry = this.fields.take('anyport')
    return entry === undefined
      ? undefined
      : readServerSettings(this.#reading, `${this.fields.owner}: anyport`, entry)
  }

  /** What is left: known to this client alone, or to nobody. */
  #extras(): Readonly<Record<string, unknown>> | undefined {
    const extras = new Map<string, unknown>()
    const { kept = [], title, always, universal } = this.client
    const standard = always?.(this.name)
    for (const [key, { entry, value, isPart }] of this.fields.rest()) {
      if (
        standard !== undefined &&
        Object.hasOwn(standard, key) &&
        JSON.stringify(standard[key]) === JSON.stringify(value)
      )
        continue
      if (key === 'name' && this.client.places.some(({ list }) => list)) continue
      extras.set(key, value)
      if (isPart || kept.includes(key) || key.startsWith('_') || key === '//' || key === '$schema') continue
      const right = this.#rightKey(key)
      this.#reading.warn(
        entry.keyStart,
        `${this.fields.owner}: ${universal ? 'there is no field' : `${title} has no field`} ${JSON.stringify(key)}${right === undefined ? '' : `; did you mean ${JSON.stringify(right)}?`}`,
      )
    }
    return extras.size === 0 ? undefined : Object.fromEntries(extras)
  }

  #rightKey(key: string): string | undefined {
    return nearest(key, keysOf(this.client))
  }

  /** The field by the client's own name for it, else by that of any other, with a warning. */
  #field<T>(field: Synonym, read: (path: FieldPath) => T | undefined): T | undefined {
    const own = this.#known[field]
    if (own !== undefined && this.fields.has(own)) return read(own)
    for (const synonym of SYNONYMS[field]) {
      if (!this.fields.has(synonym)) continue
      if (own !== undefined && nameOf(own) === nameOf(synonym)) continue
      // The same word may mean something else to this client.
      if (this.#meansSomethingElse(synonym)) continue
      if (!this.client.universal) this.#warnOfSynonym(synonym, own)
      return read(synonym)
    }
    return undefined
  }

  #meansSomethingElse(synonym: FieldPath): boolean {
    const [key] = toPath(synonym)
    return (this.client.kept ?? []).includes(key as string) && toPath(synonym).length === 1
  }

  #warnOfSynonym(synonym: FieldPath, own: FieldPath | undefined): void {
    const entry = this.fields.find(synonym)
    if (entry === undefined) return
    const { title } = this.client
    const word = nameOf(synonym)
    this.#reading.warn(
      entry.keyStart,
      own === undefined
        ? `${this.fields.owner}: ${title} has no field ${JSON.stringify(word)}; anyport takes it as other clients mean it`
        : `${this.fields.owner}: ${title} does not read ${JSON.stringify(word)}; it calls it ${JSON.stringify(nameOf(own))}`,
    )
  }

  #text(field: 'cwd' | 'envFile'): TextAt | undefined {
    return this.#field(field, path => this.fields.text(path))
  }

  #template(field: TextField, { text, start }: TextAt): Template {
    const { variables, variableFields } = this.client
    if (variableFields !== undefined && !variableFields.includes(field)) return literal(text)
    return variables.read(text, this.#reading.place(start))
  }

  #templates(field: TextField, values: ReadonlyMap<string, TextAt> | undefined): Record<string, Template> {
    return Object.fromEntries([...(values ?? [])].map(([key, value]) => [key, this.#template(field, value)]))
  }
}

function isEmptyNode({ node }: SourceEntry): boolean {
  if (node.kind === 'map') return node.entries.size === 0
  return node.kind === 'list' ? node.items.length === 0 : node.value === null || node.value === ''
}

/** Every key that a client reads. */
export function keysOf({ fields, kept = [], types, universal }: Client): string[] {
  const { timeouts = [], auth, ...rest } = fields
  return [
    ...Object.values(rest).filter(value => typeof value === 'string' || Array.isArray(value)),
    ...timeouts.map(({ key }) => key),
    ...Object.values(auth?.fields ?? {}),
    ...kept,
    ...(Object.values(types).some(word => word !== '') ? ['type'] : []),
    ...(universal ? ['timeout', 'startTimeout', 'anyport'] : []),
  ].map(field => toPath(field as FieldPath)[0] as string)
}

/** Extensions of goose that are part of it, and servers of Zed's extensions: nothing that could be started by others. */
function isForeignKind(client: Client, fields: Fields): boolean {
  if (client.id === 'zed') return !fields.has('command') && !fields.has('url') && fields.has('settings')
  const type = fields.find('type')?.node
  const word = type?.kind === 'scalar' ? type.value : undefined
  return client.id === 'goose' && ['builtin', 'platform', 'frontend', 'inline_python'].includes(String(word))
}

function isAll(allow: readonly string[]): boolean {
  return allow.length === 1 && allow[0] === '*'
}

function listOf(words: readonly (string | undefined)[]): string {
  return words
    .filter(word => word !== undefined && word !== '')
    .map(word => JSON.stringify(word))
    .join(' or ')
}
