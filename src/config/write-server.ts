/** Writes one entry as a client reads it, and names all that does not cross. */

import { bridgedServer, bridgeTo, isSetByUs, type Launcher, NPX } from './bridge.js'
import { type Client, type FieldPath, type TextField, type TimeoutField, toPath } from './client.js'
import { inputsOf } from './resolve.js'
import type { RemoteServer, RemoteTransport, SignIn, StdioServer, UnresolvedEntry } from './server-entry.js'
import { writeServerSettings } from './settings.js'
import type { PlainObject, PlainValue } from './source.js'
import { literalText, onlyVariable, type Template } from './template.js'
import { formatDuration } from './units.js'

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

export interface Written {
  /** Undefined where something was refused. */
  readonly value: PlainObject | undefined
  readonly notes: readonly Note[]
}

export function writeServer(entry: UnresolvedEntry, client: Client, options: WriteOptions = {}): Written {
  const writer = new ServerWriter(entry, client, options)
  const value = writer.write()
  const refused = writer.notes.some(({ kind }) => kind === 'refused')
  return { value: refused ? undefined : value, notes: writer.notes }
}

class ServerWriter {
  readonly notes: Note[] = []
  readonly #value = new Map<string, PlainValue>()

  constructor(
    private readonly entry: UnresolvedEntry,
    private readonly client: Client,
    private readonly options: WriteOptions,
  ) {}

  write(): PlainObject {
    const { entry, client } = this
    if (client.reservedNames?.includes(entry.name)) {
      this.#note(
        'name',
        'refused',
        `${client.title} ignores a server of the name ${JSON.stringify(entry.name)}`,
      )
    }
    for (const [key, value] of Object.entries(client.always?.(entry.name) ?? {})) this.#value.set(key, value)
    this.#server()
    this.#description()
    this.#disabled()
    this.#timeouts()
    this.#tools()
    this.#settings()
    this.#extras()
    return Object.fromEntries(this.#value)
  }

  #server(): void {
    const { server } = this.entry
    this.#inputs()
    if (server.kind === 'stdio') {
      this.#stdio(server)
      if (bridgedServer(server) !== undefined) {
        this.#note('server', 'changed', 'it is read back as the server that it leads to')
      }
      return
    }
    if (this.#reaches(server)) this.#remote(server)
    else this.#bridge(server)
  }

