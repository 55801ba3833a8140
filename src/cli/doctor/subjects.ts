/** The servers of a file, with what is wrong with how they are written. */

import { resolve } from 'node:path'
import type { Client } from '../../config/client.js'
import { sentHeaders } from '../../config/gateway-problems.js'
import { nearest } from '../../config/nearest.js'
import type { Problem } from '../../config/problem.js'
import type { ReadConfig } from '../../config/read-config.js'
import type { ServerEntry, UnresolvedEntry } from '../../config/server-entry.js'
import { placeOf, type SourceNode, SyntaxProblem, splitMark } from '../../config/source.js'
import type { Place } from '../../config/template.js'
import { openConfig, readConfigFile } from '../../node/config/config-file.js'
import { resolveServers } from '../../node/config/load-config.js'
import { VALUE_CHECKS } from '../../node/config/value-checks.js'
import {
  fieldFinding,
  noRootKey,
  noServers,
  rootKey,
  unreadable,
  unreplacedFinding,
  unsetFinding,
} from './config-findings.js'
import type { Finding } from './finding.js'
import { secretsOfTree } from './redact.js'
import type { Subject } from './subject.js'

export interface Source {
  readonly file: string
  readonly client: Client | undefined
  /** That of the file itself first, where there is something to say. */
  readonly subjects: readonly Subject[]
}

export interface SourceOptions {
  /** Whose format it is. Default: found out. */
  readonly client?: Client | undefined
  /** Where variables come from. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** Never rejects for what is wrong with the file: that is what is found. */
export async function subjectsOfFile(given: string, options: SourceOptions = {}): Promise<Source> {
  const file = resolve(given)
  const { client } = options
  let parsed: Parsed
  let read: ReadConfig
  try {
    parsed = await parse(file, client)
    // As the client itself would read it here.
    read = await readConfigFile(file, client, { checks: VALUE_CHECKS, folder: process.cwd() })
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof Unreadable)) throw error
    const at = error instanceof Unreadable ? error.at : undefined
    return { file, client, subjects: [ofFile(file, client, [unreadable(file, error.message, at)])] }
  }
  const owner = read.client ?? client
  const { problems, findings } = aboutFile(file, parsed, read)
  const broken = new Map<string, Finding[]>()
  for (const problem of problems) {
    const name = serverOf(problem) ?? ''
    broken.set(name, [...(broken.get(name) ?? []), fieldFinding(problem)])
  }
  const entries = await Promise.all(
    read.servers.map(async written => {
      const own = broken.get(written.name) ?? []
      broken.delete(written.name)
      return await subjectOf(file, owner, written, own, read, options)
    }),
  )
  const others = [...broken].map(([name, own]): Subject => {
    const at = own[0]?.place
    return { ...ofFile(file, owner, own), name: name === '' ? undefined : name, at }
  })
  const ofWhole = findings.length === 0 ? [] : [ofFile(file, owner, findings)]
  const inOrder = [...others, ...entries].sort((a, b) => (a.at?.line ?? 0) - (b.at?.line ?? 0))
  const secrets = secretsOfTree(parsed.root)
  return { file, client: owner, subjects: [...ofWhole, ...inOrder].map(subject => ({ ...subject, secrets })) }
}

/** What the command line names, as if it stood in a file. */
export async function subjectOfCommandLine(written: UnresolvedEntry): Promise<Subject> {
  return await subjectOf(undefined, undefined, written, [], { inputs: [] }, {})
}

async function subjectOf(
  file: string | undefined,
  client: Client | undefined,
  written: UnresolvedEntry,
  problems: readonly Finding[],
  { inputs }: Pick<ReadConfig, 'inputs'>,
  { env = process.env }: SourceOptions,
): Promise<Subject> {
  const disabled = written.disabled === true
  const subject = { name: written.name, file, client, at: written.at, secrets: [], written, disabled }
  // What is disabled needs no values.
  if (disabled) return { ...subject, entry: undefined, findings: problems }
  const unreplaced = unreplacedFinding(written, client)
  const { servers, problems: missing } = await resolveServers([written], inputs, { env })
  const [entry] = servers
  const findings = [
    ...problems,
    ...missing.map(unsetFinding),
    ...(unreplaced === undefined ? [] : [unreplaced]),
  ]
  return { ...subject, entry: entry === undefined ? undefined : withoutOurHeaders(entry), findings }
}

