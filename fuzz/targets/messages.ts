/** JSON-RPC messages: as text, as bytes, as lines, as events. */

import { encodedLength, encodeLine, encodeMessage } from '../../src/protocol/encode.js'
import { INVALID_REQUEST, PARSE_ERROR, RpcError, TOO_LARGE } from '../../src/protocol/errors.js'
import {
  EventStreamDecoder,
  type EventStreamOptions,
  encodeEvent,
  type ServerSentEvent,
} from '../../src/protocol/event-stream.js'
import { type Glimpse, glimpse } from '../../src/protocol/glimpse.js'
import { LineDecoder, type NoiseKind } from '../../src/protocol/line-codec.js'
import type { JSONRPCMessage } from '../../src/protocol/message.js'
import { idOf, parseBody, parseMessage, parseResponseLine } from '../../src/protocol/parse.js'
import { RawJson } from '../../src/protocol/raw-json.js'
import { MESSAGES, WORDS } from '../corpus.js'
import { chunksOf, mutateBytes, mutateJson, mutateText } from '../mutate.js'
import type { Random } from '../random.js'
import { attempt, must, type Target } from '../target.js'

const encoder = new TextEncoder()
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder('utf-8', { ignoreBOM: true })
const MAX_DEPTH = 20

/** `JSON.parse` is the reference; the envelope is checked here once more, by other words. */
export const jsonText: Target = {
  name: 'json',
  weight: 5,
  make: random => (random.chance(0.1) ? batch(random) : mutateJson(random, MESSAGES, WORDS)),
  check(text: string, random) {
    const limits = { maxDepth: MAX_DEPTH }
    const one = attempt(() => parseMessage(text, limits), RpcError)
    const any = attempt(() => parseBody(text, limits), RpcError)
    const bytes = encoder.encode(text)
    const isText = strict.decode(bytes) === text
    const raw = attempt(() => parseResponseLine(bytes, limits), RpcError)
    const expected = judge(text)
    compare(expected, one, text)
    // A lone surrogate cannot be in bytes.
    if (isText) compare(expected, raw, text)
    if ('value' in any && Array.isArray(any.value)) {
      must(expected.kind === 'not-a-message', 'a batch is no message')
      must(JSON.stringify(any.value) === JSON.stringify(expected.value), 'the batch has changed')
    } else if (!Array.isArray(expected.value)) compare(expected, any as typeof one, text)
    // Nobody else's id, whatever is wrong with the rest.
    sameId(
      { ...(idOf(text) === undefined ? {} : { id: idOf(text) as string }) },
      expected.value,
      isText,
      'idOf',
    )
    const head = random.below(bytes.length + 1)
    const tail = bytes.subarray(random.below(bytes.length + 1))
    if (!isTwiceThere(text, 'id'))
      sameId(
        glimpse(bytes.subarray(0, head), tail),
        expected.value,
        isText,
        `glimpse of ${head} and ${tail.length} bytes`,
      )
    strictly(text, any)
    if ('value' in one) roundTrip(one.value)
    if ('value' in raw) roundTrip(raw.value)
  },
}

export const rawJson: Target = {
  name: 'raw-json',
  weight: 2,
  make: random => mutateJson(random, OBJECTS, WORDS),
  check(text: string, random) {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return
    let raw = RawJson.fromBytes(encoder.encode(text))
    // As the text survives being bytes.
    let plain = JSON.parse(strict.decode(encoder.encode(text))) as Record<string, unknown>
    const keys = [...Object.keys(plain), 'resultType', '_meta', '__proto__', 'constructor']
    for (let left = 1 + random.below(4); left > 0; left--) {
      const key = random.pick(keys)
      must(raw.has(key) === Object.hasOwn(plain, key), () => `has(${JSON.stringify(key)})`)
      const got = Object.hasOwn(plain, key) ? plain[key] : undefined
      must(JSON.stringify(raw.get(key)) === JSON.stringify(got), () => `get(${JSON.stringify(key)})`)
      const edit = random.pick([undefined, 1, 'x', { a: ['\ud800'] }])
      const before = JSON.stringify(raw.parse())
      const edited = raw.with(key, edit)
      must(JSON.stringify(raw.parse()) === before, 'an edit has changed what was edited')
      raw = edited
      plain = Object.fromEntries(
        edit === undefined
          ? Object.entries(plain).filter(([name]) => name !== key)
          : Object.hasOwn(plain, key)
            ? Object.entries(plain).map(([name, inner]) => [name, name === key ? edit : inner])
            : [...Object.entries(plain), [key, edit]],
      )
      const written = raw
        .segments()
        .map(segment => strict.decode(segment))
        .join('')
      must(sorted(JSON.parse(written)) === sorted(plain), () => `after ${JSON.stringify(key)}: ${written}`)
      must(raw.byteLength === encoder.encode(written).length, 'byteLength')
    }
  },
}

