/** What `anyport inspect` found: as JSON it is this object, for people it is text. */

import { printable } from '../exchange/printable.js'
import type { JSONObject } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import type { Era } from '../protocol/versions.js'
import { sizeText } from './call-result.js'
import { wrap } from './help.js'
import { promptSignature, toolSignature } from './signature.js'

export interface Inspection {
  /** The command line or address, without secrets. */
  readonly target: string
  readonly serverInfo: JSONObject | null
  /** Null where several servers are shown as one. */
  readonly era: Era | null
  readonly transport: 'stdio' | 'streamable-http' | 'sse' | null
  readonly protocolVersions: readonly string[]
  readonly capabilities: JSONObject
  readonly instructions: string | null
  /** Each list as the server sends it; absent where it was not asked for. */
  readonly tools?: readonly JSONObject[]
  readonly prompts?: readonly JSONObject[]
  readonly resources?: readonly JSONObject[]
  readonly resourceTemplates?: readonly JSONObject[]
  /** Lists that the server says it has, and does not give. */
  readonly problems: readonly { readonly list: string; readonly code: number; readonly message: string }[]
}

const WIDTH = 100
/** Lines of a description; all of it is in the JSON. */
const MAX_LINES = 4

export function inspectionText(inspection: Inspection): string {
  const { tools, prompts, resources, resourceTemplates, problems } = inspection
  const isNarrowed = [tools, prompts, resources].some(list => list === undefined)
  const sections = [
    ...(isNarrowed ? [] : [headText(inspection), instructionsText(inspection.instructions)]),
    listText('Tools', tools, toolText),
    listText('Prompts', prompts, promptText),
    listText('Resources', resources, resourceText),
    listText('Resource templates', resourceTemplates, resourceText),
    problems
      .map(
        ({ list, code, message }) =>
          `The server cannot list its ${list}: error ${code}, ${printable(message)}\n`,
      )
      .join(''),
  ]
  return sections.filter(text => text !== '').join('\n')
}

function headText({
  target,
  serverInfo,
  era,
  transport,
  protocolVersions,
  capabilities,
}: Inspection): string {
  const { name, title, version } = serverInfo ?? {}
  const words = [name ?? 'A server without a name', version].filter(word => typeof word === 'string')
  const also = typeof title === 'string' && title !== name ? ` (${title})` : ''
  const offers = Object.entries(capabilities).map(([key, value]) => {
    const more = isObject(value) ? Object.keys(value).filter(inner => value[inner] !== false) : []
    return more.length === 0 ? key : `${key} (${more.join(', ')})`
  })
  const rows: readonly (readonly [string, string])[] = [
    ['target', target],
    ['transport', [transport ?? '', era === null ? '' : `${era} era`].filter(word => word !== '').join(', ')],
    ['protocol', protocolVersions.join(', ')],
    ['offers', offers.join(', ') || 'nothing'],
  ]
  return [
    printable(`${words.join(' ')}${also}`),
    ...rows.filter(([, value]) => value !== '').flatMap(([key, value]) => rowText(key, value)),
    '',
  ].join('\n')
}

function rowText(key: string, value: string): readonly string[] {
  return wrap(printable(value), WIDTH - 13).map(
    (line, index) => `  ${(index === 0 ? key : '').padEnd(11)}${line}`,
  )
}

function instructionsText(instructions: string | null): string {
  if (instructions === null) return ''
  const lines = instructions
    .trim()
    .split('\n')
    .flatMap(line => wrap(printable(line), WIDTH - 2))
  return ['Instructions', ...lines.map(line => `  ${line}`.trimEnd()), ''].join('\n')
}

function listText(
  title: string,
  list: readonly JSONObject[] | undefined,
  textOf: (entry: JSONObject) => readonly string[],
): string {
  if (list === undefined) return ''
  if (list.length === 0) return `${title}: none\n`
  return [`${title} (${list.length})`, ...list.flatMap(textOf), ''].join('\n')
}

function toolText({ name, description, inputSchema, annotations }: JSONObject): readonly string[] {
  const hints = hintsOf(annotations)
  return [
    ...signatureText(toolSignature(String(name), inputSchema)),
    ...descriptionText(description),
    ...(hints.length === 0 ? [] : [`      [${hints.join(', ')}]`]),
  ]
}

function promptText({ name, description, arguments: args }: JSONObject): readonly string[] {
  return [...signatureText(promptSignature(String(name), args)), ...descriptionText(description)]
}

function resourceText({
  uri,
  uriTemplate,
  name,
  mimeType,
  size,
  description,
}: JSONObject): readonly string[] {
  const facts = [mimeType, typeof size === 'number' ? sizeText(size) : undefined].filter(
    fact => typeof fact === 'string',
  )
  const address = String(uri ?? uriTemplate)
  const called = typeof name === 'string' && name !== address ? `  ${name}` : ''
  return [
    `  ${printable(`${address}${called}${facts.length === 0 ? '' : ` (${facts.join(', ')})`}`)}`,
    ...descriptionText(description),
  ]
}

/** What tools say of themselves (2026-07-28 schema, `ToolAnnotations`): hints, which nobody has checked. */
function hintsOf(annotations: unknown): readonly string[] {
  if (!isObject(annotations)) return []
  const { readOnlyHint, destructiveHint, idempotentHint, openWorldHint } = annotations
  return [
    ...(readOnlyHint === true ? ['reads only'] : []),
    ...(destructiveHint === true ? ['destructive'] : destructiveHint === false ? ['not destructive'] : []),
    ...(idempotentHint === true ? ['idempotent'] : []),
    ...(openWorldHint === true ? ['open world'] : openWorldHint === false ? ['closed world'] : []),
  ]
}

/** Stands for a space at which no line ends. */
const KEPT = '\0'

/** Broken between parameters. */
function signatureText(signature: string): readonly string[] {
  const whole = signature.split(', ').map(part => part.replaceAll(' ', KEPT))
  return wrap(whole.join(', '), WIDTH - 8).map(
    (line, index) => `  ${index === 0 ? '' : '    '}${line.replaceAll(KEPT, ' ')}`,
  )
}

function descriptionText(description: unknown): readonly string[] {
  if (typeof description !== 'string' || description.trim() === '') return []
  const lines = wrap(printable(description.trim().replace(/\s+/g, ' ')), WIDTH - 6)
  const shown = lines.slice(0, MAX_LINES)
  if (lines.length > MAX_LINES) shown[MAX_LINES - 1] = `${shown[MAX_LINES - 1]} …`
  return shown.map(line => `      ${line}`)
}