function withoutOurHeaders(entry: ServerEntry): ServerEntry {
  const { server } = entry
  return server.kind === 'remote'
    ? { ...entry, server: { ...server, headers: sentHeaders(server.headers) } }
    : entry
}

function ofFile(file: string, client: Client | undefined, findings: readonly Finding[]): Subject {
  const at = findings[0]?.place
  return {
    name: undefined,
    file,
    client,
    at,
    secrets: [],
    written: undefined,
    entry: undefined,
    disabled: false,
    findings,
  }
}

/** A text that is no JSON, TOML or YAML, and where that shows. */
class Unreadable extends Error {
  constructor(
    readonly at: Place,
    message: string,
  ) {
    super(message)
  }
}

interface Parsed {
  /** Without a byte order mark. */
  readonly text: string
  readonly root: SourceNode | undefined
}

async function parse(file: string, client: Client | undefined): Promise<Parsed> {
  const { text, syntax } = await openConfig(file, client)
  if (text === undefined) throw new TypeError(`${file}: it does not exist`)
  try {
    return { text: splitMark(text)[1], root: syntax.parse(text) }
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error
    throw new Unreadable(placeOf(file, splitMark(text)[1], error.offset), error.message)
  }
}

interface AboutFile {
  /** The other problems. */
  readonly problems: readonly Problem[]
  readonly findings: readonly Finding[]
}

function aboutFile(file: string, { root, text }: Parsed, read: ReadConfig): AboutFile {
  const { client, place, servers, problems } = read
  const own = client?.places.map(({ path }) => path.join('.')) ?? []
  const key = place?.path.join('.')
  if (key !== undefined && client !== undefined && !own.includes(key)) {
    const said = problems.find(({ message }) => message.includes(`does not read ${JSON.stringify(key)}`))
    if (said !== undefined)
      return {
        problems: problems.filter(problem => problem !== said),
        findings: [rootKey(said.place, file, client.title, key, own[0] as string)],
      }
  }
  if (servers.length > 0 || root?.kind !== 'map') {
    const nothing = servers.length === 0 && problems.length === 0
    return { problems, findings: nothing ? [noServers(file, client)] : [] }
  }
  // Nothing was found where servers are looked for: is there something of nearly that name?
  const [first, entry] =
    [...root.entries].find(([name]) => nearest(name, ROOT_KEYS) !== undefined && !ROOT_KEYS.includes(name)) ??
    []
  const unknown = client === undefined
  const others = unknown ? problems.slice(1) : problems
  if (first !== undefined && entry !== undefined && (unknown || place === undefined)) {
    const right = own[0] ?? (nearest(first, ROOT_KEYS) as string)
    const at = placeOf(file, text, entry.keyStart)
    return { problems: others, findings: [rootKey(at, file, client?.title ?? 'A client', first, right)] }
  }
  if (unknown && problems[0] !== undefined)
    return { problems: others, findings: [noRootKey(problems[0], file)] }
  return { problems, findings: problems.length === 0 ? [noServers(file, client)] : [] }
}

const ROOT_KEYS: readonly string[] = [
  'mcpServers',
  'servers',
  'context_servers',
  'mcp',
  'mcp_servers',
  'extensions',
]

/** Whose entry a problem is about, as every reader of entries begins its messages. */
function serverOf({ message }: Problem): string | undefined {
  const [, quoted] = /^server ("(?:[^"\\]|\\.)*")/.exec(message) ?? []
  if (quoted === undefined) return undefined
  try {
    return JSON.parse(quoted) as string
  } catch {
    return undefined
  }
}