/** Lines: the same messages however the bytes are cut, and those that each line holds by itself. */
export const lines: Target = {
  name: 'lines',
  weight: 5,
  limit: 500,
  make(random) {
    const texts = Array.from({ length: 1 + random.below(4) }, () =>
      random.chance(0.1) ? mutateText(random, MESSAGES, WORDS) : mutateJson(random, MESSAGES, WORDS),
    )
    return mutateBytes(
      random,
      texts.join(random.pick(['\n', '\n', '\r\n', '\n\n', '\n \n'])) + random.pick(['\n', '', '\r\n']),
    )
  },
  check(bytes: Uint8Array, random) {
    const maxMessage = random.pick([1 << 20, 1 << 20, 1000, 100, 10])
    const limits = { maxMessage, maxDepth: MAX_DEPTH }
    const whole = linesOf([bytes.slice()], limits)
    const cut = linesOf(chunksOf(random, bytes), limits)
    must(
      JSON.stringify(whole) === JSON.stringify(cut),
      () => `cut otherwise: ${JSON.stringify([whole, cut])}`,
    )
    const expected = referenceLines(bytes, maxMessage)
    must(
      whole.length === expected.length &&
        whole.every((line, index) => isSameLine(line, expected[index] as Line)),
      () => `expected ${JSON.stringify(expected)}, got ${JSON.stringify(whole)}`,
    )
    whole.forEach((line, index) => {
      const { value, last } = expected[index] as Line
      if (line.kind !== 'message') sameId(line.glimpse as Glimpse, last ? undefined : value, true, line.kind)
    })
  },
}

export const events: Target = {
  name: 'events',
  weight: 5,
  make(random) {
    let text = random.chance(0.1) ? '\ufeff' : ''
    for (let left = 1 + random.below(5); left > 0; left--) {
      const data = random.pick(MESSAGES)
      text += encodeEvent(
        random.chance(0.5) ? data : mutateText(random, ['a\nb', ' x', '', data], EVENT_WORDS),
        {
          ...(random.chance(0.5) ? { id: `abc.${random.below(9)}.${random.below(99)}` } : {}),
          ...(random.chance(0.3) ? { event: random.pick(['message', 'endpoint', 'x']) } : {}),
          ...(random.chance(0.2) ? { retry: random.below(5_000) } : {}),
        },
      )
    }
    return mutateBytes(random, random.chance(0.3) ? text : mutateText(random, [text], EVENT_WORDS))
  },
  check(bytes: Uint8Array, random) {
    // Small limits are for small streams: each line is looked at alone once the limit is near.
    const maxEvent = bytes.length > 4_096 ? 1 << 20 : random.pick([1 << 20, 1 << 20, 300, 60, 8])
    const whole = eventsOf([bytes.slice()], maxEvent)
    const cut = eventsOf(chunksOf(random, bytes), maxEvent)
    must(
      JSON.stringify(whole) === JSON.stringify(cut),
      () => `cut otherwise: ${JSON.stringify([whole, cut])}`,
    )
    if (maxEvent < bytes.length) return
    const expected = referenceEvents(lenient.decode(bytes))
    must(
      JSON.stringify(whole) === JSON.stringify(expected),
      () => `expected ${JSON.stringify(expected)}, got ${JSON.stringify(whole)}`,
    )
  },
}

