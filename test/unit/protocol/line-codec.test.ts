import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LineDecoder, type LineDecoderOptions, type Noise } from '../../../src/protocol/line-codec.js'
import type { JSONRPCMessage, JSONRPCResultResponse } from '../../../src/protocol/message.js'
import { RawJson } from '../../../src/protocol/raw-json.js'

const encoder = new TextEncoder()

interface Collector {
  readonly messages: JSONRPCMessage[]
  readonly noise: Noise[]
  readonly decoder: LineDecoder
}

function collector(options: Partial<LineDecoderOptions> = {}): Collector {
  const messages: JSONRPCMessage[] = []
  const noise: Noise[] = []
  const decoder = new LineDecoder({
    maxMessage: 1 << 20,
    message: message => messages.push(message),
    noise: event => noise.push(event),
    ...options,
  })
  return { messages, noise, decoder }
}

function decode(input: string | Uint8Array, options: Partial<LineDecoderOptions> = {}): Collector {
  const collected = collector(options)
  collected.decoder.push(typeof input === 'string' ? encoder.encode(input) : input)
  collected.decoder.end()
  return collected
}

/** Cuts the bytes at the given places, each into memory of its own, as a pipe would. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const offsets = [0, ...places.map(place => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return offsets.slice(1).map((end, index) => bytes.slice(offsets[index], end))
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const ping = { jsonrpc: '2.0', id: 1, method: 'ping' } as const
const line = (value: unknown) => `${JSON.stringify(value)}\n`

const text = fc.string({ unit: 'grapheme' })
const messages = fc.oneof(
  fc.record({
    jsonrpc: fc.constant('2.0'),
    id: fc.oneof(fc.integer(), text),
    method: text,
    params: fc.record({ x: text }),
  }),
  fc.record({ jsonrpc: fc.constant('2.0'), method: text }),
  fc.record({
    jsonrpc: fc.constant('2.0'),
    id: fc.integer(),
    result: fc.dictionary(fc.constantFrom('a', 'é'), fc.jsonValue()),
  }),
  fc.record({
    jsonrpc: fc.constant('2.0'),
    id: fc.integer(),
    result: fc.record({
      text: fc
        .tuple(text, fc.constantFrom(10, 66_000))
        .map(([unit, size]) => (unit || 'é').repeat(size / (unit.length || 1))),
    }),
  }),
)

describe('LineDecoder', () => {
  test('any split of any stream of messages decodes to the same messages', () => {
    const endings = fc.constantFrom('\n', '\r\n', '\n\n', '\n \r\n')
    fc.assert(
      fc.property(
        fc.array(fc.tuple(messages, endings), { maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.boolean(),
        (lines, places, complete) => {
          let wire = lines.map(([message, ending]) => JSON.stringify(message) + ending).join('')
          if (!complete) wire = wire.trimEnd()
          const { decoder, messages: got, noise } = collector({ maxMessage: 1 << 24, isUtf8 })
          for (const chunk of cut(encoder.encode(wire), places)) decoder.push(chunk)
          decoder.end()
          expect(noise).toEqual([])
          expect(plain(got)).toEqual(lines.map(([message]) => plain(message)))
        },
      ),
      { numRuns: 200 },
    )
  })

  test('any bytes at all, in any split, never throw and give the same outcome', () => {
    const bits = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '\n',
      '\r',
      '"',
      '\\',
      ',',
      ':',
      '\ufeff',
      '\u0000',
      '\u001b[31m',
      'é',
      '😀',
      line(ping),
      line([ping, ping]),
      '1',
    )
    const streams = fc.array(
      fc.oneof(
        bits.map(bit => encoder.encode(bit)),
        fc.uint8Array({ maxLength: 4 }),
      ),
      { maxLength: 40 },
    )
    fc.assert(
      fc.property(
        streams,
        fc.array(fc.nat(), { maxLength: 20 }),
        fc.integer({ min: 20, max: 200 }),
        (parts, places, maxMessage) => {
          const bytes = new Uint8Array(parts.flatMap(part => [...part]))
          const whole = decode(bytes, { maxMessage })
          const { decoder, messages: got, noise } = collector({ maxMessage })
          for (const chunk of cut(bytes, places)) decoder.push(chunk)
          decoder.end()
          expect(got).toEqual(whole.messages)
          expect(noise).toEqual(whole.noise)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('one byte at a time, with multibyte characters, a byte order mark and carriage returns', () => {
    const message = { jsonrpc: '2.0', method: 'é世😀', params: { text: '\u2028"\\' } }
    const { decoder, messages: got, noise } = collector()
    for (const byte of encoder.encode(`\ufeff${JSON.stringify(message)}\r\n\r\n${JSON.stringify(message)}`))
      decoder.push(Uint8Array.of(byte))
    expect(got).toEqual([message])
    decoder.end()
    expect(got).toEqual([message, message])
    expect(noise).toEqual([])
  })

  test('members of a batch are delivered one by one', () => {
    expect(
      decode(`${line([ping, { ...ping, id: 2 }])}`).messages.map(message => 'id' in message && message.id),
    ).toEqual([1, 2])
    const large = [ping, { jsonrpc: '2.0', id: 2, result: { text: 'x'.repeat(70_000) } }]
    expect(plain(decode(line(large)).messages)).toEqual(large)
  })

  test('a large response keeps its result as bytes, a large request does not', () => {
    const result = { content: [{ type: 'text', text: 'é'.repeat(40_000) }], isError: false }
    const response = { jsonrpc: '2.0', id: 'a', result, vendor: [1] }
    const request = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { arguments: result } }
    for (const wire of [line(response) + line(request), line(request) + line(response) + line(ping)]) {
      const { messages: got } = decode(wire, { isUtf8 })
      const found = got.find(message => 'result' in message) as JSONRPCResultResponse
      expect(found.result).toBeInstanceOf(RawJson)
      expect(plain(found)).toEqual(response)
      expect(got).toContainEqual(request)
    }
  })

  test.each<[string, string, Partial<Noise>]>([
    [
      'a banner',
      'Starting server on stdio...',
      { kind: 'not-json', text: 'Starting server on stdio...', byteLength: 27 },
    ],
    [
      'colours',
      '\u001b[1;32m[INFO]\u001b[0m ready \u001b]0;title\u0007\u0007!',
      { kind: 'not-json', text: '[INFO] ready !' },
    ],
    ['JSON that is no message', '{"level":"info"}', { kind: 'not-a-message', text: '{"level":"info"}' }],
    ['a number', '42', { kind: 'not-json' }],
    ['a banner in brackets', '[INFO] up', { kind: 'not-json', text: '[INFO] up' }],
    ['an empty batch', '[]', { kind: 'not-a-message' }],
    ['an invalid response', '{"jsonrpc":"2.0","id":7,"result":[]}', { kind: 'not-a-message', id: 7 }],
    [
      'an invalid request',
      '{"jsonrpc":"2.0","id":7,"method":"x","params":[]}',
      { kind: 'not-a-message', id: 7, method: 'x' },
    ],
    ['a broken line', '{"jsonrpc":"2.0","id":"a","result":{"text":"cut o', { kind: 'not-json', id: 'a' }],
    [
      'a deep line',
      `{"jsonrpc":"2.0","id":3,"result":{"a":${'['.repeat(200)}${']'.repeat(200)}}}`,
      { kind: 'too-deep', id: 3 },
    ],
    ['NUL', '\u0000\u0000', { kind: 'not-json', text: '', byteLength: 2 }],
    ['a long banner', 'é'.repeat(300), { kind: 'not-json', text: 'é'.repeat(200), byteLength: 600 }],
  ])('%s is noise, and what follows still arrives', (_, noisy, expected) => {
    const { messages: got, noise } = decode(`${noisy}\n${line(ping)}`)
    expect(noise).toEqual([expect.objectContaining(expected)])
    expect(noise[0]).toEqual({ byteLength: noise[0]?.byteLength, text: noise[0]?.text, ...expected })
    expect(got).toEqual([ping])
  })

  test.each([10, 70_000])('invalid UTF-8 is noise for its own line only (%i characters)', size => {
    const bad = encoder.encode(line({ jsonrpc: '2.0', id: 9, result: { text: 'x'.repeat(size) } }))
    bad[60 - 10] = 0xff
    const { messages: got, noise } = decode(
      new Uint8Array([...encoder.encode(line(ping)), ...bad, ...encoder.encode(line(ping))]),
    )
    expect(got).toEqual([ping, ping])
    expect(noise).toEqual([
      expect.objectContaining({ kind: 'invalid-utf8', id: 9, byteLength: bad.length - 1 }),
    ])
  })

  test.each<[string, string, Partial<Noise>]>([
    [
      'at its beginning',
      `{"jsonrpc":"2.0","id":"a\\"b","result":{"text":"${'é'.repeat(20_000)}"}}`,
      { id: 'a"b' },
    ],
    ['at its end', `{"result":{"id":1,"text":"${'x'.repeat(20_000)}"},"id":12,"jsonrpc":"2.0"}`, { id: 12 }],
    [
      'at its very end',
      `{"jsonrpc":"2.0","result":{"text":"${'x'.repeat(20_000)}"}, "id" : -3 }`,
      { id: -3 },
    ],
    [
      'as a request',
      `{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"x":"${'x'.repeat(20_000)}"}}`,
      { id: 5, method: 'tools/call' },
    ],
    ['nowhere', `{"jsonrpc":"2.0","result":{"text":"${'x'.repeat(20_000)}","id":1}}`, {}],
    ['inside a string only', `{"jsonrpc":"2.0","result":{"text":"${'x'.repeat(20_000)},\\"id\\":1}"}}`, {}],
  ])('a line over the limit is skipped; its id stands %s', (_, long, expected) => {
    for (const places of [
      [],
      [1, 2, 3, 5000, 15_000],
      Array.from({ length: 3000 }, (_, index) => index * 7),
    ]) {
      const { decoder, messages: got, noise } = collector({ maxMessage: 10_000 })
      for (const chunk of cut(encoder.encode(`${line(ping)}${long}\n${line(ping)}`), places))
        decoder.push(chunk)
      decoder.end()
      expect(got).toEqual([ping, ping])
      const byteLength = encoder.encode(long).length
      expect(noise).toEqual([{ kind: 'too-large', byteLength, text: expect.any(String), ...expected }])
    }
  })

  test('an id that the cut between what is kept and what is not goes through is not made up', () => {
    for (let padding = 4060; padding < 4096; padding++) {
      const long = `{"x":"${'x'.repeat(padding)}","id":1234567,"result":{"text":"${'x'.repeat(8000)}"}}\n`
      const { noise } = decode(long, { maxMessage: 5000 })
      expect(noise).toHaveLength(1)
      expect([undefined, 1234567]).toContain(noise[0]?.id)
    }
  })

  test('the end of a skipped line is kept whole, wherever the bytes were cut', () => {
    for (let padding = 8150; padding < 8200; padding++) {
      const { decoder, noise } = collector({ maxMessage: 100 })
      const long = `{"result":{"text":"${'x'.repeat(padding)}"},"id":1234567,"jsonrpc":"2.0"}\n`
      for (const byte of encoder.encode(long)) decoder.push(Uint8Array.of(byte))
      expect(noise).toMatchObject([{ kind: 'too-large', id: 1234567 }])
    }
  })

  test('a line of just the limit is delivered, one byte more is not', () => {
    const { length } = JSON.stringify(ping)
    expect(decode(line(ping) + line(ping), { maxMessage: length }).messages).toEqual([ping, ping])
    expect(decode(line(ping) + line(ping), { maxMessage: length - 1 }).noise).toHaveLength(2)
    expect(decode(JSON.stringify(ping), { maxMessage: length - 1 }).noise).toHaveLength(1)
  })

  test.each([3_000, 65_536, 5_000_001])('carries 20 MiB in chunks of %i bytes', size => {
    const text = 'aé漢😀'.repeat(2 << 20)
    const bytes = encoder.encode(`${JSON.stringify({ jsonrpc: '2.0', id: 1, result: { text } })}\n`)
    const { decoder, messages } = collector({ maxMessage: bytes.length - 1, isUtf8 })
    for (let round = 1; round <= 2; round++) {
      for (let start = 0; start < bytes.length; start += size) decoder.push(bytes.slice(start, start + size))
      const { result } = messages[round - 1] as JSONRPCResultResponse
      expect(result).toBeInstanceOf(RawJson)
      expect((result as unknown as RawJson).get('text')).toBe(text)
    }
  })

  test('skips 64 MiB over the limit in constant memory', () => {
    const { decoder, messages: got, noise } = collector({ maxMessage: 1 << 20 })
    const chunk = new Uint8Array(65_536).fill(0x78)
    decoder.push(encoder.encode('{"jsonrpc":"2.0","id":4,"result":{"text":"'))
    const before = process.memoryUsage().arrayBuffers
    for (let count = 0; count < 1024; count++) decoder.push(chunk)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 << 20)
    decoder.push(encoder.encode(`"}}\n${line(ping)}`))
    expect(noise).toEqual([
      expect.objectContaining({ kind: 'too-large', id: 4, byteLength: (64 << 20) + 45 }),
    ])
    expect(got).toEqual([ping])
  })

  test('a million chunks of one byte stay cheap', () => {
    const bytes = encoder.encode(line({ jsonrpc: '2.0', id: 1, result: { text: 'é'.repeat(500_000) } }))
    const { decoder, messages: got } = collector({ maxMessage: 1 << 24 })
    const started = performance.now()
    for (let index = 0; index < bytes.length; index++) decoder.push(bytes.subarray(index, index + 1))
    expect(performance.now() - started).toBeLessThan(5000)
    expect((got[0] as JSONRPCResultResponse).result).toBeInstanceOf(RawJson)
  })
})

describe('the end of the bytes', () => {
  const answer = '{"jsonrpc":"2.0","id":7,"result":{"a":[1]}}'

  test('a whole message counts without its newline', () => {
    expect(decode(answer).messages).toEqual([JSON.parse(answer)])
  })

  test.each([
    answer.slice(0, -1),
    answer.slice(0, 30),
    `${answer.slice(0, 25)}{"big":"${'x'.repeat(40_000)}`,
  ])('a message that was cut off shows no id: it answers nobody (case %#)', cutOff => {
    const { messages, noise } = decode(`${answer}\n${cutOff}`)
    expect(messages).toEqual([JSON.parse(answer)])
    expect(noise).toMatchObject([{ kind: 'not-json', byteLength: cutOff.length }])
    expect(noise[0]?.id).toBeUndefined()
  })

  test('the same line with its newline shows it', () => {
    expect(decode(`${answer.slice(0, -1)}\n`).noise).toMatchObject([{ kind: 'not-json', id: 7 }])
  })
})