  #inputs(): void {
    if (this.client.id !== 'vscode') return
    for (const id of inputsOf([this.entry])) {
      this.#note(
        `inputs.${id}`,
        'changed',
        `VS Code asks for ${JSON.stringify(id)} where its "inputs" declare it; see to it that they do`,
      )
    }
  }

  /** The client itself can reach the server, with all that must be sent along. */
  #reaches(server: RemoteServer<Template>): boolean {
    if (this.client.fields.url === undefined || this.#transportFor(server) === undefined) return false
    if (this.#write('url', server.url) === undefined) return false
    return Object.entries(server.headers).every(([name, value]) => this.#holdsHeader(name, value))
  }

  #holdsHeader(name: string, value: Template): boolean {
    const { headers, bearerVariable, headerVariables } = this.client.fields
    if (headers !== undefined && this.#write('headers', value) !== undefined) return true
    if (bearerVariable !== undefined && bearerOf(name, value) !== undefined) return true
    return headerVariables !== undefined && onlyVariable(value) !== undefined
  }

  #bridge(server: RemoteServer<Template>): void {
    const { title } = this.client
    const bridge = bridgeTo(server, this.options.launcher ?? NPX)
    if (bridge === undefined) {
      this.#note(
        'server',
        'refused',
        `${title} cannot reach it, and its address or headers have references that a bridge cannot pass on; --resolve writes their values`,
      )
      return
    }
    this.#note(
      'server',
      'bridged',
      `${title} cannot reach it itself, so that it starts anyport, which leads to it`,
    )
    for (const name of Object.keys(server.headers).filter(isSetByUs)) {
      this.#note(`server.headers.${name}`, 'lost', 'anyport sets it itself')
    }
    if (server.auth !== undefined)
      this.#note('server.auth', 'lost', 'a bridge signs in as the server asks for')
    const inherited = bridge.inheritEnv === true ? [] : (bridge.inheritEnv ?? [])
    const { inheritEnv: _, ...rest } = bridge
    this.#stdio(this.client.fields.inherit === undefined ? rest : bridge)
    if (this.client.fields.inherit === undefined && inherited.length > 0) {
      this.#note(
        'server.headers',
        'changed',
        `${title} must have ${inherited.join(', ')} in the environment that it starts programs with; --resolve writes ${inherited.length > 1 ? 'their values' : 'its value'}`,
      )
    }
  }

  #stdio(server: StdioServer<Template>): void {
    const { fields, types } = this.client
    if (types.stdio) this.#value.set('type', types.stdio)
    const command = this.#must('command', 'server.command', server.command)
    const args = server.args.map((arg, index) => this.#must('args', `server.args[${index}]`, arg))
    if (fields.args === undefined) this.#value.set(fields.command, [command, ...args])
    else {
      this.#value.set(fields.command, command)
      if (args.length > 0) this.#value.set(fields.args, args)
    }
    this.#environment(server)
    if (server.cwd !== undefined) {
      if (fields.cwd === undefined) this.#lost('server.cwd', 'no field for the folder to start in')
      else this.#value.set(fields.cwd, this.#must('cwd', 'server.cwd', server.cwd))
    }
    if (server.envFile !== undefined) {
      if (fields.envFile === undefined) this.#lost('server.envFile', 'no field for a file of variables')
      else this.#value.set(fields.envFile, this.#must('envFile', 'server.envFile', server.envFile))
    }
  }

  #environment({ env, inheritEnv }: StdioServer<Template>): void {
    const { fields, title, universal } = this.client
    const written = new Map<string, string>()
    const inherited = new Set<string>(inheritEnv === true ? [] : inheritEnv)
    for (const [name, value] of Object.entries(env)) {
      const text = this.#write('env', value)
      if (text !== undefined) written.set(name, text)
      else if (fields.inherit !== undefined && onlyVariable(value)?.name === name) {
        inherited.add(name)
        this.#note(
          `server.env.${name}`,
          'changed',
          `${title} passes it on where it is set, and is silent where it is not`,
        )
      } else this.#must('env', `server.env.${name}`, value)
    }
    if (inheritEnv === true) {
      if (universal && fields.inherit !== undefined) this.#value.set(fields.inherit, true)
      else this.#lost('server.inheritEnv', 'no field for passing on all variables')
    }
    if (inherited.size > 0) {
      if (fields.inherit !== undefined) {
        if (inheritEnv !== true) this.#value.set(fields.inherit, [...inherited])
      } else {
        for (const name of inherited) this.#passOn(name, written)
      }
    }
    if (written.size > 0) this.#value.set(fields.env, Object.fromEntries(written))
  }

  /** A variable of the same name: an error or an empty text where it is not set. */
  #passOn(name: string, written: Map<string, string>): void {
    const text = this.#write('env', [{ kind: 'env', name }])
    if (text === undefined) this.#lost(`server.inheritEnv.${name}`, 'no field for passing on a variable')
    else {
      const given = written.has(name)
      if (!given) written.set(name, text)
      this.#note(
        `server.inheritEnv.${name}`,
        'changed',
        given
          ? 'it is given a value anyway'
          : `${this.client.title} gets a reference, which wants it to be set`,
      )
    }
  }

  #remote(server: RemoteServer<Template>): void {
    const { fields, title, types } = this.client
    const transport = this.#transportFor(server) as RemoteTransport
    const word = types[transport] as string
    if (word !== '') this.#value.set('type', word)
    if (transport !== server.transport) {
      this.#note(
        'server.transport',
        'changed',
        `${title} has no word for "${server.transport}"; it gets ${word === '' ? 'the address alone' : JSON.stringify(word)}`,
      )
    }
    this.#value.set(fields.url as string, this.#write('url', server.url) as string)
    const plain = new Map<string, string>()
    const variables = new Map<string, string>()
    for (const [name, value] of Object.entries(server.headers)) {
      const text = this.#write('headers', value)
      const bearer = fields.bearerVariable === undefined ? undefined : bearerOf(name, value)
      if (text !== undefined) plain.set(name, text)
      else if (bearer !== undefined) this.#value.set(fields.bearerVariable as string, bearer)
      else variables.set(name, onlyVariable(value)?.name as string)
    }
    if (plain.size > 0) this.#put(fields.headers as FieldPath, Object.fromEntries(plain))
    if (variables.size > 0) this.#put(fields.headerVariables as FieldPath, Object.fromEntries(variables))
    this.#auth(server.auth)
  }

  /** The transport that the client is told, the server's own or one that covers it. */
  #transportFor({ transport, url }: RemoteServer<Template>): RemoteTransport | undefined {
    const { types } = this.client
    const candidates: Readonly<Record<RemoteTransport, readonly RemoteTransport[]>> = {
      modern: ['modern', 'streamable-http', 'auto'],
      'streamable-http': ['streamable-http', 'auto'],
      sse: ['sse', 'auto'],
      // By the address where the client cannot find out: that is how such servers are named.
      auto: endsInSse(url) ? ['auto', 'sse', 'streamable-http'] : ['auto', 'streamable-http', 'sse'],
    }
    // A client that speaks one transport only cannot find out by itself that the server has the other one.
    const usable =
      transport === 'auto' && endsInSse(url) && types.auto === undefined
        ? ['sse' as const]
        : candidates[transport]
    return usable.find(candidate => types[candidate] !== undefined)
  }

  #auth(auth: false | SignIn<Template> | undefined): void {
    if (auth === undefined) return
    const known = this.client.fields.auth
    if (auth === false) {
      if (known?.never === undefined) this.#lost('server.auth', 'no way to say that nobody is to sign in')
      else this.#value.set(known.never, false)
      return
    }
    for (const [key, value] of Object.entries(auth) as [keyof SignIn, unknown][]) {
      const field = known?.fields[key]
      if (field === undefined) {
        this.#lost(`server.auth.${key}`, `no field for ${key}`)
        continue
      }
      if (key === 'clientId' || key === 'clientSecret') {
        const text = this.#write('auth', value as Template)
        if (text === undefined) this.#must('auth', `server.auth.${key}`, value as Template)
        else this.#put(field, text)
      } else if (key === 'scopes' && known?.scopesAsText)
        this.#put(field, (value as readonly string[]).join(' '))
      else this.#put(field, value as PlainValue)
    }
  }

  #description(): void {
    const { description } = this.entry
    if (description === undefined) return
    const { description: field } = this.client.fields
    if (field === undefined) this.#lost('description', 'no field for a description')
    else this.#value.set(field, description)
  }

  #disabled(): void {
    if (!this.entry.disabled) return
    const { disabled, enabled } = this.client.fields
    if (disabled !== undefined) this.#value.set(disabled, true)
    else if (enabled !== undefined) this.#value.set(enabled, false)
    else this.#lost('disabled', 'no way to say in its file that a server is not to be used: there it will be')
  }

  #timeouts(): void {
    for (const [of, milliseconds] of Object.entries(this.entry.timeouts ?? {}) as [
      'start' | 'call',
      number,
    ][]) {
      if (this.client.universal) {
        this.#value.set(of === 'call' ? 'timeout' : 'startTimeout', formatDuration(milliseconds))
        continue
      }
      const field = this.client.fields.timeouts?.find(candidate => candidate.of === of)
      if (field === undefined) {
        this.#lost(
          `timeouts.${of}`,
          of === 'call' ? 'no field for how long a call may take' : 'no field for how long a start may take',
        )
        continue
      }
      const value = inUnit(milliseconds, field)
      if (value * field.unit !== milliseconds) {
        this.#note(
          `timeouts.${of}`,
          'changed',
          `${this.client.title} takes ${limitsOf(field)}, so that ${milliseconds} ms become ${value} ${field.unit === 1 ? 'ms' : 's'}`,
        )
      }
      this.#value.set(field.key, value)
    }
  }

  #tools(): void {
    const { fields, title } = this.client
    for (const [key, tools] of Object.entries(this.entry.tools ?? {}) as [
      'allow' | 'deny' | 'approve',
      readonly string[],
    ][]) {
      const field = fields[key]
      if (field === undefined) {
        this.#lost(`tools.${key}`, `no field for ${FILTERS[key]}`)
        continue
      }
      if (key === 'allow' && field === 'available_tools' && tools.length === 0) {
        this.#lost('tools.allow', 'no way to offer no tool at all: there an empty list means all')
        continue
      }
      if (key !== 'approve' && !fields.globs && tools.some(tool => /[*?]/.test(tool))) {
        this.#note(`tools.${key}`, 'changed', `${title} takes names there, and does not understand globs`)
      }
      this.#value.set(field, tools)
    }
  }

  #settings(): void {
    const { settings } = this.entry
    if (settings === undefined) return
    if (this.client.universal) this.#value.set('anyport', writeServerSettings(settings))
    else this.#lost('settings', "no place for anyport's own settings")
  }

  #extras(): void {
    const { extras } = this.entry
    if (extras === undefined) return
    if (extras.client !== this.client.id) {
      for (const key of Object.keys(extras.fields))
        this.#note(`extras.${key}`, 'lost', `${JSON.stringify(key)} means something to ${extras.client} only`)
      return
    }
    for (const [key, value] of Object.entries(extras.fields)) {
      const own = this.#value.get(key)
      this.#value.set(key, isMap(own) && isMap(value) ? { ...value, ...own } : (value as PlainValue))
    }
  }

  /** The text of a field without which the server cannot work. */
  #must(field: TextField, name: string, template: Template): string {
    const text = this.#write(field, template)
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
    this.#note(name, 'refused', refers ? `${reason}; --resolve writes the value that it has now` : reason)
    return ''
  }

  #write(field: TextField, template: Template): string | undefined {
    const { variables, variableFields } = this.client
    return variableFields !== undefined && !variableFields.includes(field)
      ? literalText(template)
      : variables.write(template)
  }

  #put(field: FieldPath, value: PlainValue): void {
    const [key, inner] = toPath(field)
    const before = this.#value.get(key as string)
    this.#value.set(
      key as string,
      inner === undefined ? value : { ...(isMap(before) ? before : {}), [inner]: value },
    )
  }

  #lost(field: string, why: string): void {
    this.#note(field, 'lost', `${this.client.title} has ${why}`)
  }

  #note(field: string, kind: Note['kind'], message: string): void {
    this.notes.push({ server: this.entry.name, field, kind, message })
  }
}

const FILTERS = {
  allow: 'the tools to offer',
  deny: 'the tools not to offer',
  approve: 'the tools that need no approval',
} as const

/** The variable of a header that is exactly `Bearer ${VARIABLE}`. */
function bearerOf(name: string, value: Template): string | undefined {
  const [scheme, ...rest] = value
  return name.toLowerCase() === 'authorization' && scheme === 'Bearer ' ? onlyVariable(rest)?.name : undefined
}

function endsInSse(url: Template): boolean {
  return /\/sse\/?(?:$|[?#])/.test(literalText(url) ?? '')
}

function inUnit(
  milliseconds: number,
  { unit, whole, minimum = 0, maximum = Number.POSITIVE_INFINITY }: TimeoutField,
): number {
  const exact = milliseconds / unit
  const value = whole ? Math.ceil(exact) : exact
  return Math.min(maximum, Math.max(minimum, value))
}

function limitsOf({ unit, whole, minimum, maximum }: TimeoutField): string {
  const words = `${whole ? 'whole ' : ''}${unit === 1 ? 'milliseconds' : 'seconds'}`
  return maximum === undefined ? words : `${words} from ${minimum ?? 0} to ${maximum}`
}

function isMap(value: unknown): value is PlainObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