/** What we write ourselves comes back as it was. */
export const writtenEvents: Target = {
  name: 'written-events',
  weight: 1,
  make: random => mutateText(random, MESSAGES, EVENT_WORDS),
  check(data: string, random) {
    const fields = {
      id: random.chance(0.3) ? data.slice(0, 20) : 'a.1.2',
      event: random.chance(0.3) ? data.slice(0, 9) : 'x',
    }
    const encoded = attempt(() => encodeEvent(data, fields), TypeError)
    if ('error' in encoded) {
      must(/[\r\n\0]/.test(fields.id + fields.event), 'refused although nothing is wrong')
      return
    }
    const found = eventsOf([encoder.encode(encoded.value as string)], 1 << 20)
    const event = fields.event === '' ? 'message' : fields.event
    const expected = {
      id: wellFormed(fields.id),
      event: wellFormed(event),
      data: wellFormed(data.replace(/\r\n|\r|\n/g, '\n')),
    }
    must(
      JSON.stringify(found.at(-2)) === JSON.stringify({ ...expected }),
      () => `came back as ${JSON.stringify(found)}`,
    )
  },
}

const EVENT_WORDS = [
  'data:',
  'data: ',
  'data',
  'id:',
  'id: \0',
  'event: endpoint',
  'retry: 5',
  'retry: 1e9',
  'retry: 99999999999999',
  ':',
  '\n',
  '\n\n',
  '\r',
  '\r\n',
  '\r\r',
  '\ufeff',
]
const OBJECTS = MESSAGES.map(message => JSON.parse(message))
  .flatMap(({ result, params }) => [result ?? params ?? { a: 1 }])
  .map(value => JSON.stringify(value))

interface Judgement {
  readonly kind: 'message' | 'not-json' | 'not-a-message' | 'too-deep'
  readonly value?: unknown
}

/** What a text is, by `JSON.parse` and by what JSON-RPC says of messages. */
function judge(text: string): Judgement {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { kind: 'not-json' }
  }
  if (depthOf(text) > MAX_DEPTH) return { kind: 'too-deep', value }
  return { kind: isMessage(value) ? 'message' : 'not-a-message', value }
}

function isMessage(value: unknown): boolean {
  if (!isMap(value) || value.jsonrpc !== '2.0') return false
  const { id, method, params, result, error } = value
  const isId =
    typeof id === 'string' || (typeof id === 'number' && Number.isInteger(id) && Math.abs(id) <= 2 ** 53 - 1)
  if (method !== undefined) {
    if (typeof method !== 'string' || result !== undefined || error !== undefined) return false
    if (id !== undefined && !isId) return false
    return params === undefined || (isMap(params) && (params._meta === undefined || isMap(params._meta)))
  }
  if ((result === undefined) === (error === undefined)) return false
  if (result !== undefined)
    return isId && isMap(result) && (result._meta === undefined || isMap(result._meta))
  if (id !== undefined && id !== null && !isId) return false
  return isMap(error) && Number.isInteger(error.code) && typeof error.message === 'string'
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Counted in the text, as keys that are there twice hide what the first one held. */
function depthOf(text: string): number {
  let depth = 0
  let most = 0
  let quoted = false
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (quoted) {
      if (character === '\\') index++
      else if (character === '"') quoted = false
    } else if (character === '"') quoted = true
    else if (character === '{' || character === '[') most = Math.max(most, ++depth)
    else if (character === '}' || character === ']') depth--
  }
  return most
}

/** What is refused besides where nothing may be ambiguous: keys that are there twice, and numbers that would change. */
function strictly(text: string, any: { readonly value: unknown } | { readonly error: RpcError }): void {
  const found = attempt(() => parseBody(text, { maxDepth: MAX_DEPTH, unambiguous: true }), RpcError)
  if ('error' in any) {
    must(
      'error' in found &&
        (found.error.code === any.error.code || / twice$| as a text$/.test(found.error.message)),
      'was accepted only where more is asked',
    )
    return
  }
  const isOdd = hasRepeatedKey(text) || hasLostNumber(text)
  must('error' in found === isOdd, () =>
    'error' in found ? `was refused: ${found.error.message}` : 'was accepted although it is ambiguous',
  )
}

/** With a set for each object, and a reader of its own. */
function hasRepeatedKey(text: string): boolean {
  const keys: Set<string>[] = []
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"(?=\s*:)|"(?:[^"\\]|\\.)*"(?!\s*:)|[[\]{}]|:/g)) {
    if (token === '{' || token === '[') keys.push(new Set())
    else if (token === '}' || token === ']') keys.pop()
    else if (token === ':') {
      if (last === undefined) continue
      const set = keys.at(-1) as Set<string>
      if (set.has(last)) return true
      set.add(last)
    }
    last = token.startsWith('"') ? (parsed(token) as string) : undefined
  }
  return false
}

