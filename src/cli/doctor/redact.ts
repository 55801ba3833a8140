/** Keeps what a server is told in confidence out of what is said about it. */

import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, resolve } from 'node:path'
import type { RemoteServer, StdioServer } from '../../config/server-entry.js'
import type { SourceNode } from '../../config/source.js'
import type { Template } from '../../config/template.js'
import { masked } from '../../exchange/masked.js'
import { printable } from '../../exchange/printable.js'
import { parseEnvFile } from '../../node/process/env-file.js'
import { secretsOfArguments } from '../../node/process/spawn-error.js'

export interface Redact {
  /** For what others said: without these secrets, and without what looks like one. */
  foreign(text: string): string
  /** For our own words, in which there may be something of theirs. */
  own(text: string): string
}

/** Shorter texts stand everywhere, and cannot be masked without masking everything. */
const SHORTEST = 4

/** What stands for a value, which nobody has put in its place. */
const REFERENCE = /^\$?\{+[^{}]*\}+$/

/** For text that may repeat any of these secrets. What comes back is safe for a terminal. */
export function redactor(secrets: readonly string[]): Redact {
  const all = new Set<string>()
  for (const secret of [...secrets, ...ofEnvironment()]) {
    if (REFERENCE.test(secret)) continue
    for (const form of [secret, encodeURIComponent(wellFormed(secret)), JSON.stringify(secret).slice(1, -1)])
      if (form.trim().length >= SHORTEST) all.add(form)
    // Programs write line by line.
    for (const line of secret.split(/\r?\n/)) if (line.trim().length >= 8) all.add(line.trim())
  }
  // One may be part of another.
  const longestFirst = [...all].sort((a, b) => b.length - a.length)
  return {
    foreign: text => printable(masked(text, longestFirst)),
    own: text => printable(longestFirst.reduce((rest, secret) => rest.replaceAll(secret, '***'), text)),
  }
}

/** All that an entry tells its server, but for what says nothing: a port, a level, a folder. */
export function secretsOf(
  server: StdioServer | RemoteServer | StdioServer<Template> | RemoteServer<Template>,
  file: string,
): readonly string[] {
  const text = (value: string | Template): string =>
    typeof value === 'string' ? value : value.map(part => (typeof part === 'string' ? part : '')).join('')
  const texts = (values: Readonly<Record<string, string | Template>>) =>
    Object.entries(values).map(([name, value]) => [name, text(value)] as const)
  if (server.kind === 'stdio') {
    const given = texts(server.env)
    const ofFile = server.envFile === undefined ? [] : variablesIn(text(server.envFile), file)
    return [
      ...[...given, ...ofFile].flatMap(([name, value]) => secretsIn(name, value)),
      ...secretsOfArguments(server.args.map(text)),
    ]
  }
  const { auth, exchange } = server
  return [
    ...texts(server.headers).flatMap(([name, value]) =>
      // The user agent and the like.
      /^(user-agent|accept.*|content-type|origin)$/i.test(name) ? [] : [value, value.replace(/^\S+\s+/, '')],
    ),
    ...secretsOfArguments([text(server.url)]),
    ...(typeof auth === 'object' && auth.clientSecret !== undefined ? [text(auth.clientSecret)] : []),
    ...(exchange?.clientSecret === undefined ? [] : [text(exchange.clientSecret)]),
  ]
}

/** The same for all that a file says in confidence, whatever is wrong with it otherwise. */
export function secretsOfTree(root: SourceNode | undefined): readonly string[] {
  const found: string[] = []
  const visit = (node: SourceNode, key: string, isNamed: boolean): void => {
    if (node.kind === 'map')
      for (const [name, { node: inner }] of node.entries) visit(inner, name, CONFIDENTIAL.test(key))
    else if (node.kind === 'list') for (const item of node.items) visit(item, key, isNamed)
    else if (node.value !== null && (isNamed || SECRET.test(key)) && !ADDRESS.test(key))
      found.push(...secretsIn(key, String(node.value)))
  }
  if (root !== undefined) visit(root, '', false)
  return found
}

/** Maps all of whose values are for the server alone. */
const CONFIDENTIAL = /^(env|envs|environment|headers|http_headers|requestInit)$/i
/** Addresses and names of variables are told as they are, though their keys speak of what is secret. */
const ADDRESS = /(?:url|uri|env_var|_file|path)$/i

const SECRET = /TOKEN|KEY|SECRET|PASSW|PWD$|CREDENTIAL|AUTH|COOKIE|DSN/i
/** Variables that say where and how, and nothing in confidence. */
const PUBLIC =
  /^(PATH|HOME|PWD|SHELL|TERM|LANG|LC_.*|TZ|TMPDIR|NODE_ENV|NODE_OPTIONS|NODE_PATH|PYTHONPATH|DEBUG|LOG_LEVEL|PORT|HOST|XDG_.*)$/i
/** A word or a number that might stand in any text. */
const PLAIN = /^(?:[a-z]{1,12}|\d{1,5})$/i

function secretsIn(name: string, value: string): readonly string[] {
  if (!SECRET.test(name) && (PUBLIC.test(name) || PLAIN.test(value))) return []
  // A part of an address that a program says alone.
  const password = /:\/\/[^/@\s]*?:([^/@\s]+)@/.exec(value)?.[1]
  return [value, ...(password === undefined ? [] : [password])]
}

function variablesIn(path: string, file: string): readonly (readonly [string, string])[] {
  const home = /^~[\\/]/.test(path) ? resolve(homedir(), path.slice(2)) : path
  try {
    const whole = isAbsolute(home) ? home : resolve(dirname(file), home)
    return Object.entries(parseEnvFile(readFileSync(whole, 'utf8'), path))
  } catch {
    // Whoever starts the server says so.
    return []
  }
}

/** Programs are told some of our own environment, and may repeat it. */
function ofEnvironment(): readonly string[] {
  return Object.entries(process.env).flatMap(([name, value = '']) => {
    if (/_PROXY$/i.test(name)) return secretsIn('', value).slice(1)
    return SECRET.test(name) && value.length >= 8 && !/^[/~.]/.test(value) ? [value] : []
  })
}

function wellFormed(text: string): string {
  return text.replace(/[\uD800-\uDFFF]/g, '')
}
