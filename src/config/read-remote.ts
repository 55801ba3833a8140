/** Reads what is said about a server elsewhere. */

import type { FieldPath } from './client.js'
import { Fields, nameOf, type TextAt } from './fields.js'
import { nearest } from './nearest.js'
import type { RemoteServer, RemoteTransport, SignIn, TokenExchangeEntry } from './server-entry.js'
import { listOf, type ServerFields } from './server-fields.js'
import { type Template, toTemplate } from './template.js'

const EXCHANGE_TEXTS = [
  'issuer',
  'tokenEndpoint',
  'clientId',
  'clientSecret',
  'audience',
  'resource',
] as const
const HTTP_ADDRESS = /^(?:https?|http\+unix):$/

/** Undefined where there is no address. `type` is what the entry says that it is. */
export function readRemote(
  fields: ServerFields,
  type: 'stdio' | RemoteTransport | undefined,
): RemoteServer<Template> | undefined {
  // The old word of Gemini CLI wins over `url`, and says which transport it is.
  const old = fields.has('httpUrl')
  const url = old ? fields.text('httpUrl') : fields.named('url', field => fields.text(field))
  const headers = headersOf(fields)
  const auth = signInOf(fields)
  const exchange = fields.client.universal ? exchangeOf(fields) : undefined
  if (url === undefined) return undefined
  if (old) fields.take('url')
  if (old && !fields.client.universal && fields.client.id !== 'gemini')
    fields.warnOfSynonym('httpUrl', fields.client.fields.url)
  const template = fields.template('url', url)
  checkAddress(fields, url, template)
  const transport =
    type === undefined || type === 'stdio' ? (old ? 'streamable-http' : bareTransport(fields)) : type
  return {
    kind: 'remote',
    url: template,
    transport,
    headers,
    ...(auth === undefined ? {} : { auth }),
    ...(exchange === undefined ? {} : { exchange }),
  }
}

/** What an address without a type means. */
function bareTransport(fields: ServerFields): RemoteTransport {
  const { types, title } = fields.client
  if (types.auto === '') return 'auto'
  if (types['streamable-http'] === '') return 'streamable-http'
  const words = [types['streamable-http'], types.sse, types.auto].filter(word => word !== undefined)
  if (words.length > 0) {
    fields.warnAt(fields.keyStart, `${title} needs a type beside an address: ${listOf(words)}`)
  }
  return 'auto'
}

function checkAddress(fields: ServerFields, { text, start }: TextAt, template: Template): void {
  const [first] = template
  if (template.length !== 1 || typeof first !== 'string') {
    if (template.length === 0) badAddress(fields, start, 'an empty text')
    return
  }
  if (/^(?:unix|pipe):\/\//.test(text)) return
  let protocol: string
  try {
    protocol = new URL(text).protocol
  } catch {
    return badAddress(fields, start, 'a text that is no address')
  }
  if (!HTTP_ADDRESS.test(protocol)) badAddress(fields, start, `one that begins with ${protocol}`)
}

function badAddress(fields: ServerFields, start: number, found: string): void {
  fields.errorAt(
    start,
    `${nameOf(fields.client.fields.url ?? 'url')} must be an address such as https://example.com/mcp; found ${found}`,
  )
}

function headersOf(fields: ServerFields): Readonly<Record<string, Template>> {
  const headers = new Map<string, Template>()
  const plain = fields.named('headers', field => fields.textMap(field))
  for (const [name, value] of plain ?? []) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
      fields.errorAt(value.start, `${JSON.stringify(name)} is no name of a header`)
    } else if (['\r', '\n', '\0'].some(character => value.text.includes(character))) {
      fields.errorAt(value.start, `the header ${name} holds a line break`)
    }
    headers.set(name, fields.template('headers', value))
  }
  const named = fields.named('headerVariables', field => fields.textMap(field))
  for (const [name, { text, start }] of named ?? []) headers.set(name, variableOf(fields, text, start))
  const bearer = fields.named('bearerVariable', field => fields.text(field))
  if (bearer !== undefined) {
    headers.set('Authorization', toTemplate(['Bearer ', ...variableOf(fields, bearer.text, bearer.start)]))
  }
  const inline = fields.find('bearer_token')
  if (inline !== undefined && fields.client.fields.bearerVariable !== undefined) {
    fields.take('bearer_token')
    fields.errorAt(
      inline.keyStart,
      `${fields.client.title} refuses bearer_token; name a variable that holds it in ${fields.client.fields.bearerVariable}`,
    )
  }
  return Object.fromEntries(headers)
}

function variableOf(fields: ServerFields, name: string, start: number): Template {
  return [{ kind: 'env', name, at: fields.reading.place(start) }]
}

function signInOf(fields: ServerFields): false | SignIn<Template> | undefined {
  const known = fields.client.fields.auth
  if (known === undefined) return undefined
  if (known.never !== undefined) {
    const never = fields.find(known.never)?.node
    if (never?.kind === 'scalar' && never.value === false) {
      fields.take(known.never)
      return false
    }
  }
  const auth: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(known.fields) as [keyof SignIn, FieldPath][]) {
    const value = signInField(fields, key, field, known.scopesAsText ?? false)
    if (value !== undefined) auth[key] = value
  }
  return Object.keys(auth).length === 0 ? undefined : (auth as SignIn<Template>)
}

function signInField(
  fields: ServerFields,
  key: keyof SignIn,
  field: FieldPath,
  scopesAsText: boolean,
): unknown {
  switch (key) {
    case 'clientId':
    case 'clientSecret': {
      const text = fields.text(field)
      return text === undefined ? undefined : fields.template('auth', text)
    }
    case 'scopes': {
      if (fields.find(field)?.node.kind === 'scalar' || scopesAsText) {
        return fields.text(field)?.text.split(/\s+/).filter(Boolean)
      }
      return fields.texts(field)?.map(({ text }) => text)
    }
    case 'callbackPort':
      return fields.number(
        field,
        'a port from 1 to 65535',
        value => Number.isInteger(value) && value >= 1 && value <= 65_535,
      )
    default:
      return fields.text(field)?.text
  }
}

/** `auth`, of the one type that there is. */
function exchangeOf(fields: ServerFields): TokenExchangeEntry<Template> | undefined {
  const entry = fields.take('auth')
  if (entry === undefined) return undefined
  if (entry.node.kind !== 'map') return fields.error(entry, 'auth', 'a map with a type')
  const inner = new Fields(fields.reading, `${fields.owner}: auth`, entry.node)
  if (!inner.has('type')) return fields.error(entry, 'auth', 'a map with the type "token-exchange"')
  inner.oneOf('type', ['token-exchange'])
  const exchange: Record<string, unknown> = {}
  for (const key of EXCHANGE_TEXTS) {
    const text = inner.text(key)
    if (text !== undefined) exchange[key] = fields.template('auth', text)
  }
  const isText = inner.find('scopes')?.node.kind === 'scalar'
  const scopes = isText
    ? inner.text('scopes')?.text.split(/\s+/).filter(Boolean)
    : inner.texts('scopes')?.map(({ text }) => text)
  if (scopes !== undefined) exchange.scopes = scopes
  for (const [key, { entry: unknown }] of inner.rest()) {
    const near = nearest(key, ['type', ...EXCHANGE_TEXTS, 'scopes'])
    inner.warnAt(
      unknown.keyStart,
      `there is no field ${JSON.stringify(key)}${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`,
    )
  }
  return exchange as TokenExchangeEntry<Template>
}