let last: string | undefined

function hasLostNumber(text: string): boolean {
  return [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g)].some(([token]) => {
    if (token.startsWith('"')) return false
    const value = Number(token)
    if (!Number.isFinite(value)) return true
    if (!/[.eE]/.test(token))
      return BigInt(token) !== BigInt(value) || (!Number.isSafeInteger(value) && String(value) !== token)
    if (value === 0) return /[1-9]/.test(token.replace(/[eE].*/, ''))
    return Number.isInteger(value) && !/[eE]/.test(token) && /\.\d*[1-9]/.test(token)
  })
}

/** Whether the outer object has a key more than once: then it depends on the cut which one is seen. */
function isTwiceThere(text: string, key: string): boolean {
  let depth = 0
  let count = 0
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"(?=\s*:)|"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
    else if (depth === 1 && parsed(token) === key) count++
  }
  return count > 1
}

function compare(
  expected: Judgement,
  got: { readonly value: JSONRPCMessage } | { readonly error: RpcError },
  text: string,
): void {
  if ('value' in got) {
    must(expected.kind === 'message', `was accepted although it is ${expected.kind}`)
    must(
      JSON.stringify(got.value) === JSON.stringify(expected.value),
      () => `came out as ${JSON.stringify(got.value)}`,
    )
    return
  }
  const { code } = got.error
  // What is too deep need not be read to its end to know.
  const codes =
    expected.kind === 'not-json'
      ? [PARSE_ERROR, ...(depthOf(text) > MAX_DEPTH || text.includes('"') ? [TOO_LARGE] : [])]
      : [KINDS[expected.kind]]
  must(codes.includes(code), `was refused with ${code} although it is ${expected.kind}: ${got.error.message}`)
}

const KINDS = { message: 0, 'not-json': PARSE_ERROR, 'not-a-message': INVALID_REQUEST, 'too-deep': TOO_LARGE }

/** An id that was seen is the message's own; of a text that is no JSON, no reader can say which is. */
function sameId(seen: Glimpse, value: unknown, exact: boolean, where: string): void {
  if (!isMap(value) || !exact) return
  if (seen.id !== undefined)
    must(
      seen.id === value.id,
      `${where}: the id ${JSON.stringify(seen.id)} is not ${JSON.stringify(value.id)}`,
    )
  if (seen.method !== undefined && where !== 'glimpse')
    must(
      seen.method === value.method || where.startsWith('glimpse'),
      `${where}: the method ${JSON.stringify(seen.method)} is not ${JSON.stringify(value.method)}`,
    )
}

function roundTrip(message: JSONRPCMessage): void {
  const text = JSON.stringify(message)
  const line = encodeLine(message)
  const written = textOf(line)
  must(written.endsWith('\n') && !written.slice(0, -1).includes('\n'), 'a line has another line break')
  must(sorted(JSON.parse(written)) === sorted(JSON.parse(text)), () => `the line says ${written}`)
  const encoded = encodeMessage(message)
  must(
    sorted(JSON.parse(textOf(encoded))) === sorted(JSON.parse(text)),
    () => `encoded as ${textOf(encoded)}`,
  )
  must(encodedLength(encoded) === encoder.encode(textOf(encoded)).length, 'encodedLength')
}

function textOf(encoded: string | readonly (string | Uint8Array)[]): string {
  return typeof encoded === 'string'
    ? encoded
    : encoded.map(piece => (typeof piece === 'string' ? piece : strict.decode(piece))).join('')
}

function sorted(value: unknown): string {
  return JSON.stringify(isMap(value) ? Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)) : value)
}

interface Line {
  readonly kind: 'message' | NoiseKind
  readonly value?: unknown
  readonly glimpse?: Glimpse
  readonly byteLength?: number
  readonly last?: boolean
}

function isSameLine(line: Line, expected: Line): boolean {
  if (expected.kind === 'message')
    return line.kind === 'message' && JSON.stringify(line.value) === JSON.stringify(expected.value)
  // Of what is no JSON it is not said why it was not read to its end.
  const unread = expected.value === undefined && (line.kind === 'not-json' || line.kind === 'too-deep')
  return (line.kind === expected.kind || unread) && line.byteLength === expected.byteLength
}

