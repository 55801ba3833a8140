import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Encoded } from '../../../src/protocol/encode.js'
import {
  EventStreamDecoder,
  type EventStreamOptions,
  encodeEvent,
  KEEP_ALIVE_COMMENT,
  type ServerSentEvent,
} from '../../../src/protocol/event-stream.js'
import { parseResponseLine } from '../../../src/protocol/parse.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

function collector(options: Partial<EventStreamOptions> = {}) {
  const events: ServerSentEvent[] = []
  const skipped: number[] = []
  const retries: number[] = []
  const stream = new EventStreamDecoder({
    maxEvent: 1 << 24,
    event: event => events.push(event),
    retry: ms => retries.push(ms),
    tooLarge: byteLength => skipped.push(byteLength),
    ...options,
  })
  return { events, skipped, retries, stream }
}

function decode(chunks: readonly (string | Uint8Array)[], options: Partial<EventStreamOptions> = {}) {
  const collected = collector(options)
  for (const chunk of chunks) collected.stream.push(chunk)
  collected.stream.end()
  return collected
}

function bytesOf(encoded: Encoded): Uint8Array {
  const pieces = (typeof encoded === 'string' ? [encoded] : encoded).map(piece =>
    typeof piece === 'string' ? encoder.encode(piece) : piece,
  )
  return new Uint8Array(pieces.flatMap(piece => [...piece]))
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const offsets = [0, ...places.map(place => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return offsets.slice(1).map((end, index) => bytes.slice(offsets[index], end))
}

const event = (data: string, more: Partial<ServerSentEvent> = {}): ServerSentEvent => ({
  event: 'message',
  data,
  ...more,
})

describe('EventStreamDecoder', () => {
  // The examples of the standard, "Interpreting an event stream".
  test.each<[string, string, readonly ServerSentEvent[]]>([
    ['data of several lines', 'data: YHOO\ndata: +2\ndata: 10\n\n', [event('YHOO\n+2\n10')]],
    [
      'comments, ids and one leading space',
      ': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n',
      [event('first event', { id: '1' }), event('second event', { id: '' }), event(' third event')],
    ],
    ['empty data, and an event without its end', 'data\n\ndata\ndata\n\ndata:', [event(''), event('\n')]],
    ['data with and without a space', 'data:test\n\ndata: test\n\n', [event('test'), event('test')]],
    [
      'named events',
      'event: add\ndata: 1\n\nevent:\ndata: 2\n\ndata: 3\n\n',
      [event('1', { event: 'add' }), event('2'), event('3')],
    ],
    ['a name without data', 'event: add\n\ndata: 1\n\n', [event('1')]],
    [
      'unknown fields and lines without a colon',
      'foo: bar\ndatax: 1\ndata : 2\nevents\ndata: 3\n\n',
      [event('3')],
    ],
    ['an id with NUL is ignored', 'id: a\u0000b\ndata: 1\n\n', [event('1')]],
    [
      'a retry that is no number is ignored',
      'retry: 1s\nretry: -1\nretry: 10\ndata: 1\n\n',
      [event('1', { retry: 10 })],
    ],
    ['a byte order mark', '\ufeffdata: \ufeff1\n\n', [event('\ufeff1')]],
    ['two byte order marks', '\ufeff\ufeffdata: 1\ndata: 2\n\n', [event('2')]],
    [
      'every line ending',
      'data: 1\r\rdata: 2\r\n\r\ndata: 3\n\rdata: 4\r\n\n',
      [event('1'), event('2'), event('3'), event('4')],
    ],
  ])('%s', (_, stream, expected) => {
    const bytes = encoder.encode(stream)
    expect(decode([stream]).events).toEqual(expected)
    expect(decode([bytes]).events).toEqual(expected)
    expect(decode([...bytes].map(byte => Uint8Array.of(byte))).events).toEqual(expected)
    for (let at = 1; at < bytes.length; at++)
      expect(decode([bytes.slice(0, at), bytes.slice(at)]).events).toEqual(expected)
  })

  test('any split of any bytes has the same outcome', () => {
    const bits = fc.constantFrom(
      'data:',
      'data: x',
      'id: 1',
      'event: a',
      'retry: 7',
      ':',
      '\n',
      '\r',
      '\r\n',
      '\n\n',
      ' ',
      'é',
      '😀',
      '\ufeff',
      '\u0000',
    )
    const streams = fc.array(
      fc.oneof(
        bits.map(bit => encoder.encode(bit)),
        fc.uint8Array({ maxLength: 3 }),
      ),
      { maxLength: 40 },
    )
    fc.assert(
      fc.property(streams, fc.array(fc.nat(), { maxLength: 20 }), (parts, places) => {
        const bytes = new Uint8Array(parts.flatMap(part => [...part]))
        const whole = decode([bytes])
        const pieces = decode(cut(bytes, places))
        expect(pieces.events).toEqual(whole.events)
        expect(pieces.retries).toEqual(whole.retries)
        expect(pieces.stream.lastEventId).toBe(whole.stream.lastEventId)
      }),
      { numRuns: 1000 },
    )
  })

  test('events survive the round trip in any chunks', () => {
    const word = fc.string({ unit: 'grapheme' }).filter(text => !/[\r\n\0]/.test(text))
    const sent = fc.record(
      {
        id: word,
        event: word.filter(text => text !== ''),
        data: fc.string({ unit: 'grapheme' }),
        retry: fc.nat(),
      },
      { requiredKeys: ['data'] },
    )
    fc.assert(
      fc.property(fc.array(sent), fc.array(fc.nat(), { maxLength: 20 }), (events, places) => {
        const wire = events.map(({ data, ...fields }) => encodeEvent(data, fields)).join(KEEP_ALIVE_COMMENT)
        const { events: got, stream } = decode(cut(encoder.encode(wire), places))
        expect(got).toEqual(
          events.map(one => ({ event: 'message', ...one, data: one.data.replace(/\r\n?/g, '\n') })),
        )
        expect(stream.lastEventId).toBe(events.findLast(one => one.id !== undefined)?.id)
      }),
    )
  })

  test('the last event id outlives its event, also one without data', () => {
    const { stream, events } = collector()
    stream.push('id: 1\n')
    expect(stream.lastEventId).toBeUndefined()
    stream.push('\ndata: x\n\n')
    expect(stream.lastEventId).toBe('1')
    expect(events).toEqual([event('x')])
    stream.push('id\n\n')
    expect(stream.lastEventId).toBe('')
  })

  test('a large line of data stays bytes until somebody reads it', () => {
    const message = { jsonrpc: '2.0', id: 1, result: { text: 'é'.repeat(100_000) } }
    const wire = encoder.encode(`id: 5\ndata: ${JSON.stringify(message)}\r\n\r\ndata: after\n\n`)
    for (const places of [[], Array.from({ length: 100 }, (_, index) => index * 1999)]) {
      const { events } = decode(cut(wire, places))
      expect(events.map(one => [one.id, one.event])).toEqual([
        ['5', 'message'],
        [undefined, 'message'],
      ])
      expect(JSON.parse(events[0]?.data ?? '')).toEqual(message)
      expect(JSON.parse(JSON.stringify(parseResponseLine(events[0]?.bytes as Uint8Array)))).toEqual(message)
    }
  })

  test('large lines of several, or of invalid UTF-8, are text', () => {
    const long = 'x'.repeat(70_000)
    const { events } = decode([`data: ${long}\ndata: é\ndata: ${long}\n\n`])
    expect(events).toEqual([event(`${long}\né\n${long}`)])
    const bad = encoder.encode(`data: ${long}\n\n`)
    bad[10] = 0xff
    expect(decode([bad]).events).toEqual([event(`xxxx\ufffd${long.slice(5)}`)])
  })

  test('an event over the limit is skipped, whatever it is made of, and the next one arrives', () => {
    const long = 'x'.repeat(300)
    for (const big of [
      `data: ${long}\nid: 8\n\n`,
      `${`data: ${'y'.repeat(60)}\n`.repeat(5)}\n`,
      `id: 8\nfoo: ${long}\r\n\r\n`,
    ]) {
      const wire = encoder.encode(`data: 1\n\n${big}data: 2\n\n`)
      for (let size = 1; size < wire.length; size += 7) {
        const chunks = []
        for (let at = 0; at < wire.length; at += size) chunks.push(wire.slice(at, at + size))
        const { events, skipped } = decode(chunks, { maxEvent: 200 })
        expect(events).toEqual([event('1'), event('2')])
        expect(skipped).toEqual([big.replace(/[\r\n]/g, '').length])
      }
    }
  })

  test.each(['é', '世', '😀', '\ufffd'])('the limit is bytes, wherever the stream is cut: %s', character => {
    const line = `data: ${character.repeat(10)}\n`
    const limit = encoder.encode(line.trimEnd()).length * 2
    for (const [maxEvent, events] of [
      [limit, 1],
      [limit - 1, 0],
    ] as const) {
      expect(decode([`${line}${line}\n`], { maxEvent }).events).toHaveLength(events)
      expect(decode([line, line, '\n'], { maxEvent }).events).toHaveLength(events)
      expect(decode([`${line}\n${line}`, line, '\n'], { maxEvent }).events).toHaveLength(1 + events)
      expect(decode([line.replace('\n', '\r\n'), line, '\n'], { maxEvent }).events).toHaveLength(events)
    }
  })

  test('an event that was skipped counts as seen', () => {
    const { stream, events, skipped } = decode([`id: 8\ndata: ${'x'.repeat(300)}\n\n`], { maxEvent: 200 })
    expect([events, skipped.length, stream.lastEventId]).toEqual([[], 1, '8'])
  })

  test('comments without end do not count as an event', () => {
    const { stream, events, skipped } = collector({ maxEvent: 100 })
    for (let count = 0; count < 100; count++) stream.push(': keep-alive\n')
    stream.push('data: 1\n\n')
    expect(events).toEqual([event('1')])
    expect(skipped).toEqual([])
  })

  test('a million chunks of one byte stay cheap', () => {
    const bytes = encoder.encode(`data: ${'é'.repeat(500_000)}\n\n`)
    const { stream, events } = collector()
    const started = performance.now()
    for (let index = 0; index < bytes.length; index++) stream.push(bytes.subarray(index, index + 1))
    expect(performance.now() - started).toBeLessThan(5000)
    expect(events[0]?.data.length).toBe(500_000)
  })
})

describe('encodeEvent', () => {
  test('writes the fields in order', () => {
    expect(encodeEvent('{}')).toBe('data: {}\n\n')
    expect(encodeEvent('{}', { id: '1', event: 'message', retry: 5 })).toBe(
      'id: 1\nevent: message\nretry: 5\ndata: {}\n\n',
    )
    expect(encodeEvent('', { id: '' })).toBe('id: \ndata: \n\n')
  })

  test('data with raw line breaks arrives as the same JSON', () => {
    const json = JSON.stringify({ a: [1, { b: 'x' }] }, undefined, 2).replaceAll('\n', '\r\n')
    for (const data of [json, ['{"x":', encoder.encode(json), '}'], [encoder.encode(json)]]) {
      const wire = bytesOf(encodeEvent(data, { id: '1' }))
      const { events } = decode([wire])
      expect(events).toHaveLength(1)
      const expected =
        typeof data === 'string'
          ? json
          : data.map(part => (typeof part === 'string' ? part : decoder.decode(part))).join('')
      expect(JSON.parse(events[0]?.data ?? '')).toEqual(JSON.parse(expected))
    }
  })

  test('fields cannot break out of their line', () => {
    for (const bad of ['a\nb', 'a\rb', 'a\u0000b'])
      expect(() => encodeEvent('{}', { id: bad })).toThrow(TypeError)
    expect(() => encodeEvent('{}', { event: 'a\n\ndata: x' })).toThrow(TypeError)
  })
})
