/**
 * Servers elsewhere for clients that cannot reach them: written as a program, anyport, that leads there. Read back, such an
 * entry is the server that it leads to.
 */

import type { RemoteServer, RemoteTransport, StdioServer } from './server-entry.js'
import { hasReference, literal, literalText, type Reference, type Template, toTemplate } from './template.js'
import { anyportVariables } from './variables.js'

/** How anyport is started by the client. */
export interface Launcher {
  readonly command: string
  readonly args: readonly string[]
}

export const NPX: Launcher = { command: 'npx', args: ['-y', 'anyport'] }

const TRANSPORTS: readonly RemoteTransport[] = ['auto', 'modern', 'streamable-http', 'sse']

/**
 * The program that leads to a server. Values of headers are given as variables of its environment, as others can see command
 * lines. Undefined where what it needs to know cannot be told: a reference in the address, or another than to a variable.
 */
export function bridgeTo(
  { url, transport, headers }: RemoteServer<Template>,
  { command, args }: Launcher = NPX,
): StdioServer<Template> | undefined {
  const address = literalText(url)
  if (address === undefined) return undefined
  const env: Record<string, Template> = {}
  const inherited: string[] = []
  const options: string[] = transport === 'auto' ? [] : ['--transport', transport]
  for (const [name, value] of Object.entries(headers)) {
    if (isSetByUs(name)) continue
    const text = literalText(value)
    if (text === undefined) {
      const names = variablesOf(value)
      const written = names === undefined ? undefined : anyportVariables.write(value)
      if (names === undefined || written === undefined) return undefined
      inherited.push(...names)
      options.push('--header', `${name}: ${written}`)
    } else if (isSecret(name) || text.includes('${')) {
      const variable = variableFor(name, env)
      env[variable] = literal(text)
      options.push('--header', `${name}: \${${variable}}`)
    } else options.push('--header', `${name}: ${text}`)
  }
  return {
    kind: 'stdio',
    command: literal(command),
    args: [...args, 'connect', address, ...options].map(literal),
    env,
    ...(inherited.length === 0 ? {} : { inheritEnv: [...new Set(inherited)] }),
  }
}

/** The server that a bridge leads to; undefined for every other program. */
export function bridgedServer(server: StdioServer<Template>): RemoteServer<Template> | undefined {
  const words = [server.command, ...server.args].map(literalText)
  if (words.includes(undefined)) return undefined
  const texts = words as string[]
  const start = texts.findIndex(
    (word, index) => /(?:^|[\\/])anyport(?:\.cmd|\.js)?$/.test(word) && texts[index + 1] === 'connect',
  )
  const url = texts[start + 2]
  if (start < 0 || url === undefined || !/^[a-z+]+:\/\//i.test(url) || server.cwd !== undefined)
    return undefined
  const headers: Record<string, Template> = {}
  const used = new Set<string>()
  let transport: RemoteTransport = 'auto'
  for (let index = start + 3; index < texts.length; index += 2) {
    const given = texts[index + 1]
    if (given === undefined) return undefined
    const [, name, value] = /^([^:\s]+):\s*(.*)$/s.exec(given) ?? []
    const known = TRANSPORTS.find(candidate => candidate === given)
    if (texts[index] === '--transport' && known !== undefined) transport = known
    else if (texts[index] === '--header' && name !== undefined && value !== undefined) {
      const parts: (string | Reference)[] = []
      for (const part of anyportVariables.read(value)) {
        const own = typeof part === 'object' && part.kind === 'env' ? server.env[part.name] : undefined
        if (typeof part === 'object' && part.kind === 'env') used.add(part.name)
        parts.push(...(own ?? [part]))
      }
      headers[name] = toTemplate(parts)
    } else return undefined
  }
  // What it is given besides means something that is not known here.
  const inherited = server.inheritEnv === true ? [''] : (server.inheritEnv ?? [])
  if ([...Object.keys(server.env), ...inherited].some(name => !used.has(name))) return undefined
  return { kind: 'remote', url: literal(url), transport, headers }
}

/** The variables that a text refers to; undefined where it refers to something else. */
function variablesOf(template: Template): readonly string[] | undefined {
  const names: string[] = []
  for (const part of template) {
    if (typeof part === 'string') continue
    if (part.kind !== 'env') return undefined
    names.push(part.name)
  }
  return hasReference(template) ? names : undefined
}

/** Headers that people write down although the protocol says what they are: `anyport connect` sets them, and takes none. */
export function isSetByUs(header: string): boolean {
  return /^(?:accept|accept-encoding|connection|content-encoding|content-length|content-type|expect|keep-alive|last-event-id|mcp-method|mcp-name|mcp-param-.*|mcp-protocol-version|mcp-session-id|te|trailer|transfer-encoding|upgrade)$/i.test(
    header,
  )
}

function isSecret(header: string): boolean {
  return /auth|token|key|secret|cookie|password|credential/i.test(header)
}

function variableFor(header: string, taken: Readonly<Record<string, Template>>): string {
  const name = `ANYPORT_HEADER_${header.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`
  let variable = name
  for (let count = 2; Object.hasOwn(taken, variable); count++) variable = `${name}_${count}`
  return variable
}