function linesOf(
  chunks: readonly Uint8Array[],
  limits: { readonly maxMessage: number; readonly maxDepth: number },
): Line[] {
  const found: Line[] = []
  const decoder = new LineDecoder({
    ...limits,
    message: message => found.push({ kind: 'message', value: JSON.parse(JSON.stringify(message)) }),
    noise: ({ kind, byteLength, id, method }) =>
      found.push({
        kind,
        byteLength,
        glimpse: { ...(id === undefined ? {} : { id }), ...(method === undefined ? {} : { method }) },
      }),
  })
  for (const chunk of chunks) decoder.push(chunk)
  decoder.end()
  return found
}

function referenceLines(bytes: Uint8Array, maxMessage: number): Line[] {
  const found: Line[] = []
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, start)
    const end = newline < 0 ? bytes.length : newline
    found.push(
      ...referenceLine(bytes.subarray(start, end), maxMessage).map(line => ({ ...line, last: newline < 0 })),
    )
    start = end + 1
  }
  return found
}

function referenceLine(bytes: Uint8Array, maxMessage: number): Line[] {
  const byteLength = bytes.length
  if (byteLength === 0) return []
  if (byteLength > maxMessage) {
    const whole = lenient.decode(bytes)
    const isUnsure = isTwiceThere(whole, 'id') || isTwiceThere(whole, 'method')
    return [{ kind: 'too-large', byteLength, value: isUnsure ? undefined : parsed(whole) }]
  }
  let text: string
  try {
    text = strict.decode(bytes)
  } catch {
    return [{ kind: 'invalid-utf8', byteLength, value: parsed(lenient.decode(bytes)) }]
  }
  const trimmed = text.trim()
  if (trimmed === '') return []
  const plain = text.startsWith('{') ? text : trimmed
  const judgement = judge(plain)
  // Without a bracket it is not looked at.
  if (!/^[[{]/.test(plain)) return [{ kind: 'not-json', byteLength }]
  if (
    judgement.kind === 'not-a-message' &&
    Array.isArray(judgement.value) &&
    judgement.value.length > 0 &&
    judgement.value.every(isMessage)
  )
    return judgement.value.map(value => ({ kind: 'message', value }))
  if (judgement.kind === 'not-json' && depthOf(plain) > MAX_DEPTH) return [{ kind: 'too-deep', byteLength }]
  return [{ ...judgement, byteLength }]
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function eventsOf(chunks: readonly Uint8Array[], maxEvent: number): unknown[] {
  const found: unknown[] = []
  const options: EventStreamOptions = {
    maxEvent,
    event: ({ id, event, data, retry }: ServerSentEvent) => found.push({ id, event, data, retry }),
    retry: ms => found.push({ retry: ms }),
    tooLarge: byteLength => found.push({ tooLarge: byteLength }),
  }
  const decoder = new EventStreamDecoder(options)
  for (const chunk of chunks) decoder.push(chunk)
  decoder.end()
  found.push({ last: decoder.lastEventId })
  return found
}

/** The algorithm of the HTML standard, on the whole text. */
function referenceEvents(text: string): unknown[] {
  const found: unknown[] = []
  let last: string | undefined
  let fields: { data?: string; event?: string; id?: string; retry?: number } = {}
  const all = text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/)
  // What follows the last line break is no line.
  for (const line of all.slice(0, -1)) {
    if (line === '') {
      last = fields.id ?? last
      const event = fields.event === undefined || fields.event === '' ? 'message' : fields.event
      if (fields.data !== undefined)
        found.push({ id: fields.id, event, data: fields.data, retry: fields.retry })
      fields = {}
      continue
    }
    const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (name === 'data') fields.data = fields.data === undefined ? value : `${fields.data}\n${value}`
    else if (name === 'event') fields.event = value
    else if (name === 'id' && !value.includes('\0')) fields.id = value
    else if (name === 'retry' && /^[0-9]+$/.test(value)) {
      fields.retry = Number(value)
      found.push({ retry: fields.retry })
    }
  }
  found.push({ last })
  return found
}

function batch(random: Random): string {
  return `[${Array.from({ length: random.below(4) }, () => mutateJson(random, MESSAGES, WORDS)).join(',')}]`
}

function wellFormed(text: string): string {
  return strict.decode(encoder.encode(text))
}
