/** A result as a person reads it: text as it is, and what is no text by name, type and size. */

import { printable } from '../exchange/printable.js'
import { canonicalJson } from '../protocol/canonical-json.js'
import type { JSONObject, Result } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'

export type ResultPart =
  | { readonly kind: 'text'; readonly text: string }
  /** Whose message follows, or which of several resources. Not the server's text, so that it stands apart. */
  | { readonly kind: 'heading'; readonly text: string }
  | {
      readonly kind: 'data'
      /** A name that a file may have, without an ending. */
      readonly name: string
      readonly mimeType: string
      readonly bytes: Uint8Array
    }

/** Of `tools/call`. What is structured is shown unless the text says the same. */
export function toolParts(result: Result, tool: string): readonly ResultPart[] {
  const { structuredContent } = result
  const structured = structuredContent === undefined ? undefined : canonicalJson(structuredContent)
  const parts = blocksOf(result.content)
    .filter(block => structured === undefined || !saysTheSame(block, structured))
    .flatMap(block => partsOf(block, tool))
  if (structuredContent === undefined) return parts
  return [...parts, { kind: 'text', text: JSON.stringify(structuredContent, undefined, 2) }]
}

/** Of `prompts/get`. */
export function promptParts(result: Result, prompt: string): readonly ResultPart[] {
  return blocksOf(result.messages).flatMap(({ role, content }): ResultPart[] => [
    { kind: 'heading', text: `${printable(String(role))}:` },
    ...blocksOf(Array.isArray(content) ? content : [content]).flatMap(block => partsOf(block, prompt)),
  ])
}

/** Of `resources/read`; one resource may have several parts. */
export function resourceParts(result: Result): readonly ResultPart[] {
  const contents = blocksOf(result.contents)
  return contents.flatMap((content): readonly ResultPart[] => {
    const parts = resourceOf(content)
    return contents.length === 1 ? parts : [{ kind: 'heading', text: headingOf(content) }, ...parts]
  })
}

/** `12 bytes`, `3.4 KiB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} byte${bytes === 1 ? '' : 's'}`
  const units = ['KiB', 'MiB', 'GiB']
  let size = bytes / 1024
  let unit = 0
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${size.toFixed(1)} ${units[unit]}`
}

function blocksOf(list: unknown): readonly JSONObject[] {
  return Array.isArray(list) ? list.filter(isObject) : []
}

function saysTheSame({ type, text }: JSONObject, structured: string): boolean {
  if (type !== 'text' || typeof text !== 'string') return false
  try {
    return canonicalJson(JSON.parse(text)) === structured
  } catch {
    return false
  }
}

function partsOf(block: JSONObject, name: string): readonly ResultPart[] {
  const { type, text, data, resource } = block
  if (type === 'text') return [{ kind: 'text', text: String(text ?? '') }]
  if ((type === 'image' || type === 'audio') && typeof data === 'string')
    return [{ kind: 'data', name: fileName(name), mimeType: mimeTypeOf(block), bytes: decoded(data) }]
  if (type === 'resource' && isObject(resource)) return resourceOf(resource)
  if (type === 'resource_link') return [{ kind: 'heading', text: headingOf(block) }]
  // A kind of content that came after us.
  return [{ kind: 'text', text: JSON.stringify(block, undefined, 2) }]
}

function resourceOf(content: JSONObject): readonly ResultPart[] {
  const { text, blob, uri } = content
  if (typeof blob !== 'string') return [{ kind: 'text', text: String(text ?? '') }]
  const last =
    String(uri ?? '')
      .split(/[?#]/)[0]
      ?.split(/[\\/]/)
      .filter(part => part !== '')
      .at(-1) ?? ''
  const name = fileName(last.replace(/\.[A-Za-z0-9]{1,8}$/, ''))
  return [{ kind: 'data', name, mimeType: mimeTypeOf(content), bytes: decoded(blob) }]
}

function headingOf({ uri, name, mimeType }: JSONObject): string {
  const words = [name === uri ? undefined : name, uri].filter(word => typeof word === 'string')
  return `${words.map(word => printable(String(word))).join(': ')}${mimeType === undefined ? '' : ` (${printable(String(mimeType))})`}`
}

function mimeTypeOf({ mimeType }: JSONObject): string {
  return typeof mimeType === 'string' && mimeType !== '' ? mimeType : 'application/octet-stream'
}

function decoded(base64: string): Uint8Array {
  return Buffer.from(base64, 'base64')
}

/** Names are the server's: nothing in them may lead elsewhere, or be hidden. */
function fileName(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[.-]+|[.-]+$/g, '')
  return safe.slice(0, 80) || 'data'
}
